//! A part of the order's amount.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CommissionModel, Earning, Sale, Step, TermsError, Upline};
use crate::money::Rate;

/// Pays `rate` of the order's amount (S64: 10 to 30 %), rounded to the nearest minor unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Percentage {
    /// Which part of the amount.
    pub rate: Rate,
}

impl CommissionModel for Percentage {
    const NAME: &'static str = "percentage";
    const DOC: &'static str = "A percentage of the order's amount, rounded to the nearest minor unit.";

    fn earn(&self, sale: &Sale<'_>, _: &[Upline]) -> Vec<Earning> {
        let amount = self.rate.of(sale.amount);
        let words = format!("{} of {} is {amount}.", self.rate, sale.amount);
        vec![Earning { level: 0, amount, steps: vec![Step::new(words, amount)] }]
    }

    fn check(&self) -> Result<(), TermsError> {
        if Rate::ONE < self.rate { Err(TermsError::AboveWhole(self.rate)) } else { Ok(()) }
    }
}
