//! All that a backtest says: what was paid, what tiers and the policy would have paid, and what that would have come to.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use domain::Rate;

use super::{Asked, input::HistoryFile};
use crate::{
    jobs::policy::{rule::Rule, shown::Reasons},
    policy::{
        backtest::{Outcome, Plan, Replay, Row, outcome},
        fraction,
        response::Elasticity,
        tiers::Tiers,
    },
};

/// What rates come to, and what they are compared with.
pub(super) struct Compared {
    pub(super) name: &'static str,
    /// The rate of each row that counts.
    pub(super) rates: Vec<Option<Rate>>,
    /// With the response as it was fitted.
    pub(super) outcome: Outcome,
    /// With a response two standard deviations weaker, and stronger.
    pub(super) weaker: Outcome,
    pub(super) stronger: Outcome,
}

/// All that is said.
pub(super) struct Said {
    pub(super) file: HistoryFile,
    pub(super) rule: Rule,
    pub(super) plan: Plan,
    pub(super) replayed: Replay,
    pub(super) tiers: Tiers,
    pub(super) responses: Vec<Elasticity>,
    /// What was paid, tiers, and the policy.
    pub(super) compared: Vec<Compared>,
    /// How many decided rows have no value, so that they count nothing.
    pub(super) unknown: usize,
    /// What the log says, or why it says nothing.
    pub(super) asked: Result<Asked, String>,
}

impl Said {
    pub(super) fn new(
        file: HistoryFile,
        rule: Rule,
        plan: Plan,
        replayed: Replay,
        (tiers, responses): (Tiers, Vec<Elasticity>),
    ) -> Result<Self> {
        let is_decided = |row: &&Row| plan.from <= row.period;
        let unknown = file.history.rows.iter().filter(is_decided).filter(|row| row.value.is_none()).count();
        let mut said = Self {
            file,
            rule,
            plan,
            replayed,
            tiers,
            responses,
            compared: Vec::new(),
            unknown,
            asked: Err("it was not asked".to_owned()),
        };
        let decided: BTreeMap<(usize, usize), Rate> =
            said.replayed.decided.iter().map(|one| ((one.partner, one.period), one.rate)).collect();
        let of = |row: &Row, rate: &dyn Fn(&Row) -> Rate| {
            let counts = said.plan.from <= row.period && row.value.is_some();
            // What was too early to be decided is as it was, whoever decides.
            let is_early = !decided.contains_key(&(row.partner, row.period));
            counts.then(|| if is_early { row.rate } else { rate(row) })
        };
        let rates = |rate: &dyn Fn(&Row) -> Rate| -> Vec<Option<Rate>> {
            said.file.history.rows.iter().map(|row| of(row, rate)).collect()
        };
        let compared = vec![
            said.compare("paid", rates(&|row| row.rate)),
            said.compare("tiers", rates(&|row| said.tier(row.partner, row.period))),
            said.compare("policy", rates(&|row| decided[&(row.partner, row.period)])),
        ];
        ensure!(
            0.0 < compared[0].outcome.spend,
            "{} tells no value of periods that are decided and in which something was paid; decide from an earlier period on, or \
             give later values",
            said.file.source
        );
        said.compared = compared;
        Ok(said)
    }

    fn compare(&self, name: &'static str, rates: Vec<Option<Rate>>) -> Compared {
        let history = &self.file.history;
        let at = |sds: f64| {
            outcome(history, &rates, |row| {
                let Elasticity { mean, sd } = self.responses[history.sources[row.partner]];
                f64::max(mean + sds * sd, 0.0)
            })
        };
        let (outcome, weaker, stronger) = (at(0.0), at(-2.0), at(2.0));
        Compared { name, rates, outcome, weaker, stronger }
    }

    /// What tiers pay in a period: by the conversions of the one before.
    pub(super) fn tier(&self, partner: usize, period: usize) -> Rate {
        let before = period.checked_sub(1).and_then(|before| self.file.history.row(partner, before));
        self.tiers.rate(before.map_or(0.0, |row| row.conversions))
    }

    /// What was paid.
    pub(super) fn paid(&self) -> &Compared {
        &self.compared[0]
    }

    /// What the policy would have paid.
    pub(super) fn policy(&self) -> &Compared {
        &self.compared[2]
    }

    /// Each partner that counts, with what it was paid and what the policy would have paid it: the names are in order.
    pub(super) fn partners(&self) -> Vec<(usize, f64, f64)> {
        let both = self.paid().outcome.partners.iter().zip(&self.policy().outcome.partners).enumerate();
        both.filter(|(_, (paid, policy))| 0.0 < paid.1 || 0.0 < policy.1)
            .map(|(partner, (paid, policy))| (partner, paid.1, policy.1))
            .collect()
    }

    /// The rates of a period that count, lowest first.
    pub(super) fn rates_of(&self, compared: &Compared, period: usize) -> Vec<f64> {
        let rows = self.file.history.rows.iter().zip(&compared.rates);
        let of_period = rows.filter(|(row, _)| row.period == period);
        let mut rates: Vec<f64> = of_period.filter_map(|(_, rate)| rate.map(fraction)).collect();
        rates.sort_by(f64::total_cmp);
        rates
    }

    pub(super) fn reasons(&self) -> Reasons {
        Reasons::of(self.replayed.decided.iter().map(|one| &one.decision))
    }
}
