//! One attempt to tell an address something, and what is noted of how it went.

use chrono::{DateTime, Utc};
use domain::{Chance, Clock};
use http::StatusCode;
use sqlx::PgPool;
use tracking::store::begin;
use url::Url;

use super::{
    courier::{Answer, Courier, Silence},
    schedule::wait,
};
use crate::store::{
    partner_deliveries::{self, Attempt, Due, Outcome},
    partner_postbacks,
};

/// Tells an address what is due, and notes how that went; an address that wants no more is told nothing any more.
///
/// # Errors
/// When the database fails: it is tried again then.
pub async fn tell(
    db: &PgPool,
    courier: &Courier,
    due: &Due,
    (clock, chance): (&Clock, &Chance),
) -> sqlx::Result<Attempt> {
    let answer = ask(courier, due, clock.now()).await;
    let now = clock.now();
    let attempt = attempt(&answer, due, (now, chance));
    let wants_no_more = !due.is_trial && answer.is_ok_and(|answer| answer.status == StatusCode::GONE);
    let mut tx = begin(db).await?;
    // As whoever removes it: the address first, and then what it is told.
    if wants_no_more {
        partner_postbacks::stop(&mut tx, due.postback_id, now).await?;
    }
    partner_deliveries::note(&mut tx, due, &attempt).await?;
    if wants_no_more {
        partner_deliveries::give_up(
            &mut tx,
            due.postback_id,
            "It answered that it wants no more (410).",
            now,
        )
        .await?;
    }
    tx.commit().await?;
    Ok(attempt)
}

async fn ask(courier: &Courier, due: &Due, at: DateTime<Utc>) -> Result<Answer, Silence> {
    let url: Url = due.url.parse().map_err(|_| Silence::Malformed)?;
    let url = if due.signed { courier.signed(&url, (due.postback_id, due.id), at)? } else { url };
    courier.ask(&url).await
}

fn attempt(answer: &Result<Answer, Silence>, due: &Due, (at, chance): (DateTime<Utc>, &Chance)) -> Attempt {
    let status = answer.as_ref().ok().map(|answer| answer.status);
    let (asked, failure) = match answer {
        Ok(answer) if answer.status.is_success() => {
            return Attempt { outcome: Outcome::Delivered, status, failure: None, at };
        }
        Ok(answer) => (answer.again_after, format!("it answered with the status {}", answer.status.as_u16())),
        Err(silence) => (None, silence.to_string()),
    };
    let is_over = due.is_trial || status == Some(StatusCode::GONE) || *answer == Err(Silence::Malformed);
    let again = wait(due.attempts, asked, chance).filter(|_| !is_over);
    let outcome = again.map_or(Outcome::GivenUp, |wait| Outcome::Again(at + wait));
    Attempt { outcome, status, failure: Some(failure), at }
}
