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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::{
        Money,
        commission::dynamic::{Direction, Evidence, Exploring},
    };

    use super::*;
    use crate::{
        partner::Posterior,
        policy::simulation::{contract, policy},
    };

    /// A partner whose customers are worth so many cents on orders of 100.00.
    fn known(value: i64) -> Known {
        let money = |minor: i64| Money::new(minor, "EUR".parse().unwrap());
        let evidence = Evidence {
            model_version: "test".to_owned(),
            value: money(value),
            value_lower: money(value),
            base: money(10_000),
            conversions: 10.0,
            churn_ratio: 1.0,
            fraud_risk: 0.0,
            quality: 0.5,
            elasticity: None,
        };
        Known {
            evidence,
            worth: Posterior { log_mean: 0.0, log_sd: 0.0 },
            elasticity: 1.0,
            level: 10.0,
            base: 100.0,
        }
    }

    fn desk(partners: usize) -> Desk {
        let standing = Standing::new(contract(), Rate { ppm: 100_000 });
        let policy = Policy { exploring: Exploring::NEVER, ..policy() };
        Desk { policy, standings: vec![standing; partners], usual: 0.1 }
    }

    #[test]
    fn a_change_that_was_due_is_in_effect_before_the_next_is_taken_up() {
        let mut desk = desk(1);
        let day = |days: i64| DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let mut decide = |value: i64, days: i64| {
            let decisions = desk.decide(&[known(value)], None, &[0], day(days)).unwrap();
            desk.follow(&decisions);
            desk.rates(day(days + 14))[0].to_string()
        };
        assert_eq!((decide(1_300, 0), decide(1_100, 30)), ("13%".to_owned(), "11%".to_owned()));
        // It fell from 13 %, and did not rise from 10 %.
        let standing = desk.standings[0].clone().at(day(60));
        assert_eq!(standing.changed, Some((day(44), Direction::Down)));
    }

    #[test]
    fn a_budget_for_all_is_kept_by_paying_a_part_of_the_best_rates() {
        let mut desk = desk(2);
        desk.policy.target = Rate::ONE;
        let elastic = |value: i64| {
            let mut known = known(value);
            known.evidence.elasticity = Some(1.0);
            known
        };
        let (known, now) = ([elastic(2_400), elastic(2_600)], DateTime::UNIX_EPOCH);
        let cost = |budget: Option<f64>| {
            let decisions = desk.decide(&known, budget, &[0, 0], now).unwrap();
            desk.cost(&known, decisions.iter().map(|one| one.next))
        };
        let (free, held) = (cost(None), cost(Some(200.0)));
        assert!(200.0 < free && held <= 200.0 && 150.0 < held, "{free} {held}");
    }
}
