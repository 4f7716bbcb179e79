//! A checked report becomes a conversion, a change of one, a repeat, or waits for its click.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, ConversionId, LinkId, Money,
    campaign::{DuplicatePolicy, QualifyingEvent},
    conversion::ConversionStatus::{self, Pending, Rejected, Reversed},
    state::StateError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use utoipa::ToSchema;

use super::{
    Act, Postback,
    life::MoveError,
    origin::{self, Origin, Source},
    record, repeat,
};
use crate::store::{
    conversions::{self, Conversion},
    is_passing,
    plans::{self, Campaign},
    quarantine::{self, Waiting},
};

/// What somebody reports, and when it came.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whose customer converted.
    pub advertiser: AdvertiserId,
    /// What is reported.
    pub postback: Postback,
    /// When the report came.
    pub received_at: DateTime<Utc>,
}

impl Report {
    /// When the customer converted: as reported, else when the report came.
    pub fn converted_at(&self) -> DateTime<Utc> {
        self.postback.occurred_at.unwrap_or(self.received_at)
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new conversion.
    Recorded,
    /// A conversion that we had has moved or has another amount.
    Changed,
    /// Nothing: it was reported before.
    Repeated,
    /// It waits for its click.
    Quarantined,
}

/// A report that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What became of it.
    pub outcome: Outcome,
    /// What the sender is told.
    pub answer: Answer,
    /// The link whose conversions are still to be counted up. That counter is everybody's: it is locked as late as can be.
    pub(super) to_count: Option<LinkId>,
}

/// What the sender of a report is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// The conversion; absent while the report waits for its click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion_id: Option<ConversionId>,
    /// Where the conversion stands, or `quarantined` while the report waits for its click.
    #[schema(example = "pending")]
    pub status: String,
    /// The event, as the campaign's list has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What the order is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// How much of it was taken back, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed: Option<Money>,
}

impl Accepted {
    pub(super) fn of(conversion: &Conversion, outcome: Outcome) -> Self {
        let answer = Answer {
            conversion_id: Some(conversion.id),
            status: conversion.status.name().to_owned(),
            event: Some(conversion.event.clone()),
            amount: Some(conversion.amount),
            reversed: Some(conversion.reversed).filter(|reversed| reversed.minor != 0),
        };
        Self { outcome, answer, to_count: None }
    }

    fn quarantined() -> Self {
        let status = "quarantined".to_owned();
        let answer = Answer { conversion_id: None, status, event: None, amount: None, reversed: None };
        Self { outcome: Outcome::Quarantined, answer, to_count: None }
    }

    /// Says in the log that nobody decided about a new conversion, and why. Where another report was faster, nothing passed.
    pub(super) fn log_undecided(&self, advertiser: AdvertiserId, error: &sqlx::Error) {
        if let (Outcome::Recorded, Some(conversion)) = (self.outcome, self.answer.conversion_id) {
            tracing::error!(
                %advertiser,
                %conversion,
                %error,
                "{conversion} of {advertiser} passes undecided about: {error}"
            );
        }
    }
}

/// Why a report was not taken in. What was written of it is taken back by whoever owns the transaction.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// One field cannot be accepted, for what we know of its click, campaign or order.
    #[error("{field} {detail}")]
    Field {
        /// Our name for the field.
        field: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        detail: String,
    },
    /// The conversion's life does not allow the move.
    #[error(transparent)]
    Illegal(#[from] StateError),
    /// The amount of a conversion that was turned down or taken back stays as it is.
    #[error("the amount of a conversion that is {0} cannot change")]
    AmountStays(ConversionStatus),
    /// Whoever looks at new conversions failed. Once everything is taken back, the report can be taken in without asking.
    #[error("the conversion could not be decided about: {0}")]
    Undecided(sqlx::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

impl AcceptError {
    pub(super) fn field(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Field { field, detail: detail.into() }
    }

    /// What it means that whoever looks at new conversions failed: what passes is waited for.
    pub(super) fn of_judging(error: sqlx::Error) -> Self {
        if is_passing(&error) { Self::Store(error) } else { Self::Undecided(error) }
    }
}

impl From<MoveError> for AcceptError {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Illegal(error) => Self::Illegal(error),
            MoveError::AmountStays(status) => Self::AmountStays(status),
            MoveError::Store(error) => Self::Store(error),
            MoveError::MoreThanLeft { .. } | MoveError::NotOfTheOrder(_) => {
                Self::field("amount", error.to_string())
            }
        }
    }
}

/// As `accept`, for a transaction that holds more than the report: where the conversion cannot be decided about, only
/// what the report did is taken back, and it is taken in without asking.
///
/// # Errors
/// [`AcceptError`] says what to change about the report, or that the database failed.
pub async fn accept_decided_or_not(
    db: &mut PgConnection,
    act: Act<'_>,
    report: &Report,
) -> Result<Accepted, AcceptError> {
    let mut apart = db.begin().await?;
    let error = match accept(&mut apart, act, report).await {
        Ok(accepted) => {
            apart.commit().await?;
            return counted(db, accepted).await;
        }
        Err(AcceptError::Undecided(error)) => error,
        Err(refusal) => return Err(refusal),
    };
    apart.rollback().await?;
    let accepted = accept(db, act.undecided(), report).await?;
    accepted.log_undecided(report.advertiser, &error);
    counted(db, accepted).await
}

