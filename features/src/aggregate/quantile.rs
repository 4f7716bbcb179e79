//! Any quantile of whole numbers, within one part in a hundred.

use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::value::real;

/// How far a quantile may be from the number that it stands for, in parts of that number.
pub const ACCURACY: f64 = 0.01;

/// DDSketch (Masson, Rim and Lee, «DDSketch: a fast and fully-mergeable quantile sketch with relative-error
/// guarantees», VLDB 2019) with whole counts, so that what leaves is taken away exactly. A number lies in the bucket
/// `⌈log_γ |x|⌉` with `γ = (1 + α) / (1 − α)`; buckets of negative numbers lie below that of zero.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sketch {
    tally: Tally<i32>,
    events: u64,
}

impl Sketch {
    /// Adds a number.
    pub fn add(&mut self, leaves_us: i64, number: i64) {
        self.tally.add(leaves_us, bucket(number));
        self.events += 1;
    }

    /// Takes away those that have left.
    pub fn expire(&mut self, now_us: i64) {
        let Self { tally, events } = self;
        tally.expire(now_us, |change| *events -= change.before - change.after);
    }

    /// The number of which so many thousandths of the others are not larger: that of rank `⌊q (n − 1)⌋`.
    #[must_use]
    pub fn quantile(&self, thousandths: u16) -> Option<f64> {
        let others = self.events.checked_sub(1)?;
        let rank = u128::from(others) * u128::from(thousandths) / 1_000;
        let mut below = 0_u128;
        for (bucket, count) in self.tally.counts() {
            below += u128::from(count);
            if rank < below {
                return Some(middle(bucket));
            }
        }
        None
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.tally.shrink();
    }
}

fn growth() -> f64 {
    (1.0 + ACCURACY) / (1.0 - ACCURACY)
}

/// Where a number lies: zero in the middle, larger ones above, negative ones below.
#[must_use]
pub fn bucket(number: i64) -> i32 {
    if number == 0 {
        return 0;
    }
    let logarithm = real(i128::from(number.unsigned_abs())).ln() / growth().ln();
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a 64-bit number is below 2,200")]
    let index = logarithm.ceil() as i32 + 1;
    if number < 0 { -index } else { index }
}

/// The number that a bucket stands for, with the same relative error to both of its ends.
#[must_use]
pub fn middle(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let middle = 2.0 * growth().powi(bucket.abs() - 1) / (growth() + 1.0);
    if bucket < 0 { -middle } else { middle }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_quantile_is_within_a_hundredth(mut numbers: Vec<i64>, thousandths in 0_u16..=1_000) {
            let mut sketch = Sketch::default();
            numbers.iter().for_each(|number| sketch.add(1, *number));
            numbers.sort_unstable();
            let rank = numbers.len().saturating_sub(1) * usize::from(thousandths) / 1_000;
            let exact = numbers.get(rank).map(|number| real(i128::from(*number)));
            match (exact, sketch.quantile(thousandths)) {
                (Some(exact), Some(found)) => {
                    let error = (found - exact).abs();
                    prop_assert!(error <= exact.abs() * (ACCURACY + 1e-9), "{} for {}", found, exact);
                }
                (exact, found) => prop_assert_eq!(exact, found),
            }
        }
    }
}
