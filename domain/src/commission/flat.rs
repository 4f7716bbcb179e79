//! The same amount for each conversion, whatever was bought.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CommissionModel, Earning, Sale, Step, TermsError, Upline};
use crate::money::Money;

/// Pays `amount` for each conversion (S63: $25 for a sign-up, $50 for a lead, $100 for a sale).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Flat {
    /// What one conversion pays.
    pub amount: Money,
}

impl CommissionModel for Flat {
    const NAME: &'static str = "flat";
    const DOC: &'static str = "The same amount for each conversion, whatever was bought.";

    fn earn(&self, sale: &Sale<'_>, _: &[Upline]) -> Vec<Earning> {
        let words = format!("Each {} pays a flat {}.", sale.event, self.amount);
        vec![Earning { level: 0, amount: self.amount, steps: vec![Step::new(words, self.amount)] }]
    }

    fn check(&self) -> Result<(), TermsError> {
        if self.amount.minor < 0 { Err(TermsError::Negative(self.amount)) } else { Ok(()) }
    }
}
