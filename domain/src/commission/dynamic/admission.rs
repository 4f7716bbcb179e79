//! Whether a decision may be taken up: it adds up, is about the present rate, and keeps the contract.

use chrono::{DateTime, TimeDelta, Utc};

use super::{RateDecision, RateMode, Standing};
use crate::money::Rate;

/// How much later than the contract admits a change may take effect.
const LATEST: TimeDelta = TimeDelta::days(366);
/// The longest name of a policy or a model.
const NAME_LENGTH: usize = 200;

/// Why a decision is not taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another release's record.
    #[error("format {0} is not known here; this release reads format 1")]
    Format(u32),
    /// Decisions name by what they were made.
    #[error("{0} must have 1 to 200 characters, because every decision names it")]
    Nameless(&'static str),
    /// Reasons that do not explain the change.
    #[error("the parts sum to {parts} millionths and the rate changes by {change}; give every reason")]
    Parts {
        /// What the reasons sum to; none if that is beyond all counting.
        parts: i64,
        /// By how much the rate changes.
        change: i64,
    },
    /// Propensities that cannot be.
    #[error(
        "the choices must be different rates, lowest first, the next one among them, with propensities that sum to 1000000"
    )]
    Choices,
    /// More than the order.
    #[error("a rate of {0} is more than the whole order")]
    AboveWhole(Rate),
    /// A customer has always stayed no days.
    #[error("a commission can be final after 1 to 365 days, and not after {0}")]
    Stay(u16),
    /// Decided at a time that has not come, or that no calendar of ours has.
    #[error(
        "it was decided at {decided_at}, and now it is {now}; decisions are taken up after they were made"
    )]
    NotYet {
        /// When it was decided.
        decided_at: DateTime<Utc>,
        /// When it is now.
        now: DateTime<Utc>,
    },
    /// About a rate that is not in force.
    #[error("it was decided for a rate of {previous}, and the rate is {rate}; decide again")]
    Stale {
        /// What the decision took for the rate.
        previous: Rate,
        /// What it is, or is announced to be.
        rate: Rate,
    },
    /// A partner is told of one change at a time.
    #[error("a change is announced for {0} already; decide again after that")]
    Announced(DateTime<Utc>),
    /// Less than was agreed.
    #[error("a rate of {next} is below the contract's floor of {floor}")]
    Floor {
        /// What was decided.
        next: Rate,
        /// The least.
        floor: Rate,
    },
    /// More than was agreed.
    #[error("a rate of {next} is above the contract's cap of {cap}")]
    Cap {
        /// What was decided.
        next: Rate,
        /// The most.
        cap: Rate,
    },
    /// Further than was agreed.
    #[error("from {previous} to {next} is more than the contract's step of {step}")]
    Step {
        /// What is paid.
        previous: Rate,
        /// What was decided.
        next: Rate,
        /// How far the rate may move.
        step: Rate,
    },
    /// More was left to chance than was agreed.
    #[error("the choices lie {width} apart; the contract agrees to {exploring} to either side")]
    Exploring {
        /// From the lowest to the highest.
        width: Rate,
        /// What was agreed.
        exploring: Rate,
    },
    /// A change without a date, or a date without a change.
    #[error("a change, and nothing else, has a date from which on it holds")]
    Date,
    /// Too early for notice or period, or later than anybody would mean.
    #[error(
        "it would hold from {effective_at}; notice and period of the contract admit {least} or up to a year later"
    )]
    OutOfTime {
        /// When it would take effect.
        effective_at: DateTime<Utc>,
        /// The earliest moment for it.
        least: DateTime<Utc>,
    },
    /// The partner would hear of it too late.
    #[error("told on {told}, a change on {on} does not keep {notice_days} days of notice; decide again")]
    Notice {
        /// The day on which the partner is told.
        told: chrono::NaiveDate,
        /// The day from which on it holds.
        on: chrono::NaiveDate,
        /// How many days there must be between them.
        notice_days: u16,
    },
}

impl Refusal {
    /// The field of the decision that it is about.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Format(_) => "format",
            Self::Nameless(field) => field,
            Self::Parts { .. } => "parts",
            Self::Choices | Self::Exploring { .. } => "choices",
            Self::Stay(_) => "final_after_days",
            Self::NotYet { .. } => "decided_at",
            Self::Stale { .. } => "previous",
            Self::AboveWhole(_)
            | Self::Announced(_)
            | Self::Floor { .. }
            | Self::Cap { .. }
            | Self::Step { .. } => "next",
            Self::Date | Self::OutOfTime { .. } | Self::Notice { .. } => "effective_at",
        }
    }
}

