//! A rate that follows what a partner's customers are worth.
//!
//! [`Policy::decide`] says the next rate, with reasons that sum to the change. [`RateDecision::terms`] are the terms of the plan's
//! next version: an override for the partner, effective from the decision's date on, so that each conversion is paid the
//! rate of its own time and each commission can say why the rate was what it was.

mod admission;
mod decide;
mod decision;
mod evidence;
mod policy;
mod standing;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use admission::Refusal;
pub use decide::RateError;
pub use decision::{RateChoice, RateDecision, RateFlag, RatePart, RateReason};
pub use evidence::{Evidence, EvidenceError};
pub use policy::{Churn, ChurnAction, Exploring, Policy, PolicyError, RateMode};
pub use standing::{Contract, Direction, Pending, Standing, StandingError};

use super::{CommissionModel, Earning, Sale, Step, TermsError, Upline};
use crate::money::Rate;

/// Pays `rate` of the order's amount (S105), and says by which decision the rate came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dynamic {
    /// Which part of the amount.
    pub rate: Rate,
    /// How it was decided; none for the first rate, which people agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<RateDecision>,
}

impl CommissionModel for Dynamic {
    const NAME: &'static str = "dynamic";
    const DOC: &'static str = "A percentage of the order's amount that follows, inside the contract's bounds and with notice, what the partner's customers are worth.";

    fn earn(&self, sale: &Sale<'_>, _: &[Upline]) -> Vec<Earning> {
        let amount = self.rate.of(sale.amount);
        let why = self.decision.iter().map(|decision| Step::new(why(decision), sale.amount));
        let words = format!("{} of {} is {amount}.", self.rate, sale.amount);
        vec![Earning { level: 0, amount, steps: why.chain([Step::new(words, amount)]).collect() }]
    }

    fn check(&self) -> Result<(), TermsError> {
        if Rate::ONE < self.rate {
            return Err(TermsError::AboveWhole(self.rate));
        }
        let Some(decision) = &self.decision else { return Ok(()) };
        let parts = decision.parts.iter().try_fold(0_i64, |sum, part| sum.checked_add(part.ppm));
        let is_told = decision.next == self.rate && parts == Some(decision.change_ppm());
        let takes_effect = decision.terms().is_some();
        if is_told && takes_effect { Ok(()) } else { Err(TermsError::NotDecided(self.rate)) }
    }
}

fn why(decision: &RateDecision) -> String {
    let RateDecision { policy_version, model_version, decided_at, final_after_days, .. } = decision;
    let day = decided_at.format("%F");
    let stays =
        final_after_days.map(|days| format!(" It is final when the customer has stayed {days} days."));
    let stays = stays.unwrap_or_default();
    format!(
        "{} Policy {policy_version} decided it on {day} with model {model_version}.{stays}",
        decision.words()
    )
}