/// What was accepted, with nothing left to be counted.
async fn counted(db: &mut PgConnection, mut accepted: Accepted) -> Result<Accepted, AcceptError> {
    if let Some(link) = accepted.to_count.take() {
        conversions::count_for_link(db, link).await?;
    }
    Ok(accepted)
}

/// Takes a report in, inside the caller's transaction; to be rolled back when it fails. Its link is left to the
/// caller to count.
///
/// # Errors
/// [`AcceptError`] says what to change about the report, that it could not be decided about, or that the database failed.
pub(super) async fn accept(
    db: &mut PgConnection,
    act: Act<'_>,
    report: &Report,
) -> Result<Accepted, AcceptError> {
    let postback = &report.postback;
    let Source { origin, campaign } =
        origin::find(db, report.advertiser, postback, report.converted_at()).await?;
    let known = match &campaign {
        Some(campaign) => Some((campaign, event_of(campaign, postback)?)),
        None => None,
    };
    let event = known.map(|(_, event)| event.name.clone()).or_else(|| postback.event.clone());
    let is_always_new = known.is_some_and(|(_, event)| event.duplicates == DuplicatePolicy::New);
    let key = event.as_deref().and_then(|event| {
        if is_always_new {
            origin::transaction_key(postback, event)
        } else {
            origin::duplicate_key(postback, event, origin)
        }
    });
    let is_new = known.map(|_| is_always_new);
    if let Some(conversion) =
        reported(db, report.advertiser, postback, event.as_deref(), key.as_deref(), is_new).await?
    {
        let policy = policy(db, &conversion).await?;
        return repeat::take_in(db, act, conversion, policy, postback).await;
    }
    if is_always_new && postback.status.is_some_and(|claim| matches!(claim.status, Rejected | Reversed)) {
        let detail = "ends a conversion, so order_id or external_id must name one that was reported";
        return Err(AcceptError::field("status", detail));
    }
    match (origin, known) {
        (Origin::Missing, _) => wait(db, report).await,
        (Origin::Coupon(_), _) if key.is_none() && !is_always_new => Err(AcceptError::field(
            "order_id",
            "or external_id is needed with a promo code, to tell two orders apart",
        )),
        (_, Some(known)) => record::take_in(db, act, report, origin, known, key).await,
        (_, None) => {
            let detail =
                "or session_id or coupon is needed, unless event and order_id name an order that we have";
            Err(AcceptError::field("click_id", detail))
        }
    }
}

/// The conversion that the report is about, if it was reported before, locked until the end of the transaction.
///
/// Where every report is a conversion of its own, as far as we know that (`is_always_new`), a transaction that comes
/// again is still the same; and a report without one that says how an order went on is about the order's latest.
async fn reported(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    postback: &Postback,
    event: Option<&str>,
    key: Option<&str>,
    is_always_new: Option<bool>,
) -> Result<Option<Conversion>, sqlx::Error> {
    let Some(event) = event else { return Ok(None) };
    let transaction = origin::transaction_key(postback, event).filter(|_| is_always_new.is_none());
    for key in key.into_iter().chain(transaction.as_deref()) {
        if let Some(conversion) = conversions::lock_by_key(db, advertiser, key).await? {
            return Ok(Some(conversion));
        }
    }
    let goes_on = postback.status.is_some_and(|claim| claim.status != Pending);
    let is_named = postback.external_id.is_some();
    match &postback.order_id {
        Some(order) if goes_on && !is_named && is_always_new != Some(false) => {
            // Two first reports of one order, both of how it went on, are one conversion.
            conversions::lock_key(db, advertiser, &format!("order/{event}/{order}")).await?;
            conversions::lock_latest_of_order(db, advertiser, event, order).await
        }
        _ => Ok(None),
    }
}

/// The event that the report names, or the campaign's first.
fn event_of<'a>(campaign: &'a Campaign, postback: &Postback) -> Result<&'a QualifyingEvent, AcceptError> {
    let Some(name) = &postback.event else {
        let first = campaign.events.first();
        return first
            .ok_or_else(|| AcceptError::field("event", "is not one of the campaign's, which has none"));
    };
    let named = campaign.events.iter().find(|event| event.name == *name);
    named.ok_or_else(|| {
        let names: Vec<_> = campaign.events.iter().map(|event| event.name.as_str()).collect();
        AcceptError::field("event", format!("is not one of the campaign's: {}", names.join(", ")))
    })
}

/// What a second report means, as the campaign has it today.
async fn policy(db: &mut PgConnection, conversion: &Conversion) -> Result<DuplicatePolicy, sqlx::Error> {
    let campaign = plans::campaign(db, conversion.campaign).await?;
    let events = campaign.map(|campaign| campaign.events).unwrap_or_default();
    let event = events.into_iter().find(|event| event.name == conversion.event);
    Ok(event.map_or(DuplicatePolicy::Ignore, |event| event.duplicates))
}

async fn wait(db: &mut PgConnection, report: &Report) -> Result<Accepted, AcceptError> {
    let waiting = Waiting {
        advertiser: report.advertiser,
        click: report.postback.click_id,
        session: report.postback.session_id,
        postback: serde_json::to_value(&report.postback).unwrap_or(Value::Null),
        received_at: report.received_at,
    };
    quarantine::insert(db, &waiting).await?;
    Ok(Accepted::quarantined())
}
