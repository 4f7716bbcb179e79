//! What an operator wants of rates that move: what a customer may cost, and how calmly rates move.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::money::Rate;

/// By which rule rates are set; an operator's, and the same for all partners of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name and version, told with every decision.
    pub version: String,
    /// Which part of a customer's value may be paid for the customer: CAC:LTV, a third for 1:3.
    pub target: Rate,
    /// Of the rate at which a partner's profit is greatest, which its elasticity tells, at most this part is paid: 100 %
    /// where money is not short; less where a budget binds, because what one partner is paid another is not.
    pub best_share: Rate,
    /// Rates are rounded down to multiples of this, so that people can read them; at least 0.0001 %.
    pub grain: Rate,
    /// A change smaller than this is not made.
    pub dead_band: Rate,
    /// A change back, within `calm_days` of the change before, is not made when smaller than this.
    pub reversal_band: Rate,
    /// How long after a change a change back needs the wider band.
    pub calm_days: u16,
    /// How far quality moves the rate: a partner of the best quality has so much more, of the worst so much less.
    pub quality_weight: Rate,
    /// What follows when a partner's customers leave.
    pub churn: Churn,
    /// What is left to chance, so that what other rates would have done can be learned.
    pub exploring: Exploring,
    /// Whether decisions take effect.
    pub mode: RateMode,
}

/// What follows when a partner's customers leave faster than those of the program (S107).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// From how many times the program's mean on, in parts per million: 2,000,000 for twice.
    pub from_ppm: u32,
    /// What is done besides telling a person.
    pub then: ChurnAction,
}

/// What is done about a partner whose customers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChurnAction {
    /// A person is told.
    Flag,
    /// The rate that would be paid is multiplied by this.
    Lower(Rate),
    /// A commission is final only when the customer has stayed so many days.
    Verify(u16),
}

/// How much is left to chance. What a partner's contract does not agree to is not explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exploring {
    /// How far to either side.
    pub width: Rate,
    /// How often: half of it upwards, half downwards.
    pub share: Rate,
}

impl Exploring {
    /// Nothing is left to chance.
    pub const NEVER: Self = Self { width: Rate { ppm: 0 }, share: Rate { ppm: 0 } };
}

crate::state::names! {
    /// Whether a decision takes effect.
    RateMode: "mode" {
        /// It is recorded and compared; nothing changes.
        Shadow = "shadow",
        /// It is paid by from its effective date on.
        Live = "live",
    }
}

/// A policy that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Decisions must name it.
    #[error("a policy needs a version, because every decision names it")]
    Nameless,
    /// A part of something that is more than the whole.
    #[error("{what} is {rate}, which is more than the whole; give at most 100%")]
    AboveWhole {
        /// What was set.
        what: &'static str,
        /// To what.
        rate: Rate,
    },
    /// Everything is a multiple of zero.
    #[error("rates cannot be rounded to multiples of zero; give a grain such as 0.1%")]
    NoGrain,
    /// Going back would be easier than going on.
    #[error("the band for a change back, {reversal}, is narrower than that for any change, {dead}; widen it")]
    Bands {
        /// For a change back.
        reversal: Rate,
        /// For any change.
        dead: Rate,
    },
    /// What is explored would be taken for nothing.
    #[error(
        "exploring by {width} never passes the dead band of {dead}; explore by at least that or not at all"
    )]
    TooNarrow {
        /// How far is explored.
        width: Rate,
        /// What is not worth a change.
        dead: Rate,
    },
    /// Usual churn is no alarm.
    #[error("churn alarms from {0} millionths of the program's mean on; give more than the mean, 1000000")]
    UsualChurn(u32),
    /// A customer has always stayed no days.
    #[error("a commission that is final after 0 days verifies nothing; give 1 to 365 days")]
    NoVerification,
}

impl Policy {
    /// Refuses a policy that cannot be meant.
    ///
    /// # Errors
    /// With a sentence that says what to change.
    pub fn check(&self) -> Result<(), PolicyError> {
        let parts = [
            ("the target of CAC:LTV", self.target),
            ("the share of the best rate", self.best_share),
            ("the grain", self.grain),
            ("the dead band", self.dead_band),
            ("the reversal band", self.reversal_band),
            ("the weight of quality", self.quality_weight),
            ("the width of exploration", self.exploring.width),
            ("the share of exploration", self.exploring.share),
        ];
        if let Some((what, rate)) = parts.into_iter().find(|(_, rate)| Rate::ONE < *rate) {
            return Err(PolicyError::AboveWhole { what, rate });
        }
        let (width, dead, reversal) = (self.exploring.width, self.dead_band, self.reversal_band);
        match self.churn.then {
            ChurnAction::Lower(rate) if Rate::ONE < rate => {
                return Err(PolicyError::AboveWhole { what: "what churn leaves of the rate", rate });
            }
            ChurnAction::Verify(0 | 366..) => return Err(PolicyError::NoVerification),
            _ => {}
        }
        match () {
            () if self.version.trim().is_empty() => Err(PolicyError::Nameless),
            () if self.grain.ppm == 0 => Err(PolicyError::NoGrain),
            () if reversal < dead => Err(PolicyError::Bands { reversal, dead }),
            () if 0 < width.ppm && width < dead => Err(PolicyError::TooNarrow { width, dead }),
            () if self.churn.from_ppm <= 1_000_000 => Err(PolicyError::UsualChurn(self.churn.from_ppm)),
            () => Ok(()),
        }
    }
}
