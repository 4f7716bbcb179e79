//! Events to announce, written in the transaction that made them true.

use chrono::{DateTime, Utc};
use domain::EventId;
use serde_json::Value;
use sqlx::PgConnection;

/// Something that happened, to be told to whoever subscribes.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Dot names: `conversion.created`, `commission.created`, …
    pub kind: &'static str,
    /// The thing that it is about, with its kind's prefix.
    pub subject: String,
    /// What there is to say.
    pub payload: Value,
}

/// Keeps an announcement until it is delivered.
pub async fn insert(
    db: &mut PgConnection,
    id: EventId,
    announcement: &Announcement,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO outbox (id, type, subject, payload, created_at) VALUES ($1, $2, $3, $4, $5)",
        id.uuid(),
        announcement.kind,
        announcement.subject,
        announcement.payload,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps announcements until they are delivered, in this order.
pub async fn insert_all(
    db: &mut PgConnection,
    all: &[(EventId, Announcement)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = all.iter().map(|(id, _)| id.uuid()).collect();
    let kinds: Vec<_> = all.iter().map(|(_, it)| it.kind).collect();
    let subjects: Vec<_> = all.iter().map(|(_, it)| it.subject.as_str()).collect();
    let payloads: Vec<_> = all.iter().map(|(_, it)| &it.payload).collect();
    sqlx::query!(
        "INSERT INTO outbox (id, type, subject, payload, created_at)
         SELECT id, type, subject, payload, $5
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[]) WITH ORDINALITY
              AS new (id, type, subject, payload, place)
         ORDER BY place",
        &ids,
        &kinds as &[&str],
        &subjects as &[&str],
        &payloads as &[&Value],
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}
