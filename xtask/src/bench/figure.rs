//! What a benchmark found: figures side by side with those of floors and peers, and what was promised about them.

use serde_json::{Value, json};

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured, with its size: `512 connections`.
    pub case: String,
    /// Of what: `commit`, or the name of a floor.
    pub of: String,
    /// The value; the median where there were several runs.
    pub value: f64,
    /// Its unit: `req/s`, `ms`, `rows/s`.
    pub unit: &'static str,
    /// How far the runs lie apart: largest less smallest, in parts of the median.
    pub spread: Option<f64>,
}

/// Something that is to be held; whether it is, the report says, and no benchmark fails because of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Promise {
    /// What is promised, as a sentence without its end.
    pub says: String,
    /// What was measured.
    pub value: f64,
    /// Its unit; `×` for a ratio.
    pub unit: &'static str,
    /// Where the value has to be.
    pub bound: Bound,
}

/// Where a value has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// There or above.
    AtLeast(f64),
    /// There or below.
    AtMost(f64),
}

/// Everything that a benchmark has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub figures: Vec<Figure>,
    pub promises: Vec<Promise>,
    /// Sentences about how it was measured and what else was seen.
    pub notes: Vec<String>,
}

impl Figure {
    /// A figure of a single run.
    pub fn new(case: impl Into<String>, of: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { case: case.into(), of: of.into(), value, unit, spread: None }
    }

    /// The median of several runs and how far they lie apart.
    pub fn median(
        case: impl Into<String>,
        of: impl Into<String>,
        values: &[f64],
        unit: &'static str,
    ) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (first, last) =
            (sorted.first().copied().unwrap_or_default(), sorted.last().copied().unwrap_or_default());
        let value = median(values);
        let spread = (1 < sorted.len() && 0.0 < value).then(|| (last - first) / value);
        Self { spread, ..Self::new(case, of, value, unit) }
    }

    /// One line of JSON: `bench, case, of, value, unit, spread`; what is absent is null.
    pub fn json(&self, bench: &str) -> Value {
        let Self { case, of, value, unit, spread } = self;
        json!({ "bench": bench, "case": case, "of": of, "value": value, "unit": unit, "spread": spread })
    }

    /// The value and its spread, for a table.
    pub fn text(&self) -> String {
        let value = readable(self.value);
        self.spread.map_or_else(|| value.clone(), |spread| format!("{value} ±{:.0}%", spread * 50.0))
    }
}

impl Promise {
    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => bound <= self.value,
            Bound::AtMost(bound) => self.value <= bound,
        }
    }

    /// One line of JSON: `bench, promise, value, unit, at_least or at_most, is_held`.
    pub fn json(&self, bench: &str) -> Value {
        let Self { says, value, unit, bound } = self;
        let (name, bound) = match bound {
            Bound::AtLeast(bound) => ("at_least", bound),
            Bound::AtMost(bound) => ("at_most", bound),
        };
        let held = self.is_held();
        json!({ "bench": bench, "promise": says, "value": value, "unit": unit, name: bound, "is_held": held })
    }

    /// The promise with what was measured and whether that is enough.
    pub fn text(&self) -> String {
        let Self { says, value, unit, .. } = self;
        let verdict = if self.is_held() { "met" } else { "**not met**" };
        let unit = if *unit == "×" { "×".to_owned() } else { format!(" {unit}") };
        format!("{says}: {}{unit}, {verdict}", readable(*value))
    }
}

/// The value in the middle; the mean of two where two are there.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// A count as a value.
pub fn count(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "what is counted here stays far below 2^52")]
    let value = number as f64;
    value
}

/// So many of something, as `1 run` and `3 runs`.
pub fn several(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", readable(count(number)))
}

/// Three digits that count: large numbers in groups of three, small ones with decimals unless they are whole.
pub fn readable(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        _ if magnitude.fract() < f64::EPSILON => 0,
        small if small < 10.0 => 2,
        middling => usize::from(middling < 100.0),
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), String::new()), |(whole, fraction)| (whole, format!(".{fraction}")));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let cases = [
            (171_234.4, "171,234"),
            (1000.0, "1,000"),
            (999.4, "999"),
            (42.25, "42.2"),
            (2.345, "2.35"),
            (0.0, "0"),
            (3.0, "3"),
            (3.999, "4.00"),
            (-1234.0, "-1,234"),
        ];
        for (value, expected) in cases {
            assert_eq!(readable(value), expected);
        }
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 1_000].map(|number| several(number, "run")), ["0 runs", "1 run", "1,000 runs"]);
    }

    #[test]
    fn a_figure_is_the_median_and_says_how_sure_it_is() {
        let figure = |values: &[f64]| Figure::median("512 connections", "commit", values, "req/s").text();
        assert_eq!(figure(&[110.0, 90.0, 100.0]), "100 ±10%");
        assert_eq!(figure(&[90.0, 110.0]), "100 ±10%");
        assert_eq!(figure(&[100.0]), "100");
    }

    #[test]
    fn a_promise_is_held_up_to_its_bound() {
        let promise = |value, bound| Promise { says: "commit p99".into(), value, unit: "ms", bound }.text();
        assert_eq!(promise(3.0, Bound::AtMost(3.0)), "commit p99: 3 ms, met");
        assert_eq!(promise(3.01, Bound::AtMost(3.0)), "commit p99: 3.01 ms, **not met**");
        let ratio = Promise { says: "r".into(), value: 0.75, unit: "×", bound: Bound::AtLeast(0.75) };
        assert_eq!(ratio.text(), "r: 0.75×, met");
    }

    #[test]
    fn json_has_every_field() {
        let figure =
            Figure::median("64 connections", "commit", &[2.0, 3.0, 4.0], "ms").json("redirect").to_string();
        assert_eq!(
            figure,
            r#"{"bench":"redirect","case":"64 connections","of":"commit","spread":0.6666666666666666,"unit":"ms","value":3.0}"#
        );
        let promise = Promise { says: "p".into(), value: 1.0, unit: "ms", bound: Bound::AtMost(2.0) };
        assert_eq!(
            promise.json("redirect").to_string(),
            r#"{"at_most":2.0,"bench":"redirect","is_held":true,"promise":"p","unit":"ms","value":1.0}"#
        );
    }
}
