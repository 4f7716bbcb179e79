//! A reward for the affiliate who brought the visitor and another for the one above it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CommissionModel, Earning, Sale, Step, TermsError, Upline};
use crate::money::{Money, Rate};

/// A flat amount or a part of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reward {
    /// The same amount each time.
    Amount(Money),
    /// A part of the order's amount.
    Rate(Rate),
}

impl Reward {
    fn of(self, sale: &Sale<'_>) -> (Money, String) {
        match self {
            Self::Amount(amount) => (amount, format!("a flat {amount}")),
            Self::Rate(rate) => (rate.of(sale.amount), format!("{rate} of {}", sale.amount)),
        }
    }

    fn check(self) -> Result<(), TermsError> {
        match self {
            Self::Amount(amount) if amount.minor < 0 => Err(TermsError::Negative(amount)),
            Self::Rate(rate) if Rate::ONE < rate => Err(TermsError::AboveWhole(rate)),
            _ => Ok(()),
        }
    }
}

/// Pays `first` to the affiliate and `second` to the one directly above it (S72, S79), both on top of
/// each other: the second tier does not lower the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TwoTier {
    /// For the affiliate who brought the visitor.
    pub first: Reward,
    /// For the affiliate directly above, if there is one and it may earn.
    pub second: Reward,
}

impl CommissionModel for TwoTier {
    const NAME: &'static str = "two_tier";
    const DOC: &'static str = "One reward for the affiliate and a second for the affiliate who recruited it.";

    fn earn(&self, sale: &Sale<'_>, upline: &[Upline]) -> Vec<Earning> {
        let (amount, words) = self.first.of(sale);
        let step = Step::new(format!("The first tier pays {words}: {amount}."), amount);
        let mut earnings = vec![Earning { level: 0, amount, steps: vec![step] }];
        // A suspended affiliate above earns nothing, and its reward goes to nobody else (S80).
        if upline.first().is_some_and(|above| above.earns) {
            let (amount, words) = self.second.of(sale);
            let words = format!("The second tier pays the recruiting affiliate {words}: {amount}.");
            earnings.push(Earning { level: 1, amount, steps: vec![Step::new(words, amount)] });
        }
        earnings
    }

    fn check(&self) -> Result<(), TermsError> {
        self.first.check().and_then(|()| self.second.check())
    }
}
