//! A conversion that is held becomes a case, or joins the one that is open about others like it.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    CaseId, Chance, ConversionId,
    fraud::{
        LogOdds,
        cases::{Actor, BY_HAND, CaseSettings, at_par, rank, value},
        score::Reason,
    },
};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tracking::store::is_passing;

use crate::store::{
    case_events::{self, Joinable, NewCase, NewEvent, NewMember},
    cases::{self, Held},
};

/// A case with so many conversions is joined no more: nobody looks at more of them well.
const MOST_MEMBERS: i64 = 50;
/// A case that was opened longer ago is joined no more, so that each is decided some time.
const JOINABLE_FOR: TimeDelta = TimeDelta::days(7);
/// How many conversions are taken up in one transaction.
const PAGE: i64 = 100;

/// Takes up a conversion that is held, where it is in no case.
///
/// # Errors
/// When the database fails.
pub async fn take_up(
    db: &mut PgConnection,
    conversion: ConversionId,
    at: DateTime<Utc>,
    chance: &Chance,
) -> sqlx::Result<u64> {
    take_up_those(db, Some(conversion), at, chance).await
}

/// Takes up what is held and in no case, a hundred conversions at most; says how many.
///
/// # Errors
/// When the database fails.
pub async fn take_up_all(db: &mut PgConnection, at: DateTime<Utc>, chance: &Chance) -> sqlx::Result<u64> {
    take_up_those(db, None, at, chance).await
}

async fn take_up_those(
    db: &mut PgConnection,
    conversion: Option<ConversionId>,
    at: DateTime<Utc>,
    chance: &Chance,
) -> sqlx::Result<u64> {
    let held = cases::held(db, conversion, PAGE).await?;
    if held.is_empty() {
        return Ok(0);
    }
    let settings = cases::settings(db).await?.map_or_else(CaseSettings::default, |stored| stored.settings.0);
    let mut joined = 0;
    for one in &held {
        // One that cannot be taken up must not keep the others waiting.
        let mut apart = db.begin().await?;
        match join(&mut apart, one, &settings, at, chance).await {
            Ok(()) => {
                apart.commit().await?;
                joined += 1;
            }
            Err(error) if is_passing(&error) || conversion.is_some() => return Err(error),
            Err(error) => {
                tracing::error!(conversion = %one.conversion_id, "it is held without a case: {error}");
                apart.rollback().await?;
            }
        }
    }
    Ok(joined)
}

async fn join(
    db: &mut PgConnection,
    held: &Held,
    settings: &CaseSettings,
    at: DateTime<Utc>,
    chance: &Chance,
) -> sqlx::Result<()> {
    let reason = leading_reason(held);
    let Held { affiliate_id, campaign_id, conversion_id, stake, score_id, .. } = *held;
    case_events::lock_joining(db, affiliate_id, campaign_id, reason).await?;
    let place = (affiliate_id, campaign_id, reason);
    let known = case_events::joinable(db, place, conversion_id, (at - JOINABLE_FOR, MOST_MEMBERS)).await?;
    let kind = if known.is_some() { "joined" } else { "opened" };
    let case = match known {
        Some(known) => known,
        None => {
            let id = CaseId::new_at(at, chance);
            let (affiliate, campaign, due_at) = (affiliate_id, campaign_id, settings.due(at));
            let new = NewCase { id, affiliate, campaign, reason, opened_at: at, due_at };
            case_events::open(db, &new).await?;
            Joinable { id, value: 0, opened_at: at }
        }
    };
    let odds = held.score.as_ref().map_or(LogOdds::EVEN, |score| score.0.log_odds);
    let par = settings.par_ppm.get(&stake.currency).copied().unwrap_or(1_000_000);
    let own = value(at_par(stake, par), odds);
    let all = case.value.saturating_add(own);
    let member = NewMember { conversion: conversion_id, score: score_id, stake, value: own, at };
    case_events::join(db, case.id, &member, (all, rank(all, case.opened_at))).await?;
    let detail = json!({"conversion_id": conversion_id, "score_id": score_id});
    let actor = Actor::of_history("system");
    let event = NewEvent { kind, actor: &actor, note: "", detail, at };
    case_events::append(db, case.id, &event).await
}

/// The code of what most spoke for fraud.
fn leading_reason(held: &Held) -> &'static str {
    let first = held.score.as_ref().and_then(|score| score.0.reasons().into_iter().next());
    match first.map(|part| part.reason) {
        Some(Reason::Rule(code)) => code.name(),
        Some(Reason::Model(model)) => model.name(),
        None => BY_HAND,
    }
}
