//! How evenly events fall into categories.

use serde::{Deserialize, Serialize};

use super::tally::{Change, Tally};
use crate::value::real;

/// One, in the fixed-point numbers below: 44 bits behind the point.
const ONE: f64 = 17_592_186_044_416.0;

/// Shannon's entropy (1948) from whole counts: `log₂ n − (Σ c log₂ c) / n`. The sum is kept in fixed point, so that
/// taking away is exact and no error grows with the stream; what rounding there is stays below 10⁻¹³ bits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entropy {
    tally: Tally<u64>,
    events: u64,
    weights: i128,
}

impl Entropy {
    /// One more event of a category.
    pub fn add(&mut self, leaves_us: i64, category: u64) {
        let change = self.tally.add(leaves_us, category);
        self.events += 1;
        self.weights += weight(change.after) - weight(change.before);
    }

    /// Takes away those that have left.
    pub fn expire(&mut self, now_us: i64) {
        let Self { tally, events, weights } = self;
        tally.expire(now_us, |Change { before, after }| {
            *events -= before - after;
            *weights += weight(after) - weight(before);
        });
    }

    /// The entropy in bits, where there are events.
    #[must_use]
    pub fn bits(&self) -> Option<f64> {
        let events = real(i128::from(self.events));
        (0 < self.events).then(|| (events.log2() - real(self.weights) / ONE / events).max(0.0))
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.tally.shrink();
    }
}

/// `c log₂ c` in fixed point.
fn weight(count: u64) -> i128 {
    if count < 2 {
        return 0;
    }
    let count = real(i128::from(count));
    #[expect(clippy::cast_possible_truncation, reason = "below 2^115 for any count")]
    let weight = (count * count.log2() * ONE).round() as i128;
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(categories: &[u64], bits: f64) {
        let mut entropy = Entropy::default();
        for category in categories {
            entropy.add(10, *category);
        }
        assert!((entropy.bits().unwrap() - bits).abs() < 1e-13, "{categories:?}: {:?}", entropy.bits());
        entropy.expire(10);
        assert_eq!((entropy.bits(), entropy.weights), (None, 0));
    }

    #[test]
    fn evenness_is_measured_in_bits() {
        check(&[1, 1, 1], 0.0);
        check(&[1, 2], 1.0);
        check(&[1, 2, 3, 4], 2.0);
        check(&[1, 1, 2], 0.918_295_834_054_489_6);
    }
}
