//! A conversion moves through its legal states, and with each move goes what it means in money.

use std::collections::BTreeMap;

use domain::{
    ClickId, EventId, Money,
    conversion::{ConversionStatus, ReversalReason},
    state::StateError,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Act, postback::Claim, settlement};
use crate::store::{
    cases,
    conversion_history::{self, Move},
    conversions::{self, Conversion, Particulars, Share},
    outbox::{self, Announcement},
    touches::Labels,
};

/// Why a conversion did not move.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Its life does not allow the move.
    #[error(transparent)]
    Illegal(#[from] StateError),
    /// More was to be taken back than is left of the order.
    #[error("only {left} of the order is left to be reversed")]
    MoreThanLeft {
        /// What is left.
        left: Money,
    },
    /// An amount of nothing, or in another currency than the order's.
    #[error("must be more than nothing, in {0}")]
    NotOfTheOrder(domain::Currency),
    /// The amount of a conversion that was turned down or taken back stays as it is.
    #[error("the amount of a conversion that is {0} cannot change")]
    AmountStays(ConversionStatus),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// Moves a conversion that the caller has locked. `amount` counts for a reversal only: how much of the order is
/// taken back, or all that is left of it when absent.
///
/// # Errors
/// When the move is not legal, or takes back more than is left.
pub async fn advance(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &mut Conversion,
    claim: Claim,
    amount: Option<Money>,
) -> Result<(), MoveError> {
    let from = conversion.status;
    let to = from.to(claim.status)?;
    // What a conversion earns is written where it begins to wait ([`begin`]), and nowhere else.
    if (from, to) == (ConversionStatus::Received, ConversionStatus::Pending) {
        return Err(StateError { thing: "conversion", from: from.name(), to: to.name() }.into());
    }
    if to == ConversionStatus::Reversed {
        conversion.reversed = reversed_with(conversion, amount)?;
    }
    let is_end = matches!(to, ConversionStatus::Rejected | ConversionStatus::Reversed);
    conversion.reason = is_end.then(|| claim.reason.unwrap_or(ReversalReason::Other));
    conversion.status = to;
    conversions::save(db, conversion, act.at).await?;
    if from == ConversionStatus::OnHold {
        cases::leave(db, conversion.id, to, act.actor, act.at).await?;
    }
    match (from, to) {
        (_, ConversionStatus::Approved) => {
            append(db, act, conversion, Some(from), act.note).await?;
            settlement::approve(db, act, conversion).await?;
        }
        (_, ConversionStatus::Rejected | ConversionStatus::Reversed) => {
            take_back(db, act, conversion, from).await?;
        }
        _ => drop(append(db, act, conversion, Some(from), act.note).await?),
    }
    announce(db, act, conversion, kind_of(to)).await?;
    Ok(())
}

/// Takes back the rejection of a conversion that the caller has locked, and writes anew what it earns.
///
/// # Errors
/// When it is not rejected.
pub async fn reinstate(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &mut Conversion,
) -> Result<(), MoveError> {
    let from = conversion.status;
    conversion.status = from.reinstated()?;
    conversion.reason = None;
    conversions::save(db, conversion, act.at).await?;
    let position = append(db, act, conversion, Some(from), act.note).await?;
    settlement::recompute(db, act, conversion, position, "The rejection was taken back.").await?;
    Ok(())
}

async fn take_back(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    from: ConversionStatus,
) -> Result<(), sqlx::Error> {
    let Conversion { status, reversed, .. } = *conversion;
    let is_partial = status == ConversionStatus::Reversed;
    let note = if is_partial { format!("{reversed} reversed in all") } else { act.note.to_owned() };
    let position = append(db, act, conversion, Some(from), &note).await?;
    let reason = conversion.reason.map_or("", ReversalReason::name);
    let why = format!("The conversion was {status} ({reason}).");
    settlement::retract(db, act, conversion, position, &why).await
}

/// Gives a conversion that the caller has locked another amount and computes its commissions anew.
///
/// # Errors
/// When it was rejected or reversed.
pub async fn change_amount(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &mut Conversion,
    amount: Money,
) -> Result<(), MoveError> {
    if matches!(conversion.status, ConversionStatus::Rejected | ConversionStatus::Reversed) {
        return Err(MoveError::AmountStays(conversion.status));
    }
    let before = std::mem::replace(&mut conversion.amount, amount);
    conversions::save(db, conversion, act.at).await?;
    let note = format!("the amount changed from {before} to {amount}");
    let position = append(db, act, conversion, Some(conversion.status), &note).await?;
    let why = format!("The order's amount changed from {before} to {amount}.");
    settlement::recompute(db, act, conversion, position, &why).await?;
    if conversion.status == ConversionStatus::OnHold {
        let detail = json!({"conversion_id": conversion.id, "from": before, "to": amount});
        cases::change(db, conversion.id, detail, act.actor, act.at).await?;
    }
    Ok(())
}

/// Stores a conversion that was received, and who shares the credit for it by which clicks; answers what subscribers are to be
/// told of it. With a note, it waits from here on, and its history says that besides; without one it is going to end.
pub(super) async fn begin(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &mut Conversion,
    particulars: &Particulars,
    (shares, labels): (&[Share], &BTreeMap<ClickId, Labels>),
    waiting_note: Option<&str>,
) -> Result<(EventId, Announcement), MoveError> {
    let created = (EventId::new(act.clock, act.chance), announcement_of(conversion, "conversion.created"));
    let mut moves = vec![step(act, conversion, None, "")];
    if let Some(note) = waiting_note {
        let from = conversion.status;
        conversion.status = from.to(ConversionStatus::Pending)?;
        moves.push(step(act, conversion, Some(from), note));
    }
    conversions::insert(db, conversion, particulars, act.at).await?;
    conversion_history::insert_first(db, conversion.id, &moves, (shares, labels)).await?;
    Ok(created)
}

/// Appends the state that the conversion is in to its history.
async fn append(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    from: Option<ConversionStatus>,
    note: &str,
) -> Result<i32, sqlx::Error> {
    conversion_history::append_move(db, conversion.id, &step(act, conversion, from, note)).await
}

/// The move to the state that the conversion is in.
fn step<'a>(
    act: Act<'a>,
    conversion: &Conversion,
    from: Option<ConversionStatus>,
    note: &'a str,
) -> Move<'a> {
    let Conversion { status: to, reason, amount, reversed, .. } = *conversion;
    Move { from, to, reason, note, actor: act.actor, at: act.at, amount, reversed }
}

