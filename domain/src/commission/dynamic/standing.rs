//! Where a partner stands before its next rate is decided: what its contract says, what it is paid, what was decided last.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RateDecision, RateMode};
use crate::money::{Money, Rate};

/// What a partner agreed to. No policy and no prediction passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// It is never paid less.
    pub floor: Rate,
    /// It is never paid more.
    pub cap: Rate,
    /// The rate moves at most so far in a period, unless the contract itself changed.
    pub step: Rate,
    /// The rate moves at most once in so many days.
    pub period_days: u16,
    /// The partner is told so many days before a rate changes.
    pub notice_days: u16,
    /// The rate may be moved by chance so far from where it would be; zero if the partner did not agree to that.
    pub exploring: Rate,
}

impl Contract {
    /// Refuses a contract that no rate can keep.
    ///
    /// # Errors
    /// With a sentence that says what to change.
    pub fn check(&self) -> Result<(), StandingError> {
        let Self { floor, cap, step, exploring, .. } = *self;
        let parts = [("a floor", floor), ("a cap", cap), ("a step", step), ("exploration", exploring)];
        if let Some((what, rate)) = parts.into_iter().find(|(_, rate)| Rate::ONE < *rate) {
            return Err(StandingError::AboveWhole { what, rate });
        }
        if cap < floor { Err(StandingError::FloorAboveCap { floor, cap }) } else { Ok(()) }
    }
}

/// Which way a rate moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It was raised.
    Up,
    /// It was lowered.
    Down,
}

/// A change that was decided and is not in effect yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The rate to come.
    pub rate: Rate,
    /// For how many days customers will have to stay before commissions are final; none if they need not.
    pub final_after_days: Option<u16>,
    /// From when on.
    pub effective_at: DateTime<Utc>,
}

/// A partner's contract, its rate, and how that rate came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What it agreed to.
    pub contract: Contract,
    /// What it is paid.
    pub rate: Rate,
    /// For how many days customers have to stay before commissions are final; none if they need not.
    pub final_after_days: Option<u16>,
    /// Since when, and which way the rate moved then; none while the first rate holds.
    pub changed: Option<(DateTime<Utc>, Direction)>,
    /// What was decided and is not in effect yet.
    pub pending: Option<Pending>,
    /// What of the campaign's budget this partner may still cost until the next decision; none if the campaign has none.
    /// Whoever decides for several partners of a campaign divides what is left by [`Money::split`].
    pub budget_left: Option<Money>,
}

/// A standing that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StandingError {
    /// No rate lies between them.
    #[error("the contract's floor of {floor} is above its cap of {cap}; exchange them")]
    FloorAboveCap {
        /// The least that is paid.
        floor: Rate,
        /// The most that is paid.
        cap: Rate,
    },
    /// More than the order.
    #[error("{what} of {rate} is more than the whole order; give at most 100%")]
    AboveWhole {
        /// What was set.
        what: &'static str,
        /// To what.
        rate: Rate,
    },
    /// A change from the future.
    #[error("the rate changed at {changed}, which is after {now}; give the time of the decision")]
    Future {
        /// When it is said to have changed.
        changed: DateTime<Utc>,
        /// When it is now.
        now: DateTime<Utc>,
    },
    /// A debt is no budget.
    #[error("the budget left is {0}; give zero when it is spent")]
    Overspent(Money),
}

impl Standing {
    /// A partner that is paid `rate` from the beginning, without a budget.
    #[must_use]
    pub fn new(contract: Contract, rate: Rate) -> Self {
        Self { contract, rate, final_after_days: None, changed: None, pending: None, budget_left: None }
    }

    /// The same partner at `now`: a change whose time has come is in effect.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        if let Some(due) = self.pending.take_if(|pending| pending.effective_at <= now) {
            if self.rate != due.rate {
                let direction = if self.rate < due.rate { Direction::Up } else { Direction::Down };
                self.changed = Some((due.effective_at, direction));
            }
            (self.rate, self.final_after_days) = (due.rate, due.final_after_days);
        }
        self
    }

    /// The same partner after a decision. What was decided in the shadow changes nothing.
    #[must_use]
    pub fn after(mut self, decision: &RateDecision) -> Self {
        if let (RateMode::Live, Some(effective_at)) = (decision.mode, decision.effective_at) {
            let RateDecision { next: rate, final_after_days, .. } = *decision;
            self.pending = Some(Pending { rate, final_after_days, effective_at });
        }
        self
    }

    /// When a change decided at `now` takes effect: after the notice, and a whole period after the change before.
    #[must_use]
    pub fn effective_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let noticed = now + TimeDelta::days(self.contract.notice_days.into());
        let period = TimeDelta::days(self.contract.period_days.into());
        self.changed.map_or(noticed, |(changed, _)| DateTime::max(noticed, changed + period))
    }

    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<(), StandingError> {
        self.contract.check()?;
        if Rate::ONE < self.rate {
            return Err(StandingError::AboveWhole { what: "a rate", rate: self.rate });
        }
        if let Some((changed, _)) = self.changed.filter(|(changed, _)| now < *changed) {
            return Err(StandingError::Future { changed, now });
        }
        self.budget_left
            .filter(|left| left.minor < 0)
            .map_or(Ok(()), |left| Err(StandingError::Overspent(left)))
    }
}
