//! Each time an address of a partner's is told something: when it is due, and how it went.

use chrono::{DateTime, Utc};
use domain::{ConversionId, DeliveryId, EventId, PartnerPostbackId};
use serde::Serialize;
use sqlx::{PgConnection, types::Uuid};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// Something that an address is to be told.
#[derive(Debug)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Which address.
    pub postback: PartnerPostbackId,
    /// What happened, by its id; none for a trial.
    pub event: Option<EventId>,
    /// What happened.
    pub kind: String,
    /// To which conversion; none for a trial.
    pub conversion: Option<ConversionId>,
    /// The address with its macros filled in.
    pub url: String,
    /// When it is tried first.
    pub due_at: DateTime<Utc>,
}

/// Keeps what is to be told, once for each address and event.
pub async fn insert(tx: &mut PgConnection, new: &[NewDelivery], at: DateTime<Utc>) -> sqlx::Result<u64> {
    let ids: Vec<_> = new.iter().map(|one| one.id.uuid()).collect();
    let postbacks: Vec<_> = new.iter().map(|one| one.postback.uuid()).collect();
    let events: Vec<_> = new.iter().map(|one| one.event.map(EventId::uuid)).collect();
    let kinds: Vec<_> = new.iter().map(|one| one.kind.as_str()).collect();
    let subjects: Vec<_> = new.iter().map(|one| one.conversion.map(ConversionId::uuid)).collect();
    let urls: Vec<_> = new.iter().map(|one| one.url.as_str()).collect();
    let due: Vec<_> = new.iter().map(|one| one.due_at).collect();
    let inserted = sqlx::query!(
        "
        INSERT INTO partner_deliveries (id, postback_id, event_id, type, subject, url, state, due_at, created_at)
        SELECT new.id, postback_id, event_id, type, subject, url, 'waiting', due_at, $8
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[])
             AS new (id, postback_id, event_id, type, subject, url, due_at)
        ON CONFLICT ON CONSTRAINT partner_deliveries_once DO NOTHING
        ",
        &ids,
        &postbacks,
        &events as &[Option<Uuid>],
        &kinds as &[&str],
        &subjects as &[Option<Uuid>],
        &urls as &[&str],
        &due,
        at
    );
    Ok(inserted.execute(tx).await?.rows_affected())
}

/// Something that is told now.
#[derive(Debug)]
pub struct Due {
    /// Its id.
    pub id: DeliveryId,
    /// Which address.
    pub postback_id: PartnerPostbackId,
    /// The address with its macros filled in.
    pub url: String,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether a partner sent it to try its address: it is tried once.
    pub is_trial: bool,
    /// How many attempts there are with this one.
    pub attempts: i32,
}

/// Takes what is due, no more than `each` of one address, and lets it come again at `until` unless somebody says how it went.
pub async fn take_due(
    db: &mut PgConnection,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    (each, limit): (i64, i64),
) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        WITH due AS (
            SELECT id, postback_id, due_at, row_number() OVER (PARTITION BY postback_id ORDER BY due_at, id) AS place
            FROM (
                SELECT id, postback_id, due_at
                FROM partner_deliveries
                WHERE due_at <= $1
                ORDER BY due_at
                LIMIT 10000
            ) AS oldest
        ),
        taken AS (
            SELECT id FROM due WHERE place <= $3 ORDER BY due_at, id LIMIT $4
        )
        UPDATE partner_deliveries
        SET due_at = $2, attempts = attempts + 1
        FROM taken, partner_postbacks
        WHERE partner_deliveries.id = taken.id AND partner_postbacks.id = partner_deliveries.postback_id
        RETURNING partner_deliveries.id AS "id: Column<DeliveryId>",
                  partner_deliveries.postback_id AS "postback_id: Column<PartnerPostbackId>", partner_deliveries.url,
                  partner_postbacks.signed, partner_deliveries.event_id IS NULL AS "is_trial!", partner_deliveries.attempts
        "#,
        now,
        until,
        each,
        limit
    )
    .fetch_all(db)
    .await
}

/// How an attempt went.
#[derive(Debug)]
pub struct Attempt {
    /// Whether the address took it.
    pub delivered: bool,
    /// What it answered.
    pub status: Option<i32>,
    /// Why it was not delivered.
    pub failure: Option<String>,
    /// When it is tried again; none when that was the last attempt.
    pub again_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// Notes how an attempt went.
pub async fn note(db: &mut PgConnection, id: DeliveryId, attempt: &Attempt) -> sqlx::Result<()> {
    let state = match (attempt.delivered, attempt.again_at) {
        (true, _) => "delivered",
        (false, Some(_)) => "waiting",
        (false, None) => "failed",
    };
    sqlx::query!(
        "
        UPDATE partner_deliveries
        SET state = $2, due_at = $3, status = $4, failure = $5, ended_at = CASE WHEN $3::timestamptz IS NULL THEN $6::timestamptz END
        WHERE id = $1 AND state = 'waiting'
        ",
        id.uuid(),
        state,
        attempt.again_at,
        attempt.status,
        attempt.failure,
        attempt.at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One thing that an address was told, or is to be told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// Its id: `wid` of what is signed.
    pub id: DeliveryId,
    /// Which address.
    pub postback_id: PartnerPostbackId,
    /// What happened; `test` for a trial.
    #[serde(rename = "type")]
    pub kind: String,
    /// To which conversion; null for a trial.
    pub conversion_id: Option<ConversionId>,
    /// The address with its macros filled in, without the signature.
    pub url: String,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    /// What the address answered last.
    pub status: Option<i32>,
    /// Why it was not delivered.
    pub failure: Option<String>,
    /// When it was to be told first.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What an address was told, newest first.
pub async fn list(
    db: &mut PgConnection,
    postback: PartnerPostbackId,
    after: Option<DeliveryId>,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"
        SELECT id AS "id: Column<DeliveryId>", postback_id AS "postback_id: Column<PartnerPostbackId>", type AS kind,
               subject AS "conversion_id!: Nullable<ConversionId>", url, state, attempts, due_at, status, failure, created_at,
               ended_at
        FROM partner_deliveries
        WHERE postback_id = $1 AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC
        LIMIT $3
        "#,
        postback.uuid(),
        after.map(DeliveryId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Forgets deliveries that ended before a moment.
pub async fn forget(db: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let forgotten =
        sqlx::query!("DELETE FROM partner_deliveries WHERE ended_at < $1", before).execute(db).await?;
    Ok(forgotten.rows_affected())
}

/// How often an address was tried since a moment.
pub async fn trials(
    db: &mut PgConnection,
    postback: PartnerPostbackId,
    since: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM partner_deliveries
        WHERE postback_id = $1 AND event_id IS NULL AND $2 <= created_at
        "#,
        postback.uuid(),
        since
    )
    .fetch_one(db)
    .await
}
