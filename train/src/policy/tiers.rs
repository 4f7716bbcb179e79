//! Rates by the number of conversions in the period before, as most programs pay today.

use std::str::FromStr;

use domain::Rate;

use crate::rate::rate;

/// From how many conversions on which rate is paid, fewest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    steps: Vec<(u32, Rate)>,
}

/// Tiers that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TiersError {
    /// Not a list of numbers and rates.
    #[error("{0:?} is no tier; expected conversions and a rate, such as 0=8%,10=10%,50=12%")]
    Malformed(String),
    /// Out of order, or nothing for those who begin.
    #[error("tiers begin at 0 conversions, and each at more than the one before: 0=8%,10=10%,50=12%")]
    Order,
}

impl Tiers {
    /// A fifth less than `rate` below 10 conversions, a fifth more from 50 on.
    #[must_use]
    pub fn around(rate: Rate) -> Self {
        let of = |fifths: u32| Rate { ppm: rate.ppm / 5 * fifths };
        Self { steps: vec![(0, of(4)), (10, rate), (50, of(6))] }
    }

    /// The rate after a period with so many conversions.
    #[must_use]
    pub fn rate(&self, conversions: f64) -> Rate {
        let reached = self.steps.iter().rev().find(|(from, _)| f64::from(*from) <= conversions);
        reached.unwrap_or(&self.steps[0]).1
    }

    /// As it is written.
    #[must_use]
    pub fn written(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(|(from, rate)| format!("{from}={rate}")).collect();
        steps.join(",")
    }
}

impl FromStr for Tiers {
    type Err = TiersError;

    fn from_str(text: &str) -> Result<Self, TiersError> {
        let step = |step: &str| {
            let (from, paid) = step.split_once('=')?;
            Some((from.trim().parse::<u32>().ok()?, rate(paid).ok()?))
        };
        let read = |text: &str| step(text).ok_or_else(|| TiersError::Malformed(text.to_owned()));
        let steps: Vec<(u32, Rate)> = text.split(',').map(read).collect::<Result<_, _>>()?;
        let rises = steps.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if steps[0].0 == 0 && rises { Ok(Self { steps }) } else { Err(TiersError::Order) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tiers: &str, conversions: f64, rate: &str) {
        let found = tiers.parse::<Tiers>().map(|tiers| tiers.rate(conversions).to_string());
        assert_eq!(found.unwrap_or_else(|error| error.to_string()), rate);
    }

    #[test]
    fn a_boundary_belongs_to_the_upper_tier() {
        check("0=8%,10=10%,50=12%", 9.0, "8%");
        check("0=8%,10=10%,50=12%", 10.0, "10%");
        check("0=8%,10=10%,50=12%", 500.0, "12%");
        check("0=0.08,10=0.1", 9.0, "8%");
        assert_eq!(Tiers::around(Rate { ppm: 100_000 }).written(), "0=8%,10=10%,50=12%");
    }

    #[test]
    fn tiers_that_cannot_be_meant_are_refused() {
        check(
            "0=8%,ten=10%",
            9.0,
            "\"ten=10%\" is no tier; expected conversions and a rate, such as 0=8%,10=10%,50=12%",
        );
        check(
            "0=8,10=10",
            9.0,
            "\"0=8\" is no tier; expected conversions and a rate, such as 0=8%,10=10%,50=12%",
        );
        check(
            "5=8%",
            9.0,
            "tiers begin at 0 conversions, and each at more than the one before: 0=8%,10=10%,50=12%",
        );
    }
}