fn reversed_with(conversion: &Conversion, amount: Option<Money>) -> Result<Money, MoveError> {
    let currency = conversion.amount.currency;
    let left = Money::new(conversion.amount.minor - conversion.reversed.minor, currency);
    if conversion.status == ConversionStatus::Reversed && left.minor == 0 {
        let (from, to) = ("reversed as a whole", ConversionStatus::Reversed.name());
        return Err(StateError { thing: "conversion", from, to }.into());
    }
    let back = amount.unwrap_or(left);
    // An order without an amount can only be reversed whole, and saying so by a zero is no mistake.
    let least = i64::from(left.minor != 0);
    if back.currency != currency || back.minor < least {
        return Err(MoveError::NotOfTheOrder(currency));
    }
    if left.minor < back.minor {
        return Err(MoveError::MoreThanLeft { left });
    }
    Ok(Money::new(conversion.reversed.minor + back.minor, currency))
}

/// Waiting and holding are not announced: nothing has been decided then.
fn kind_of(status: ConversionStatus) -> Option<&'static str> {
    match status {
        ConversionStatus::Approved => Some("conversion.approved"),
        ConversionStatus::Rejected => Some("conversion.rejected"),
        ConversionStatus::Reversed => Some("conversion.reversed"),
        ConversionStatus::Received | ConversionStatus::Pending | ConversionStatus::OnHold => None,
    }
}

async fn announce(
    db: &mut PgConnection,
    act: Act<'_>,
    conversion: &Conversion,
    kind: Option<&'static str>,
) -> Result<(), sqlx::Error> {
    let Some(kind) = kind else { return Ok(()) };
    let id = EventId::new(act.clock, act.chance);
    outbox::insert(db, id, &announcement_of(conversion, kind), act.at).await
}

fn announcement_of(conversion: &Conversion, kind: &'static str) -> Announcement {
    let payload = json!({
        "id": conversion.id,
        "advertiser_id": conversion.advertiser,
        "campaign_id": conversion.campaign,
        "event": conversion.event,
        "status": conversion.status,
        "reason": conversion.reason,
        "amount": conversion.amount,
        "reversed": conversion.reversed,
        "occurred_at": conversion.occurred_at,
    });
    Announcement { kind, subject: conversion.id.to_string(), payload }
}

#[cfg(test)]
mod tests {
    use domain::{AdvertiserId, CampaignId, Chance, Clock, ConversionId, campaign::EventKind};

    use super::*;

    /// What is reversed in all after so much more is taken back of an order, in cents; or why nothing is.
    fn check(amount: i64, reversed: i64, status: ConversionStatus, back: Option<i64>) -> String {
        let euros = |minor: i64| Money::new(minor, "EUR".parse().unwrap());
        let (clock, chance) = (Clock::system(), Chance::seeded(1));
        let conversion = Conversion {
            id: ConversionId::new(&clock, &chance),
            advertiser: AdvertiserId::new(&clock, &chance),
            campaign: CampaignId::new(&clock, &chance),
            event: "sale".to_owned(),
            kind: EventKind::Sale,
            status,
            reason: None,
            amount: euros(amount),
            reversed: euros(reversed),
            occurred_at: clock.now(),
            received_at: clock.now(),
        };
        let reversed = reversed_with(&conversion, back.map(euros));
        reversed.map_or_else(|error| error.to_string(), |reversed| reversed.minor.to_string())
    }

    #[test]
    fn no_more_is_taken_back_than_is_left_and_never_less_than_nothing() {
        use ConversionStatus::{Approved, Reversed};
        let nothing = "must be more than nothing, in EUR";
        let whole = "this conversion is reversed as a whole and cannot become reversed";
        for (amount, reversed, status, back, expected) in [
            (100, 0, Approved, None, "100"),
            (100, 0, Approved, Some(30), "30"),
            (100, 30, Reversed, Some(70), "100"),
            (100, 30, Reversed, Some(71), "only 0.70 EUR of the order is left to be reversed"),
            (100, 0, Approved, Some(0), nothing),
            (100, 30, Reversed, Some(-30), nothing),
            (100, 100, Reversed, Some(-30), whole),
            (100, 100, Reversed, Some(0), whole),
            (100, 100, Reversed, None, whole),
            (0, 0, Approved, Some(-1), nothing),
            (0, 0, Approved, Some(0), "0"),
            (0, 0, Approved, None, "0"),
            (0, 0, Reversed, None, whole),
        ] {
            assert_eq!(
                check(amount, reversed, status, back),
                expected,
                "{amount} {reversed} {status} {back:?}"
            );
        }
    }
}
