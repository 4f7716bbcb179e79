//! What was decided about a partner's rate, and why: reasons that sum to the change.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Dynamic, RateMode};
use crate::{money::Rate, state::names};

names! {
    /// Why a rate changed, or changed less than it would have.
    RateReason: "reason" {
        /// What its customers are expected to be worth.
        Value = "value",
        /// How sure that is: the rate goes by the lower bound.
        Uncertainty = "uncertainty",
        /// Conversions that are probably fraudulent are worth nothing.
        FraudRisk = "fraud_risk",
        /// How good its content is.
        Quality = "quality",
        /// A higher rate would bring too few more conversions to pay for itself.
        Elasticity = "elasticity",
        /// Its customers leave.
        Churn = "churn",
        /// Rates are rounded down to what people can read.
        Rounding = "rounding",
        /// The contract's longest step in a period.
        Step = "step",
        /// The contract's floor.
        Floor = "floor",
        /// The contract's cap.
        Cap = "cap",
        /// What is left of the campaign's budget.
        Budget = "budget",
        /// A change too small, or back too soon.
        Hysteresis = "hysteresis",
        /// Chance, within what was agreed.
        Exploration = "exploration",
        /// A change is pending already, and the partner has been told of it.
        Notice = "notice",
    }
}

impl RateReason {
    /// The reason as a partner reads it, in the middle of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Value => "what customers are worth",
            Self::Uncertainty => "how sure that is",
            Self::FraudRisk => "risk of fraud",
            Self::Quality => "quality",
            Self::Elasticity => "what a higher rate would bring",
            Self::Churn => "customers who leave",
            Self::Rounding => "rounding",
            Self::Step => "the longest step of the contract",
            Self::Floor => "the floor of the contract",
            Self::Cap => "the cap of the contract",
            Self::Budget => "the budget of the campaign",
            Self::Hysteresis => "changes too small to make",
            Self::Exploration => "a trial",
            Self::Notice => "a change that is announced already",
        }
    }
}

names! {
    /// What a person should look at.
    RateFlag: "flag" {
        /// Customers leave much faster than those of the program.
        Churn = "churn",
        /// Even the lowest rate that the contract admits would cost more than is left of the budget.
        Budget = "budget",
        /// The rate was outside what the contract now says.
        Contract = "contract",
    }
}

/// What one reason did to the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RatePart {
    /// Which reason.
    pub reason: RateReason,
    /// By how many parts per million it moved the rate.
    pub ppm: i64,
}

/// A rate that chance could have chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateChoice {
    /// Which rate.
    pub rate: Rate,
    /// How probable it was, in parts per million.
    pub propensity_ppm: u32,
}

/// One decision about one partner's rate, kept for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RateDecision {
    /// Version of this record's shape.
    pub format: u32,
    /// The rate that would hold without this decision.
    pub previous: Rate,
    /// The rate that was decided.
    pub next: Rate,
    /// Why, in the order in which the rate was computed; the parts sum exactly to the change.
    pub parts: Vec<RatePart>,
    /// What a person should look at.
    pub flags: Vec<RateFlag>,
    /// Commissions are final only when the customer has stayed so many days; none if they are final when approved.
    pub final_after_days: Option<u16>,
    /// By which policy.
    pub policy_version: String,
    /// By the predictions of which model.
    pub model_version: String,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
    /// From when on it holds; none if neither the rate nor when commissions are final changes.
    pub effective_at: Option<DateTime<Utc>>,
    /// Whether it takes effect.
    pub mode: RateMode,
    /// The rates among which chance chose, lowest first; their probabilities sum to 1,000,000. One rate where nothing was left
    /// to chance. Who judges other policies by what came of this decision needs all of them.
    pub choices: Vec<RateChoice>,
}

impl RateDecision {
    /// By how many parts per million the rate changes.
    #[must_use]
    pub fn change_ppm(&self) -> i64 {
        i64::from(self.next.ppm) - i64::from(self.previous.ppm)
    }

    /// How probable the rate was that was chosen, in parts per million: its propensity.
    #[must_use]
    pub fn propensity_ppm(&self) -> u32 {
        let chosen = self.choices.iter().find(|choice| choice.rate == self.next);
        chosen.map_or(Rate::ONE.ppm, |choice| choice.propensity_ppm)
    }

    /// What the partner is told: the change and its reasons, largest first.
    #[must_use]
    pub fn words(&self) -> String {
        let mut parts = self.parts.clone();
        parts.sort_by_key(|part| std::cmp::Reverse(part.ppm.unsigned_abs()));
        let said: Vec<_> =
            parts.iter().map(|part| format!("{} for {}", points(part.ppm), part.reason.words())).collect();
        let change = match self.change_ppm() {
            0 => format!("The rate stays {}", self.next),
            _ => format!("The rate goes from {} to {}", self.previous, self.next),
        };
        if said.is_empty() { format!("{change}.") } else { format!("{change}: {}.", said.join(", ")) }
    }

    /// The terms that a plan takes up from the effective date on; none if nothing changes or the decision is a shadow.
    #[must_use]
    pub fn terms(&self) -> Option<Dynamic> {
        let is_real = self.mode == RateMode::Live && self.effective_at.is_some();
        is_real.then(|| Dynamic { rate: self.next, decision: Some(self.clone()) })
    }
}

/// Percentage points with their sign.
fn points(ppm: i64) -> String {
    let size = Rate { ppm: u32::try_from(ppm.unsigned_abs()).unwrap_or(u32::MAX) }.to_string();
    format!("{}{} points", if ppm < 0 { "−" } else { "+" }, size.trim_end_matches('%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_of_format_one_still_reads() {
        let frozen = include_str!("decision-1.json");
        let decision: RateDecision = serde_json::from_str(frozen).unwrap();
        let value: serde_json::Value = serde_json::from_str(frozen).unwrap();
        assert_eq!(serde_json::to_value(&decision).unwrap(), value);
    }
}
