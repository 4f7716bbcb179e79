//! What a load has seen.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What was seen; `measured` means after the warm-up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Answers with the expected status, the warm-up's among them.
    pub answered: u64,
    /// The same, measured.
    pub measured: u64,
    /// Answers with another status, by status, in all.
    pub others: BTreeMap<u16, u64>,
    /// Requests whose connection was closed before the answer.
    pub broken: u64,
    /// Answers with the expected status and a body that was not expected, in all.
    pub strange: u64,
    /// For how long it was measured.
    pub length: Duration,
    /// From when an expected answer's request was due to its end; measured.
    pub latency: Quantiles,
    /// How much later than it was due a request was sent although a connection was free: the error of this
    /// instrument, which is part of the latency.
    pub lateness: Quantiles,
}

/// How a time is distributed, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Seen {
    /// Expected answers a second.
    pub fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of one bounded run are far below 2^52")]
        let measured = self.measured as f64;
        measured / self.length.as_secs_f64()
    }

    /// Answers with another status than the expected one.
    pub fn unexpected(&self) -> u64 {
        self.others.values().sum()
    }
}

impl Quantiles {
    /// Of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile)).as_secs_f64() * 1e3;
        Self { p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: at(1.0) }
    }

    /// A histogram of a microsecond to ten minutes, in nanoseconds with three digits.
    pub fn histogram() -> Result<Histogram<u64>> {
        Histogram::new_with_bounds(1_000, 600_000_000_000, 3).context("a histogram of these bounds exists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut histogram = Quantiles::histogram().expect("a histogram");
        (1..=1_000).for_each(|ms| histogram.record(ms * 1_000_000).expect("within bounds"));
        let found = Quantiles::of(&histogram);
        for (value, expected) in
            [(found.p50_ms, 500.0), (found.p99_ms, 990.0), (found.p999_ms, 999.0), (found.max_ms, 1000.0)]
        {
            assert!((value - expected).abs() < expected / 500.0, "{value} is about {expected}");
        }
    }
}
