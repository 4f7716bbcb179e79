//! A second report of the same thing: a move, a change of amount, or nothing new.

use domain::{Money, campaign::DuplicatePolicy, conversion::ConversionStatus};
use sqlx::PgConnection;

use super::{AcceptError, Accepted, Act, Outcome, Postback, life, postback::Claim};
use crate::store::conversions::Conversion;

/// What a second report asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    /// Another amount.
    amount: Option<Money>,
    /// A move, with the amount to take back if it is a reversal.
    step: Option<(Claim, Option<Money>)>,
}

/// Does what a second report asks for to a conversion that is locked.
pub(super) async fn take_in(
    db: &mut PgConnection,
    act: Act<'_>,
    mut conversion: Conversion,
    policy: DuplicatePolicy,
    postback: &Postback,
) -> Result<Accepted, AcceptError> {
    let wish = wish(&conversion, policy, postback)?;
    let outcome = if wish == Wish::default() { Outcome::Repeated } else { Outcome::Changed };
    if let Some(amount) = wish.amount {
        life::change_amount(db, act, &mut conversion, amount).await?;
    }
    if let Some((claim, amount)) = wish.step {
        life::advance(db, act, &mut conversion, claim, amount).await?;
    }
    Ok(Accepted::of(&conversion, outcome))
}

/// A state other than the present one is a move. Without a move the policy rules: the amount stays, is replaced, or
/// is added to. With a move only a replacement takes place, because «add» could not tell an update from an addition.
fn wish(conversion: &Conversion, policy: DuplicatePolicy, postback: &Postback) -> Result<Wish, AcceptError> {
    let amount = postback.money(conversion.amount.currency);
    let amount = amount.map_err(|error| AcceptError::field("amount", error.to_string()))?;
    let step = postback.status.filter(|claim| is_move(conversion, *claim));
    if amount.is_some_and(|amount| amount.currency != conversion.amount.currency) {
        let detail = format!("must be {}, as in the first report", conversion.amount.currency);
        return Err(AcceptError::field("currency", detail));
    }
    let is_end =
        |claim: Claim| matches!(claim.status, ConversionStatus::Rejected | ConversionStatus::Reversed);
    if let Some(claim) = step.filter(|claim| is_end(*claim)) {
        return Ok(Wish { amount: None, step: Some((claim, amount)) });
    }
    let changed = match (policy, amount) {
        (DuplicatePolicy::Replace, Some(amount)) => Some(amount),
        (DuplicatePolicy::Add, Some(amount)) if step.is_none() => {
            let sum = conversion.amount.plus(amount);
            Some(sum.map_err(|error| AcceptError::field("amount", error.to_string()))?)
        }
        _ => None,
    };
    let changed = changed.filter(|amount| *amount != conversion.amount);
    Ok(Wish { amount: changed, step: step.map(|claim| (claim, None)) })
}

/// A conversion that is reversed in part may be reversed further; one that is reversed whole, no more.
fn is_move(conversion: &Conversion, claim: Claim) -> bool {
    if claim.status != conversion.status {
        return true;
    }
    claim.status == ConversionStatus::Reversed && conversion.reversed.minor < conversion.amount.minor
}
