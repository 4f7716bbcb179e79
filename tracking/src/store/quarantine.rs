//! Postbacks whose click has not arrived (yet).

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, ClickId, ConversionId, SessionId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A postback to be kept until its click arrives.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Whose postback it is.
    pub advertiser: AdvertiserId,
    /// The click it names.
    pub click: Option<ClickId>,
    /// The session it names.
    pub session: Option<SessionId>,
    /// The checked postback.
    pub postback: Value,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// Keeps a postback.
pub async fn insert(db: &mut PgConnection, waiting: &Waiting) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO quarantine (advertiser_id, click_id, session_id, postback, received_at)
         VALUES ($1, $2, $3, $4, $5)",
        waiting.advertiser.uuid(),
        waiting.click.map(ClickId::uuid),
        waiting.session.map(SessionId::uuid),
        waiting.postback,
        waiting.received_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The rows that wait for one of these clicks or for its session, in the order in which they came.
pub async fn waiting_for(db: &mut PgConnection, clicks: &[ClickId]) -> Result<Vec<i64>, sqlx::Error> {
    let ids: Vec<Uuid> = clicks.iter().map(|click| click.uuid()).collect();
    sqlx::query_scalar!(
        r#"SELECT id AS "id!"
           FROM (
               SELECT id FROM quarantine WHERE resolved_at IS NULL AND click_id = ANY ($1)
               UNION
               SELECT quarantine.id
               FROM clicks
               JOIN quarantine ON quarantine.session_id = clicks.session_id
               WHERE clicks.id = ANY ($1)
                 AND quarantine.resolved_at IS NULL
           ) AS waiting
           ORDER BY id"#,
        &ids,
    )
    .fetch_all(db)
    .await
}

/// The rows after `after` that wait although their click is here: it came while they were being stored.
pub async fn overdue(db: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id
         FROM quarantine
         WHERE resolved_at IS NULL
           AND $1 < id
           AND (EXISTS (SELECT FROM clicks WHERE clicks.id = quarantine.click_id)
                OR EXISTS (SELECT FROM clicks WHERE clicks.session_id = quarantine.session_id))
         ORDER BY id
         LIMIT $2",
        after,
        limit,
    )
    .fetch_all(db)
    .await
}

/// A row that still waits, locked until the end of the transaction; none when somebody else is at it.
pub async fn lock(db: &mut PgConnection, id: i64) -> Result<Option<Waiting>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT advertiser_id, click_id, session_id, postback, received_at
         FROM quarantine
         WHERE id = $1
           AND resolved_at IS NULL
         FOR UPDATE SKIP LOCKED",
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Waiting {
        advertiser: row.advertiser_id.into(),
        click: row.click_id.map(ClickId::from),
        session: row.session_id.map(SessionId::from),
        postback: row.postback,
        received_at: row.received_at,
    }))
}

/// Ends the wait: with the conversion that came of it, or with the reason why none did.
pub async fn resolve(
    db: &mut PgConnection,
    id: i64,
    at: DateTime<Utc>,
    outcome: Result<ConversionId, &str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE quarantine
         SET resolved_at = $2, conversion_id = $3, failure = $4
         WHERE id = $1",
        id,
        at,
        outcome.ok().map(ConversionId::uuid),
        outcome.err(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the wait of every row that came before a moment; says how many.
pub async fn give_up(
    db: &mut PgConnection,
    before: DateTime<Utc>,
    at: DateTime<Utc>,
    failure: &str,
) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query!(
        "UPDATE quarantine
         SET resolved_at = $2, failure = $3
         WHERE resolved_at IS NULL
           AND received_at < $1",
        before,
        at,
        failure,
    )
    .execute(db)
    .await?;
    Ok(ended.rows_affected())
}
