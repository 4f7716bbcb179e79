//! Scores of any detector on one scale: how surprising it is, by the rows that were learned from, to see a score as
//! high.

/// How finely surprise is kept, in nats.
const TOLERANCE: f64 = 0.005;
/// The rows whose spread says how surprise goes on beyond the greatest score: those above this share of all.
const TAIL: f64 = 0.99;

/// Surprise as a function of a detector's score: −ln of the share of the learned rows that score at least as high
/// (their empirical p-value), linear between knots, and beyond the greatest score as steep as over the last hundredth of
/// the rows, as if their tail were exponential. It never falls.
#[derive(Debug, Clone, PartialEq)]
pub struct Surprise {
    /// Scores, rising.
    pub scores: Vec<f64>,
    /// The surprise at each, in nats, rising.
    pub nats: Vec<f64>,
    /// How much surprise rises by score beyond the last knot.
    pub slope: f64,
}

impl Surprise {
    /// Learns from the scores of the rows that a detector was fitted on. Scores that are not a number are left out.
    #[must_use]
    pub fn fit(scores: &[f64]) -> Self {
        let mut sorted: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let all = sorted.len() as f64;
        let mut learned = Self { scores: Vec::new(), nats: Vec::new(), slope: 0.0 };
        let (mut below, mut skipped) = (0, None);
        for same in sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
            let nats = libm::log((all + 1.0) / (all - below as f64 + 1.0));
            below += same.len();
            let kept = learned.nats.last().copied().unwrap_or(f64::NEG_INFINITY);
            if nats - kept <= TOLERANCE && below < sorted.len() {
                skipped = Some((same[0], nats));
                continue;
            }
            // A jump begins where the one before it ends.
            if let Some((score, nats)) = skipped.take() {
                learned.push(score, nats);
            }
            learned.push(same[0], nats);
        }
        learned.slope = learned.tail_slope(&sorted);
        learned
    }

    fn push(&mut self, score: f64, nats: f64) {
        self.scores.push(score);
        self.nats.push(nats);
    }

    fn tail_slope(&self, sorted: &[f64]) -> f64 {
        let Some(&greatest) = sorted.last() else { return 0.0 };
        let begins = sorted[(TAIL * (sorted.len() - 1) as f64) as usize];
        let begins = if begins < greatest { begins } else { sorted[0] };
        let rise = self.nats(greatest) - self.nats(begins);
        if begins < greatest { rise / (greatest - begins) } else { 0.0 }
    }

    /// The surprise of a score, in nats, from zero up; zero when nothing was learned from.
    #[must_use]
    pub fn nats(&self, score: f64) -> f64 {
        let after = self.scores.partition_point(|knot| *knot <= score);
        match (after.checked_sub(1), self.scores.get(after)) {
            (None, _) => 0.0,
            (Some(before), None) => self.nats[before] + self.slope * (score - self.scores[before]).max(0.0),
            (Some(before), Some(&next)) => {
                let share = (score - self.scores[before]) / (next - self.scores[before]);
                self.nats[before] + share * (self.nats[after] - self.nats[before])
            }
        }
    }

    /// The share of the learned rows that score lower, from zero to below one: a place in an order, no probability.
    #[must_use]
    pub fn rank(&self, score: f64) -> f64 {
        1.0 - libm::exp(-self.nats(score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rarer_a_score_as_high_the_greater_the_surprise() {
        let scores: Vec<f64> = (0..999).map(f64::from).collect();
        let learned = Surprise::fit(&scores);
        for (score, share) in [(0.0, 1.0), (500.0, 0.5), (900.0, 0.1), (990.0, 0.01), (998.0, 0.002)] {
            assert!((learned.nats(score) + f64::ln(share)).abs() < 0.011, "{score}: {}", learned.nats(score));
        }
        assert!(learned.scores.len() < 1_000);
        assert!(learned.nats(998.0) + 0.1 < learned.nats(1_100.0) && learned.rank(1e9) <= 1.0);
        assert!(learned.nats(-5.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_learned_surprises_by_nothing() {
        assert!(Surprise::fit(&[]).nats(3.0).abs() < 1e-12);
        let constant = Surprise::fit(&[2.0; 50]);
        assert!(constant.nats(2.0).abs() < 1e-12 && constant.nats(9.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn surprise_never_falls_and_is_as_exact_as_it_says(
            scores in prop::collection::vec((-4_i32..40).prop_map(|score| f64::from(score * score) / 7.0), 1..300),
        ) {
            let learned = Surprise::fit(&scores);
            let mut sorted = scores;
            sorted.sort_by(f64::total_cmp);
            let at: Vec<f64> = sorted.iter().map(|score| learned.nats(*score)).collect();
            prop_assert!(at.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
            for score in &sorted {
                let above = sorted.iter().filter(|other| *score <= **other).count() as f64;
                let exact = ((sorted.len() as f64 + 1.0) / (above + 1.0)).ln();
                prop_assert!((learned.nats(*score) - exact).abs() <= 2.0 * TOLERANCE);
            }
        }
    }
}
