//! A feature on the scale of a normal distribution, by ranks: neither its units nor the shape of its tails matter.

use statrs::function::erf::erfc_inv;

use crate::anomaly::steps::counted;

/// How many knots keep a feature's distribution.
const KNOTS: usize = 256;

/// A rising function, linear between knots, which sends the ranks of the learned values to the quantiles of the standard
/// normal distribution (van der Waerden 1952), equal values to that of their middle rank. Beyond the knots it goes on
/// as steep as from the middle to the last knot, up to ten standard deviations. A missing value becomes zero.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalScores {
    /// Values, rising.
    pub values: Vec<f64>,
    /// The normal score of each, rising.
    pub scores: Vec<f64>,
}

impl NormalScores {
    /// No value is further out than this, in standard deviations.
    pub const FURTHEST: f64 = 10.0;

    /// The value beyond the knots from which on a value is as far out as can be, on the side of `furthest`; none where a
    /// column was always the same.
    #[must_use]
    pub fn reaches(&self, furthest: f64) -> Option<f64> {
        let end = if furthest < 0.0 { 0 } else { self.values.len().checked_sub(1)? };
        let slope = self.slope(end)?;
        Some(self.values[end] + (furthest - self.scores[end]) / slope)
    }

    /// How steep it is from the middle to an end.
    fn slope(&self, end: usize) -> Option<f64> {
        let middle = self.scores.partition_point(|score| *score < 0.0).min(self.scores.len().checked_sub(1)?);
        let span = self.values[end] - self.values[middle];
        let slope = (self.scores[end] - self.scores[middle]) / span;
        Some(slope).filter(|slope| slope.is_finite() && 0.0 < *slope)
    }

    /// Learns a column's distribution.
    pub(super) fn fit(column: impl Iterator<Item = f64>) -> Self {
        let (counted, _) = counted(column);
        let present: usize = counted.iter().map(|(_, count)| count).sum();
        let mut learned = Self { values: Vec::new(), scores: Vec::new() };
        let (mut below, mut next_knot) = (0, 0);
        let last = counted.len().saturating_sub(1);
        for (at, (value, count)) in counted.into_iter().enumerate() {
            below += count;
            let due = present * next_knot <= below * (KNOTS - 1) || at == last;
            if due {
                let middle = (below as f64 - count as f64 / 2.0) / present as f64;
                learned.values.push(value);
                learned.scores.push(-std::f64::consts::SQRT_2 * erfc_inv(2.0 * middle));
                next_knot = below * (KNOTS - 1) / present + 1;
            }
        }
        learned
    }

    /// The normal score of a value.
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        let (Some(&first), Some(&last)) = (self.values.first(), self.values.last()) else { return 0.0 };
        if value.is_nan() {
            return 0.0;
        }
        if value < first {
            return self.beyond(value, 0).clamp(-Self::FURTHEST, Self::FURTHEST);
        }
        if last < value {
            return self.beyond(value, self.values.len() - 1).clamp(-Self::FURTHEST, Self::FURTHEST);
        }
        let after = self.values.partition_point(|knot| *knot < value);
        let Some(before) = after.checked_sub(1) else { return self.scores[0] };
        let span = self.values[after] - self.values[before];
        let share = (value - self.values[before]) / span;
        let share = if span.is_finite() { share } else { 0.5 };
        self.scores[before] + share * (self.scores[after] - self.scores[before])
    }

    fn beyond(&self, value: f64, end: usize) -> f64 {
        if let Some(slope) = self.slope(end) {
            return self.scores[end] + slope * (value - self.values[end]);
        }
        // A column that was always the same: any other value is as far out as can be.
        if value < self.values[end] { -Self::FURTHEST } else { Self::FURTHEST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
    }

    #[test]
    fn ranks_become_normal_quantiles() {
        let scores = NormalScores::fit((0..10_000).map(|rank| f64::from(rank).powi(3)));
        assert!(scores.values.len() <= KNOTS + 1);
        for (rank, expected) in [(5_000, 0.0), (8_413, 1.0), (227, -2.0), (9_772, 2.0)] {
            near(scores.apply(f64::from(rank).powi(3)), expected, 0.02);
        }
        near(scores.apply(f64::NAN), 0.0, 0.0);
        near(scores.apply(f64::MAX), NormalScores::FURTHEST, 0.0);
    }

    #[test]
    fn ties_have_their_middle_rank_and_nothing_learned_is_zero() {
        let scores = NormalScores::fit([0.0, 0.0, 0.0, 1.0].into_iter());
        near(scores.apply(0.0), -0.318_639_4, 1e-6);
        near(scores.apply(1.0), 1.150_349_4, 1e-6);
        near(NormalScores::fit([f64::NAN].into_iter()).apply(3.0), 0.0, 0.0);
        let constant = NormalScores::fit([7.0, 7.0].into_iter());
        near(constant.apply(7.0), 0.0, 1e-12);
        near(constant.apply(6.9), -NormalScores::FURTHEST, 0.0);
    }

    proptest! {
        #[test]
        fn normal_scores_never_fall(
            column in prop::collection::vec(prop_oneof![(-5_i32..5).prop_map(f64::from), -1e9_f64..1e9], 1..700),
            mut asked in prop::collection::vec(-2e9_f64..2e9, 1..50),
        ) {
            let scores = NormalScores::fit(column.iter().copied());
            asked.extend(&column);
            asked.sort_by(f64::total_cmp);
            let found: Vec<f64> = asked.iter().map(|value| scores.apply(*value)).collect();
            prop_assert!(found.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9), "{found:?}");
        }
    }
}
