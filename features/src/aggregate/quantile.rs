//! Any quantile of whole numbers, within one part in a hundred.

use serde::{Deserialize, Serialize};

use super::departures::{Departure, Departures};
use crate::value::real;

/// How far a quantile may be from the number that it stands for, in parts of that number.
pub const ACCURACY: f64 = 0.01;
/// How many buckets are added up at once.
const BLOCK: usize = 16;

/// DDSketch (Masson, Rim and Lee, «DDSketch: a fast and fully-mergeable quantile sketch with relative-error
/// guarantees», VLDB 2019) with whole counts, so that what leaves is taken away exactly. A number lies in the bucket
/// `⌈log_γ |x|⌉` with `γ = (1 + α) / (1 − α)`; buckets of negative numbers lie below that of zero.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sketch {
    /// Those buckets in which something lies, in order.
    buckets: Vec<i32>,
    /// How much lies in each.
    counts: Vec<u64>,
    departures: Departures<i32>,
    events: u64,
}

impl Sketch {
    /// Adds a number.
    pub fn add(&mut self, leaves_us: i64, number: i64) {
        let bucket = bucket(number);
        match self.buckets.binary_search(&bucket) {
            Ok(place) => self.counts[place] += 1,
            Err(place) => {
                self.buckets.insert(place, bucket);
                self.counts.insert(place, 1);
            }
        }
        self.events += 1;
        self.departures.add(leaves_us, bucket);
    }

    /// Takes away those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while let Some(Departure { category, many, .. }) = self.departures.next_gone(now_us) {
            let Ok(place) = self.buckets.binary_search(&category) else { continue };
            self.events -= many;
            self.counts[place] -= many;
            if self.counts[place] == 0 {
                self.buckets.remove(place);
                self.counts.remove(place);
            }
        }
    }

    /// When the next one leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.departures.due_us()
    }

    /// The number of which so many thousandths of the others are not larger: that of rank `⌊q (n − 1)⌋`.
    #[must_use]
    pub fn quantile(&self, thousandths: u16) -> Option<f64> {
        let mut left = rank(self.events, thousandths)?;
        // Whole blocks are added up at once, of which a machine does several numbers in one step.
        for (block, counts) in self.counts.chunks(BLOCK).enumerate() {
            let within: u64 = counts.iter().sum();
            if within <= left {
                left -= within;
                continue;
            }
            for (place, count) in counts.iter().enumerate() {
                if left < *count {
                    return self.buckets.get(block * BLOCK + place).copied().map(middle);
                }
                left -= count;
            }
        }
        None
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.buckets.shrink_to_fit();
        self.counts.shrink_to_fit();
        self.departures.shrink();
    }
}

/// What a sketch of a few numbers would say; the list is put in order.
#[must_use]
pub fn of(numbers: &mut [i64], thousandths: u16) -> Option<f64> {
    numbers.sort_unstable();
    let rank = rank(u64::try_from(numbers.len()).ok()?, thousandths)?;
    numbers.get(usize::try_from(rank).ok()?).map(|number| middle(bucket(*number)))
}

/// Which of so many events a quantile is, counted from nought.
fn rank(events: u64, thousandths: u16) -> Option<u64> {
    let others = u128::from(events.checked_sub(1)?);
    u64::try_from(others * u128::from(thousandths) / 1_000).ok()
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
            let of_few = of(&mut numbers, thousandths);
            prop_assert_eq!(of_few, sketch.quantile(thousandths));
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