impl Standing {
    /// Admits what [`super::Policy::decide`] may have decided about this standing, by whatever policy, and nothing else. The
    /// partner is told `now`, which counts for what is live: notice is counted in days of the calendar (UTC), so that it
    /// does not matter at which hour of the day a decision is taken up.
    ///
    /// # Errors
    /// With what is wrong, and how to mend it.
    pub fn admit(&self, decision: &RateDecision, now: DateTime<Utc>) -> Result<(), Refusal> {
        decision.adds_up()?;
        let RateDecision { decided_at, previous, .. } = *decision;
        if now < decided_at || decided_at.timestamp() < 0 {
            return Err(Refusal::NotYet { decided_at, now });
        }
        let standing = self.clone().at(now);
        let rate = standing.pending.map_or(standing.rate, |pending| pending.rate);
        if previous != rate {
            return Err(Refusal::Stale { previous, rate });
        }
        let held = standing.pending.map_or(standing.final_after_days, |pending| pending.final_after_days);
        let changes = (previous, held) != (decision.next, decision.final_after_days);
        match standing.pending {
            Some(pending) if changes => return Err(Refusal::Announced(pending.effective_at)),
            Some(_) => {}
            None => standing.keeps_bounds(decision)?,
        }
        match decision.effective_at {
            Some(effective_at) if changes => standing.keeps_time(decision, effective_at, now),
            None if !changes => Ok(()),
            _ => Err(Refusal::Date),
        }
    }

    /// What was decided in a shadow, as a live decision of `now`: the same change for the same reasons, from when the shadow said
    /// or, where notice and period admit that no more, from the earliest moment that they do.
    ///
    /// # Errors
    /// With what is wrong about it by now, as [`Standing::admit`] says it.
    pub fn taken_up(&self, shadow: &RateDecision, now: DateTime<Utc>) -> Result<RateDecision, Refusal> {
        let least = self.clone().at(now).effective_at(now);
        let effective_at = shadow.effective_at.map(|said| DateTime::max(said, least));
        let live = RateDecision { decided_at: now, effective_at, mode: RateMode::Live, ..shadow.clone() };
        self.admit(&live, now)?;
        Ok(live)
    }

    fn keeps_bounds(&self, decision: &RateDecision) -> Result<(), Refusal> {
        let super::Contract { floor, cap, step, exploring, .. } = self.contract;
        let RateDecision { previous, next, ref choices, .. } = *decision;
        let low = Rate { ppm: previous.ppm.saturating_sub(step.ppm) }.clamp(floor, cap);
        let high = Rate { ppm: previous.ppm.saturating_add(step.ppm) }.clamp(floor, cap);
        for tried in choices.iter().map(|choice| choice.rate) {
            match () {
                () if tried < floor => return Err(Refusal::Floor { next: tried, floor }),
                () if cap < tried => return Err(Refusal::Cap { next: tried, cap }),
                () if tried < low || high < tried => {
                    return Err(Refusal::Step { previous, next: tried, step });
                }
                () => {}
            }
        }
        debug_assert!(low <= next && next <= high, "the next rate is one of the choices");
        let lowest = choices.iter().map(|choice| choice.rate).min().unwrap_or(next);
        let highest = choices.iter().map(|choice| choice.rate).max().unwrap_or(next);
        let width = Rate { ppm: highest.ppm - lowest.ppm };
        if exploring.ppm.saturating_mul(2) < width.ppm {
            return Err(Refusal::Exploring { width, exploring });
        }
        Ok(())
    }

    fn keeps_time(
        &self,
        decision: &RateDecision,
        effective_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let least = self.effective_at(decision.decided_at);
        if effective_at < least || least + LATEST < effective_at {
            return Err(Refusal::OutOfTime { effective_at, least });
        }
        let (told, on, notice_days) =
            (now.date_naive(), effective_at.date_naive(), self.contract.notice_days);
        let is_told_late = (on - told).num_days() < notice_days.into() || effective_at < now;
        if decision.mode == RateMode::Live && is_told_late {
            return Err(Refusal::Notice { told, on, notice_days });
        }
        Ok(())
    }
}

impl RateDecision {
    /// Refuses a record that no policy can have written.
    fn adds_up(&self) -> Result<(), Refusal> {
        let parts = self.parts.iter().fold(0_i64, |sum, part| sum.saturating_add(part.ppm));
        let change = self.change_ppm();
        let is_named = |name: &str| !name.trim().is_empty() && name.chars().count() <= NAME_LENGTH;
        match () {
            () if self.format != 1 => Err(Refusal::Format(self.format)),
            () if !is_named(&self.policy_version) => Err(Refusal::Nameless("policy_version")),
            () if !is_named(&self.model_version) => Err(Refusal::Nameless("model_version")),
            () if Rate::ONE < self.next => Err(Refusal::AboveWhole(self.next)),
            () if parts != change => Err(Refusal::Parts { parts, change }),
            () if !self.is_one_of_its_choices() => Err(Refusal::Choices),
            () => match self.final_after_days {
                Some(days @ (0 | 366..)) => Err(Refusal::Stay(days)),
                _ => Ok(()),
            },
        }
    }

    fn is_one_of_its_choices(&self) -> bool {
        let sum: u64 = self.choices.iter().map(|choice| u64::from(choice.propensity_ppm)).sum();
        let ascend = self.choices.is_sorted_by(|lower, higher| lower.rate < higher.rate);
        let is_possible = |choice: &super::RateChoice| choice.rate == self.next && 0 < choice.propensity_ppm;
        sum == u64::from(Rate::ONE.ppm) && ascend && self.choices.iter().any(is_possible)
    }
}
