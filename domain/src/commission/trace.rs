//! How a commission came about, step by step, in words that an affiliate can check by hand.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Credit, Plan, Sale};
use crate::{id::PlanId, money::Money};

/// One step of the computation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What was done, as a sentence.
    pub text: String,
    /// Where it leaves the amount.
    pub amount: Money,
}

impl Step {
    /// A step that leaves the amount at `amount`.
    #[must_use]
    pub fn new(text: String, amount: Money) -> Self {
        Self { text, amount }
    }

    pub(super) fn base(sale: &Sale<'_>) -> Self {
        Self::new(format!("The {} is worth {}.", sale.event, sale.amount), sale.amount)
    }

    pub(super) fn shared(credit: &Credit<'_>, amount: Money) -> Self {
        let share = crate::money::Rate { ppm: credit.share_ppm };
        Self::new(format!("{share} of the credit: {} The line is {amount}.", credit.because), amount)
    }
}

/// The whole computation of one line, kept with it for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    /// Version of this record's shape.
    pub format: u32,
    /// The plan that held.
    pub plan: PlanId,
    /// The plan's version.
    pub plan_version: u32,
    /// The commission model of the rule.
    pub model: String,
    /// What the computation started from.
    pub base: Money,
    /// Which part of the credit, in parts per million.
    pub share_ppm: u32,
    /// Each step, in order; the last one leaves `amount`.
    pub steps: Vec<Step>,
    /// The result.
    pub amount: Money,
}

impl Trace {
    pub(super) fn new(
        plan: &Plan,
        model: &str,
        base: Money,
        share_ppm: u32,
        steps: Vec<Step>,
        amount: Money,
    ) -> Self {
        let (plan, plan_version, model) = (plan.id, plan.version, model.to_owned());
        Self { format: 1, plan, plan_version, model, base, share_ppm, steps, amount }
    }

    /// The trace of a line that takes back part of this one.
    #[must_use]
    pub fn correction(&self, why: &str, amount: Money) -> Self {
        let steps = vec![
            Step::new(format!("The line it corrects was {}.", self.amount), self.amount),
            Step::new(format!("{why} {amount} is taken back."), amount),
        ];
        Self { steps, amount, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_format_one_still_reads() {
        let frozen = include_str!("trace-1.json");
        let trace: Trace = serde_json::from_str(frozen).unwrap();
        assert_eq!(
            serde_json::to_value(&trace).unwrap(),
            serde_json::from_str::<serde_json::Value>(frozen).unwrap()
        );
    }
}
