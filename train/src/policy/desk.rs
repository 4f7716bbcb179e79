//! The desk that decides all partners' rates, one period after another, within what they may cost together.

use chrono::{DateTime, Utc};
use domain::{
    Rate,
    commission::dynamic::{Policy, RateDecision, RateError, Standing},
};

use super::{evidence::Known, fraction};

/// A policy, and where every partner stands.
#[derive(Clone, Debug)]
pub struct Desk {
    /// By which rule it decides.
    pub policy: Policy,
    /// Where every partner stands.
    pub standings: Vec<Standing>,
    /// The rate that is usual in the program, as a fraction.
    pub usual: f64,
}

impl Desk {
    /// Everybody's decision at `now`, of which chance throws `draws`. Where a budget is given, the policy pays as large a part
    /// of each partner's best rate as lets all together cost no more than that, as far as contracts admit.
    ///
    /// # Errors
    /// When somebody's rate cannot be decided.
    pub fn decide(
        &self,
        known: &[Known],
        budget: Option<f64>,
        draws: &[u32],
        now: DateTime<Utc>,
    ) -> Result<Vec<RateDecision>, RateError> {
        let decide = |part: f64| -> Result<Vec<RateDecision>, RateError> {
            let best_share = Rate { ppm: libm::floor(f64::from(self.policy.best_share.ppm) * part) as u32 };
            let policy = Policy { best_share, ..self.policy.clone() };
            let both = self.standings.iter().zip(known).zip(draws);
            both.map(|((standing, known), draw)| policy.decide(standing, &known.evidence, *draw, now))
                .collect()
        };
        let Some(budget) = budget else { return decide(1.0) };
        decide(largest_within(budget, |part| {
            decide(part).map_or(f64::INFINITY, |all| self.cost(known, all.iter().map(|one| one.next)))
        }))
    }

    /// What a period at these rates is expected to cost.
    #[must_use]
    pub fn cost(&self, known: &[Known], rates: impl Iterator<Item = Rate>) -> f64 {
        known.iter().zip(rates).map(|(known, rate)| known.cost(fraction(rate), self.usual)).sum()
    }

    /// Takes the decisions up, after what was due when they were made.
    pub fn follow(&mut self, decisions: &[RateDecision]) {
        for (standing, decision) in self.standings.iter_mut().zip(decisions) {
            *standing = standing.clone().at(decision.decided_at).after(decision);
        }
    }

    /// Everybody's rate at a moment, if nothing more is decided until then.
    #[must_use]
    pub fn rates(&self, at: DateTime<Utc>) -> Vec<Rate> {
        self.standings.iter().map(|standing| standing.clone().at(at).rate).collect()
    }
}

/// The largest part, up to one, whose cost is within the budget.
pub(super) fn largest_within(budget: f64, cost: impl Fn(f64) -> f64) -> f64 {
    if cost(1.0) <= budget {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..16 {
        let middle = f64::midpoint(low, high);
        if cost(middle) <= budget {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
