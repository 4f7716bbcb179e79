//! Events to announce, written in the transaction that makes them true.

use domain::EventId;
use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use crate::app::App;

/// Announces that `kind` (a dot name such as `affiliate.approved`) happened to `subject`.
pub async fn announce(
    tx: &mut PgConnection,
    app: &App,
    kind: &str,
    subject: impl ToString,
    payload: &impl Serialize,
) -> sqlx::Result<()> {
    let id = EventId::new(&app.clock, &app.chance);
    let payload = serde_json::to_value(payload).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "
        INSERT INTO outbox (id, type, subject, payload, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ",
        id.uuid(),
        kind,
        subject.to_string(),
        Json(payload) as _,
        app.clock.now()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The types of all events, in the order of their announcement.
#[cfg(test)]
pub async fn types(db: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT type FROM outbox ORDER BY position").fetch_all(db).await
}

/// What was announced of one type, in order.
#[cfg(test)]
pub async fn payloads(db: &mut PgConnection, kind: &str) -> sqlx::Result<Vec<serde_json::Value>> {
    sqlx::query_scalar!("SELECT payload FROM outbox WHERE type = $1 ORDER BY position", kind)
        .fetch_all(db)
        .await
}
