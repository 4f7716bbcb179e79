//! How evenly events fall into categories.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{
    counts::Counts,
    departures::{Departure, Departures},
};
use crate::value::real;

/// One, in the fixed-point numbers below: 44 bits behind the point.
const ONE: f64 = 17_592_186_044_416.0;
/// Weights of counts below this are looked up.
const TABLE: usize = 1_024;

static WEIGHTS: LazyLock<Vec<i128>> = LazyLock::new(|| (0..TABLE as u64).map(computed_weight).collect());

/// Shannon's entropy (1948) from whole counts: `log₂ n − (Σ c log₂ c) / n`. The sum is kept in fixed point, so that
/// taking away is exact and no error grows with the stream; what rounding there is stays below 10⁻¹³ bits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entropy {
    counts: Counts,
    departures: Departures<u64>,
    events: u64,
    weights: i128,
}

impl Entropy {
    /// One more event of a category.
    pub fn add(&mut self, leaves_us: i64, category: u64) {
        let after = self.counts.add(category);
        self.events += 1;
        self.weights += weight(after) - weight(after - 1);
        self.departures.add(leaves_us, category);
    }

    /// Takes away those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while let Some(Departure { category, many, .. }) = self.departures.next_gone(now_us) {
            let after = self.counts.take(category, many);
            self.events -= many;
            self.weights += weight(after) - weight(after + many);
        }
    }

    /// When the next one leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.departures.due_us()
    }

    /// The entropy in bits, where there are events.
    #[must_use]
    pub fn bits(&self) -> Option<f64> {
        bits(self.events, self.weights)
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.counts.shrink();
        self.departures.shrink();
    }
}

/// The entropy of a few categories, each as often as it stands there; the list is put in order.
#[must_use]
pub fn of(categories: &mut [i64]) -> Option<f64> {
    categories.sort_unstable();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let runs = categories.chunk_by(|one, next| one == next);
    bits(count(categories.len()), runs.map(|run| weight(count(run.len()))).sum())
}

fn bits(events: u64, weights: i128) -> Option<f64> {
    let divisor = real(i128::from(events));
    (0 < events).then(|| (divisor.log2() - real(weights) / ONE / divisor).max(0.0))
}

/// `c log₂ c` in fixed point.
fn weight(count: u64) -> i128 {
    let place = usize::try_from(count).unwrap_or(usize::MAX);
    WEIGHTS.get(place).copied().unwrap_or_else(|| computed_weight(count))
}

fn computed_weight(count: u64) -> i128 {
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
        let mut same: Vec<i64> = categories.iter().map(|category| category.cast_signed()).collect();
        assert_eq!(of(&mut same), entropy.bits());
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
