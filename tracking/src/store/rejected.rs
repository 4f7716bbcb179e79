//! Events that the database will never take among the others.

use chrono::{DateTime, Utc};
use domain::{ClickId, EventId};
use sqlx::PgConnection;

/// Sets a click aside, and says whether it had not been set aside before.
///
/// # Errors
/// When the database does not answer.
pub async fn insert_click(
    db: &mut PgConnection,
    click: ClickId,
    event: &[u8],
    sqlstate: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query!(
        "INSERT INTO rejected_clicks (id, rejected_at, sqlstate, event)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        click.uuid(),
        now,
        sqlstate,
        event,
    )
    .execute(db)
    .await?;
    Ok(0 < inserted.rows_affected())
}

/// Sets an impression aside, and says whether it had not been set aside before.
///
/// # Errors
/// When the database does not answer.
pub async fn insert_impression(
    db: &mut PgConnection,
    impression: EventId,
    event: &[u8],
    sqlstate: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query!(
        "INSERT INTO rejected_impressions (id, rejected_at, sqlstate, event)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        impression.uuid(),
        now,
        sqlstate,
        event,
    )
    .execute(db)
    .await?;
    Ok(0 < inserted.rows_affected())
}
