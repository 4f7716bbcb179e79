//! Postbacks that came before their click are taken in when it arrives.

use chrono::TimeDelta;
use domain::ClickId;
use sqlx::PgConnection;

use super::{AcceptError, Accepted, Act, Answer, Intake, Postback, Report, accept_decided_or_not};
use crate::store::{
    self,
    quarantine::{self, Waiting},
};

/// How long a postback waits for its click before it is given up.
const PATIENCE: TimeDelta = TimeDelta::days(30);
/// How many rows one look at the quarantine takes.
const BATCH: i64 = 500;

/// Takes in the postbacks that waited for these clicks, which have just arrived; says how many.
/// To be called after the transaction that stored the clicks; what fails is left for [`sweep`].
///
/// # Errors
/// When the database fails; calling it again is safe.
pub async fn retry(intake: &Intake, clicks: &[ClickId]) -> Result<usize, sqlx::Error> {
    let rows = quarantine::waiting_for(&mut *intake.pool.acquire().await?, clicks).await?;
    take_in_all(intake, &rows).await
}

/// Takes in the postbacks whose click is here after all, because both came at the same moment, and gives up those
/// that have waited too long. Says how many were taken in.
///
/// # Errors
/// When the database fails; calling it again is safe.
pub async fn sweep(intake: &Intake) -> Result<usize, sqlx::Error> {
    let (mut after, mut taken_in) = (0, 0);
    loop {
        let rows = quarantine::overdue(&mut *intake.pool.acquire().await?, after, BATCH).await?;
        let Some(last) = rows.last() else { break };
        after = *last;
        taken_in += take_in_all(intake, &rows).await?;
    }
    let now = intake.clock.now();
    let mut connection = intake.pool.acquire().await?;
    let given_up = quarantine::give_up(&mut connection, now - PATIENCE, now, "its click never came").await?;
    if 0 < given_up {
        tracing::warn!(given_up, "{given_up} postbacks were given up: their clicks never came");
    }
    Ok(taken_in)
}

async fn take_in_all(intake: &Intake, rows: &[i64]) -> Result<usize, sqlx::Error> {
    let mut taken_in = 0;
    for row in rows {
        taken_in += usize::from(take_in(intake, *row).await?);
    }
    Ok(taken_in)
}

/// One row in one transaction. A refusal is final and is written beside the row: its click is here, and what is
/// wrong with the rest will not change by waiting.
async fn take_in(intake: &Intake, row: i64) -> Result<bool, sqlx::Error> {
    let mut tx = store::begin(&intake.pool).await?;
    let Some(waiting) = quarantine::lock(&mut tx, row).await? else { return Ok(false) };
    let failure = match again(intake, &mut tx, waiting).await {
        Ok(Accepted { answer: Answer { conversion_id: Some(conversion), .. }, .. }) => {
            quarantine::resolve(&mut tx, row, intake.clock.now(), Ok(conversion)).await?;
            tx.commit().await?;
            return Ok(true);
        }
        // The session's click is not one that this conversion could have come from: wait on.
        Ok(_) => return Ok(false),
        Err(AcceptError::Store(error)) if store::is_passing(&error) => return Err(error),
        // It will not be different next time, and those behind it would wait for ever.
        Err(AcceptError::Store(error)) => {
            tracing::error!(row, %error, "postback {row} in quarantine cannot be taken in: {error}");
            "it cannot be read or stored; the log says why".to_owned()
        }
        Err(refusal) => refusal.to_string(),
    };
    tx.rollback().await?;
    let mut tx = store::begin(&intake.pool).await?;
    if quarantine::lock(&mut tx, row).await?.is_some() {
        tracing::info!(row, "postback {row} in quarantine is given up: {failure}");
        quarantine::resolve(&mut tx, row, intake.clock.now(), Err(&failure)).await?;
    }
    tx.commit().await?;
    Ok(false)
}

async fn again(intake: &Intake, db: &mut PgConnection, waiting: Waiting) -> Result<Accepted, AcceptError> {
    let postback: Postback = serde_json::from_value(waiting.postback)
        .map_err(|error| AcceptError::Store(sqlx::Error::Decode(Box::new(error))))?;
    let report = Report { advertiser: waiting.advertiser, postback, received_at: waiting.received_at };
    let act = Act::now(Act::POSTBACK, &intake.clock, &intake.chance).report_before(intake.judge.as_deref());
    accept_decided_or_not(db, act, &report).await
}
