//! Rates as people write them, in a column as on the command line.

use domain::Rate;

/// What is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no rate; expected 12.5%, or 0.125")]
pub struct RateTextError(String);

/// Reads a percentage with its sign, such as 12.5%, up to 100%, or a fraction below 1, such as 0.125. A whole number without the
/// sign could be meant as either, and is neither, but for zero.
///
/// # Errors
/// When it is neither.
pub fn rate(text: &str) -> Result<Rate, RateTextError> {
    let text = text.trim();
    let percent = || text.parse::<Rate>().ok().filter(|rate| *rate <= Rate::ONE);
    let part = || {
        let part = text.parse::<f64>().ok().filter(|part| (0.0..1.0).contains(part))?;
        Some(Rate { ppm: (part * 1e6).round() as u32 })
    };
    let read = if text.ends_with('%') { percent() } else { part() };
    read.ok_or_else(|| RateTextError(text.chars().take(32).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ppm: Option<u32>) {
        assert_eq!(rate(text).ok().map(|rate| rate.ppm), ppm, "{text:?}");
    }

    #[test]
    fn a_fraction_is_no_percentage() {
        for (text, ppm) in
            [("8%", 80_000), (" 12.5 % ", 125_000), ("100%", 1_000_000), ("0.08%", 800), ("0", 0)]
        {
            check(text, Some(ppm));
        }
        check("0.08", Some(80_000));
        check("1e-3", Some(1_000));
    }

    #[test]
    fn what_could_mean_either_is_refused() {
        for text in ["8", "1", "100.5%", "-0.1", "-1%", "NaN", "%", "", "eight"] {
            check(text, None);
        }
        assert_eq!(rate("8").unwrap_err().to_string(), "\"8\" is no rate; expected 12.5%, or 0.125");
    }
}
