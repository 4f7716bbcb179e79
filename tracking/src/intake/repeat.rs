//! A second report of the same thing: a move, a change of amount, or nothing new.

use domain::{
    Money,
    campaign::DuplicatePolicy,
    conversion::ConversionStatus::{OnHold, Pending, Rejected, Reversed},
};
use sqlx::PgConnection;

use super::{AcceptError, Accepted, Act, Outcome, Postback, life, postback::Claim};
use crate::store::{conversion_history, conversions::Conversion};

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
    let step = match postback.status {
        None => None,
        Some(claim) => match meaning(db, act, &conversion, claim).await? {
            Meaning::Past => return Ok(Accepted::of(&conversion, Outcome::Repeated)),
            Meaning::Present => None,
            Meaning::Move => Some(claim),
        },
    };
    let wish = wish(&conversion, policy, postback, step)?;
    let outcome = if wish == Wish::default() { Outcome::Repeated } else { Outcome::Changed };
    if let Some(amount) = wish.amount {
        life::change_amount(db, act, &mut conversion, amount).await?;
    }
    if let Some((claim, amount)) = wish.step {
        life::advance(db, act, &mut conversion, claim, amount).await?;
    }
    Ok(Accepted::of(&conversion, outcome))
}

/// What a claim says of a conversion that has a life already.
enum Meaning {
    /// It is to go there.
    Move,
    /// It is there.
    Present,
    /// It was there, or cannot be moved on by the sender: an old report that came again, which changes nothing.
    Past,
}

/// A conversion that is reversed in part may be reversed further; one that is rejected or reversed whole, no more.
/// Postbacks come twice and late, so one for a state that has passed is no mistake, and none ends a hold but by
/// turning the conversion down: somebody is looking at it. That money was given back is not passed over meanwhile: it is
/// refused, as of anything that was not approved, and reported again.
async fn meaning(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    claim: Claim,
) -> Result<Meaning, sqlx::Error> {
    let (from, to) = (conversion.status, claim.status);
    if from == to {
        let is_left = conversion.reversed.minor < conversion.amount.minor;
        return Ok(match to {
            Reversed if is_left => Meaning::Move,
            Reversed | Rejected => Meaning::Past,
            _ => Meaning::Present,
        });
    }
    let is_held = from == OnHold && act.is_report && !matches!(to, Rejected | Reversed);
    if is_held {
        return Ok(Meaning::Past);
    }
    if from.to(to).is_ok() {
        return Ok(Meaning::Move);
    }
    let has_passed = to == Pending || conversion_history::has_been(db, conversion.id, to).await?;
    Ok(if has_passed { Meaning::Past } else { Meaning::Move })
}

/// Without a move the policy rules: the amount stays, is replaced, or is added to. With a move only a replacement
/// takes place, because «add» could not tell an update from an addition.
fn wish(
    conversion: &Conversion,
    policy: DuplicatePolicy,
    postback: &Postback,
    step: Option<Claim>,
) -> Result<Wish, AcceptError> {
    let amount = postback.money(conversion.amount.currency);
    let amount = amount.map_err(|error| AcceptError::field("amount", error.to_string()))?;
    if amount.is_some_and(|amount| amount.currency != conversion.amount.currency) {
        let detail = format!("must be {}, as in the first report", conversion.amount.currency);
        return Err(AcceptError::field("currency", detail));
    }
    let is_end = |claim: Claim| matches!(claim.status, Rejected | Reversed);
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
