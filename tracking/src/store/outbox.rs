//! Events to announce, written in the transaction that made them true: here, or in one statement with what they tell of.

use chrono::{DateTime, Utc};
use domain::EventId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

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

/// Announcements with their ids, by columns.
pub(super) struct Columns<'a> {
    pub ids: Vec<Uuid>,
    pub kinds: Vec<&'static str>,
    pub subjects: Vec<&'a str>,
    pub payloads: Vec<&'a Value>,
}

impl<'a> Columns<'a> {
    pub fn of(all: &'a [(EventId, Announcement)]) -> Self {
        Self {
            ids: all.iter().map(|(id, _)| id.uuid()).collect(),
            kinds: all.iter().map(|(_, it)| it.kind).collect(),
            subjects: all.iter().map(|(_, it)| it.subject.as_str()).collect(),
            payloads: all.iter().map(|(_, it)| &it.payload).collect(),
        }
    }
}
