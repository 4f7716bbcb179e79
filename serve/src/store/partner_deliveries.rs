//! Each time an address of a partner's is told something: when it is due, and how it went.

use chrono::{DateTime, Utc};
use domain::{AffiliateId, ConversionId, DeliveryId, EventId, PartnerPostbackId, postback::DeliveryState};
use http::StatusCode;
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
    /// When it is tried first; or why it never is, as a sentence.
    pub due_at: Result<DateTime<Utc>, &'static str>,
}

/// Keeps what is to be told, once for each address and event.
pub async fn insert(tx: &mut PgConnection, new: &[NewDelivery], at: DateTime<Utc>) -> sqlx::Result<u64> {
    let ids: Vec<_> = new.iter().map(|one| one.id.uuid()).collect();
    let postbacks: Vec<_> = new.iter().map(|one| one.postback.uuid()).collect();
    let events: Vec<_> = new.iter().map(|one| one.event.map(EventId::uuid)).collect();
    let kinds: Vec<_> = new.iter().map(|one| one.kind.as_str()).collect();
    let subjects: Vec<_> = new.iter().map(|one| one.conversion.map(ConversionId::uuid)).collect();
    let urls: Vec<_> = new.iter().map(|one| one.url.as_str()).collect();
    let due: Vec<_> = new.iter().map(|one| one.due_at.ok()).collect();
    let failures: Vec<_> = new.iter().map(|one| one.due_at.err()).collect();
    let inserted = sqlx::query!(
        "
        INSERT INTO partner_deliveries
            (id, postback_id, event_id, type, subject, url, state, due_at, failure, created_at, ended_at)
        SELECT new.id, postback_id, event_id, type, subject, url,
               CASE WHEN failure IS NULL THEN 'waiting' ELSE 'failed' END, due_at, failure, $9,
               CASE WHEN failure IS NOT NULL THEN $9::timestamptz END
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[], $8::text[])
             AS new (id, postback_id, event_id, type, subject, url, due_at, failure)
        ON CONFLICT ON CONSTRAINT partner_deliveries_once DO NOTHING
        ",
        &ids,
        &postbacks,
        &events as &[Option<Uuid>],
        &kinds as &[&str],
        &subjects as &[Option<Uuid>],
        &urls as &[&str],
        &due as &[Option<DateTime<Utc>>],
        &failures as &[Option<&str>],
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
    /// Whose address it is.
    pub affiliate_id: AffiliateId,
    /// The address with its macros filled in.
    pub url: String,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether a partner sent it to try its address: it is tried once.
    pub is_trial: bool,
    /// How many attempts there are with this one.
    pub attempts: i32,
}

/// How much is taken at once, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    /// What is due by now.
    pub now: DateTime<Utc>,
    /// What is taken comes again at this moment unless somebody says how it went.
    pub until: DateTime<Utc>,
    /// Nothing of these affiliates.
    pub but: &'a [Uuid],
    /// So much of one affiliate.
    pub each: i64,
    /// So much in all.
    pub limit: i64,
}

/// Takes what is due.
pub async fn take_due(db: &mut PgConnection, taking: Taking<'_>) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        WITH due AS (
            SELECT oldest.id, oldest.due_at,
                   row_number() OVER (PARTITION BY one.affiliate_id ORDER BY oldest.due_at, oldest.id) AS place
            FROM partner_postbacks AS one
            CROSS JOIN LATERAL (
                SELECT id, due_at
                FROM partner_deliveries
                WHERE postback_id = one.id AND due_at <= $1
                ORDER BY due_at
                LIMIT $4
            ) AS oldest
            WHERE one.removed_at IS NULL
              AND one.affiliate_id <> ALL ($3)
              AND EXISTS (SELECT FROM partner_deliveries WHERE due_at <= $1)
        ),
        taken AS (
            SELECT partner_deliveries.id
            FROM due
            JOIN partner_deliveries ON partner_deliveries.id = due.id
            WHERE due.place <= $4 AND partner_deliveries.state = 'waiting' AND partner_deliveries.due_at <= $1
            ORDER BY due.due_at, due.id
            LIMIT $5
            FOR UPDATE OF partner_deliveries SKIP LOCKED
        )
        UPDATE partner_deliveries
        SET due_at = $2, attempts = attempts + 1
        FROM taken, partner_postbacks
        WHERE partner_deliveries.id = taken.id
          AND partner_postbacks.id = partner_deliveries.postback_id
        RETURNING partner_deliveries.id AS "id: Column<DeliveryId>",
                  partner_deliveries.postback_id AS "postback_id: Column<PartnerPostbackId>",
                  partner_postbacks.affiliate_id AS "affiliate_id: Column<AffiliateId>", partner_deliveries.url,
                  partner_postbacks.signed, partner_deliveries.event_id IS NULL AS "is_trial!", partner_deliveries.attempts
        "#,
        taking.now,
        taking.until,
        taking.but,
        taking.each,
        taking.limit
    )
    .fetch_all(db)
    .await
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The address took it.
    Delivered,
    /// It is tried again then.
    Again(DateTime<Utc>),
    /// That was the last attempt.
    GivenUp,
}

/// How an attempt went.
#[derive(Debug)]
pub struct Attempt {
    /// What came of it.
    pub outcome: Outcome,
    /// What the address answered.
    pub status: Option<StatusCode>,
    /// Why it was not delivered.
    pub failure: Option<String>,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// Notes how an attempt went.
pub async fn note(db: &mut PgConnection, due: &Due, attempt: &Attempt) -> sqlx::Result<()> {
    let (state, again_at) = match attempt.outcome {
        Outcome::Delivered => (DeliveryState::Delivered, None),
        Outcome::Again(at) => (DeliveryState::Waiting, Some(at)),
        Outcome::GivenUp => (DeliveryState::Failed, None),
    };
    sqlx::query!(
        "
        UPDATE partner_deliveries
        SET state = $2, due_at = $3, status = $4, failure = $5, attempts = greatest(attempts, $7),
            ended_at = CASE WHEN $3::timestamptz IS NULL THEN $6::timestamptz END
        WHERE id = $1 AND state = 'waiting'
        ",
        due.id.uuid(),
        state.name(),
        again_at,
        attempt.status.map(|status| i32::from(status.as_u16())),
        attempt.failure,
        attempt.at,
        due.attempts
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives up whatever an address is still to be told.
pub async fn give_up(
    tx: &mut PgConnection,
    postback: PartnerPostbackId,
    why: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE partner_deliveries
        SET state = 'failed', due_at = NULL, ended_at = $3, failure = $2
        WHERE postback_id = $1 AND state = 'waiting'
        ",
        postback.uuid(),
        why,
        at
    )
    .execute(tx)
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
    /// How far it is.
    pub state: DeliveryState,
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
               subject AS "conversion_id!: Nullable<ConversionId>", url,
               state AS "state: Column<DeliveryState>", attempts, due_at, status, failure, created_at, ended_at
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

/// How often an affiliate tried its addresses since a moment, those among them that it removed.
pub async fn trials(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    since: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM partner_deliveries
        JOIN partner_postbacks ON partner_postbacks.id = partner_deliveries.postback_id
        WHERE affiliate_id = $1 AND event_id IS NULL AND uuid_v7_floor($2) <= partner_deliveries.id
        "#,
        affiliate.uuid(),
        since
    )
    .fetch_one(db)
    .await
}
