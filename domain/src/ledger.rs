//! Double entry: every movement of money is a transaction whose postings sum to zero in each currency.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    id::{AdvertiserId, AffiliateId},
    money::{Currency, Money},
    state::names,
};

names! {
    /// What kind of account it is; with its owner and currency it names one account.
    AccountKind: "account kind" {
        /// An advertiser's cost of commissions (its debits are what partners have earned).
        CommissionExpense = "commission_expense",
        /// What an affiliate has earned on conversions that are not approved yet.
        CommissionAccrued = "commission_accrued",
        /// What an affiliate has earned for good and is to be paid.
        CommissionPayable = "commission_payable",
    }
}

names! {
    /// What kind of movement a transaction is.
    TransactionKind: "transaction kind" {
        /// A conversion was credited: expense to accrued.
        Accrue = "accrue",
        /// A conversion was approved: accrued to payable.
        Approve = "approve",
        /// A conversion was rejected, changed or reversed: back to expense.
        Correct = "correct",
    }
}

/// One account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// What it holds.
    pub kind: AccountKind,
    /// The advertiser or affiliate whose it is.
    pub owner: Uuid,
}

impl Account {
    /// The account that carries an advertiser's cost.
    #[must_use]
    pub fn expense(advertiser: AdvertiserId) -> Self {
        Self { kind: AccountKind::CommissionExpense, owner: advertiser.uuid() }
    }

    /// What an affiliate has earned and waits for approval.
    #[must_use]
    pub fn accrued(affiliate: AffiliateId) -> Self {
        Self { kind: AccountKind::CommissionAccrued, owner: affiliate.uuid() }
    }

    /// What an affiliate is to be paid.
    #[must_use]
    pub fn payable(affiliate: AffiliateId) -> Self {
        Self { kind: AccountKind::CommissionPayable, owner: affiliate.uuid() }
    }
}

/// One side of a movement: debits are positive, credits negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Which account.
    pub account: Account,
    /// By how much.
    pub amount: Money,
}

/// Postings that belong together and sum to zero in every currency; it cannot be built otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    kind: TransactionKind,
    postings: Vec<Posting>,
}

/// Postings that do not balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("postings in {currency} sum to {off_by} minor units instead of zero")]
pub struct Unbalanced {
    /// In which currency.
    pub currency: Currency,
    /// By how many minor units.
    pub off_by: i128,
}

impl Movement {
    /// Checks that the postings balance and leaves out those of zero.
    ///
    /// # Errors
    /// When they do not sum to zero in some currency.
    pub fn new(kind: TransactionKind, postings: Vec<Posting>) -> Result<Self, Unbalanced> {
        let mut sums = BTreeMap::<Currency, i128>::new();
        for posting in &postings {
            *sums.entry(posting.amount.currency).or_default() += i128::from(posting.amount.minor);
        }
        if let Some((currency, off_by)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
            return Err(Unbalanced { currency, off_by });
        }
        let moving = postings.into_iter().filter(|posting| posting.amount.minor != 0).collect();
        Ok(Self { kind, postings: moving })
    }

    /// Moves `amount` to `debit` from `credit`; a negative amount moves the other way.
    #[must_use]
    pub fn transfer(kind: TransactionKind, amount: Money, debit: Account, credit: Account) -> Self {
        Self::transfers(kind, [(amount, debit, credit)])
    }

    /// Several transfers `(amount, debit, credit)` in one transaction.
    #[must_use]
    pub fn transfers(
        kind: TransactionKind,
        legs: impl IntoIterator<Item = (Money, Account, Account)>,
    ) -> Self {
        let both_sides = |(amount, debit, credit): (Money, Account, Account)| {
            [Posting { account: debit, amount }, Posting { account: credit, amount: amount.negated() }]
        };
        Self::new(kind, legs.into_iter().flat_map(both_sides).collect())
            .expect("each transfer balances by itself")
    }

    /// What kind of movement it is.
    #[must_use]
    pub fn kind(&self) -> TransactionKind {
        self.kind
    }

    /// Its postings, none of them zero.
    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

/// The sum of all postings of each currency: zero, always.
#[must_use]
pub fn trial_balance(postings: impl IntoIterator<Item = Posting>) -> BTreeMap<Currency, i128> {
    let mut sums = BTreeMap::new();
    for posting in postings {
        *sums.entry(posting.amount.currency).or_default() += i128::from(posting.amount.minor);
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(number: u8) -> Account {
        Account { kind: AccountKind::CommissionPayable, owner: Uuid::from_u128(u128::from(number)) }
    }

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().unwrap())
    }

    #[test]
    fn postings_that_do_not_balance_are_no_movement() {
        let one_sided = vec![Posting { account: account(1), amount: money(100, "EUR") }];
        let error = Movement::new(TransactionKind::Accrue, one_sided).unwrap_err();
        insta::assert_snapshot!(error, @"postings in EUR sum to 100 minor units instead of zero");
    }

    #[test]
    fn euros_do_not_balance_dollars() {
        let mixed = vec![
            Posting { account: account(1), amount: money(100, "EUR") },
            Posting { account: account(2), amount: money(-100, "USD") },
        ];
        assert!(Movement::new(TransactionKind::Accrue, mixed).is_err());
    }

    proptest! {
        #[test]
        fn the_trial_balance_of_any_movements_is_zero(
            legs in prop::collection::vec((-1_000_000_000..1_000_000_000_i64, 0..9_u8, 0..9_u8, prop::bool::ANY), 0..50),
        ) {
            let legs = legs.into_iter().map(|(minor, debit, credit, euro)| {
                (money(minor, if euro { "EUR" } else { "JPY" }), account(debit), account(credit))
            });
            let movement = Movement::transfers(TransactionKind::Correct, legs);
            prop_assert!(trial_balance(movement.postings().iter().copied()).values().all(|sum| *sum == 0));
        }
    }
}
