//! Addresses of partners that are told of their conversions, and each time one is told.

use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ClickId, ConversionId, Currency, DeliveryId, EventId, LinkId, PartnerPostbackId,
    campaign::EventKind,
    click::Device,
    conversion::{ConversionStatus, ReversalReason},
    postback::Occasion,
};
use serde::Serialize;
use sqlx::{PgConnection, types::Uuid};
use utoipa::ToSchema;

use super::columns::{Column, Nullable};

/// An address of a partner's that is told of its conversions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartnerPostback {
    /// Its id.
    pub id: PartnerPostbackId,
    /// Whose.
    pub affiliate_id: AffiliateId,
    /// Of which campaign it is told; of all when null.
    pub campaign_id: Option<CampaignId>,
    /// The address, with macros.
    #[schema(example = "https://tracker.example/in?cid={sub1}&payout={payout}")]
    pub url: String,
    /// What it is told of.
    pub events: Vec<Occasion>,
    /// Whether what it is told is signed.
    pub signed: bool,
    /// When it was entered.
    pub created_at: DateTime<Utc>,
    /// Since when it is told nothing, because it answered that it wants no more (410).
    pub stopped_at: Option<DateTime<Utc>>,
}

/// Which addresses are looked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Only this one.
    pub id: Option<PartnerPostbackId>,
    /// Only this affiliate's.
    pub affiliate: Option<AffiliateId>,
    /// Only what comes after it in the list.
    pub after: Option<PartnerPostbackId>,
}

/// Addresses that are not removed, newest first.
pub async fn list(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> sqlx::Result<Vec<PartnerPostback>> {
    sqlx::query_as!(
        PartnerPostback,
        r#"
        SELECT id AS "id: Column<PartnerPostbackId>", affiliate_id AS "affiliate_id: Column<AffiliateId>",
               campaign_id AS "campaign_id!: Nullable<CampaignId>", url, events AS "events: Column<Vec<Occasion>>", signed,
               created_at, stopped_at
        FROM partner_postbacks
        WHERE removed_at IS NULL
          AND ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR affiliate_id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        wanted.id.map(PartnerPostbackId::uuid),
        wanted.affiliate.map(AffiliateId::uuid),
        wanted.after.map(PartnerPostbackId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Keeps a new address.
pub async fn insert(tx: &mut PgConnection, new: &PartnerPostback) -> sqlx::Result<()> {
    let events: Vec<_> = new.events.iter().map(|event| event.name().to_owned()).collect();
    sqlx::query!(
        "
        INSERT INTO partner_postbacks (id, affiliate_id, campaign_id, url, events, signed, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        new.id.uuid(),
        new.affiliate_id.uuid(),
        new.campaign_id.map(CampaignId::uuid),
        new.url,
        &events,
        new.signed,
        new.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Tells an address nothing more: it was removed.
pub async fn remove(tx: &mut PgConnection, id: PartnerPostbackId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE partner_postbacks SET removed_at = $2 WHERE id = $1", id.uuid(), at)
        .execute(&mut *tx)
        .await?;
    give_up(tx, id, "The address was removed.", at).await
}

/// Tells an address nothing more: it wants nothing.
pub async fn stop(tx: &mut PgConnection, id: PartnerPostbackId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE partner_postbacks SET stopped_at = $2 WHERE id = $1", id.uuid(), at)
        .execute(&mut *tx)
        .await?;
    give_up(tx, id, "The address answered that it wants no more (410).", at).await
}

async fn give_up(
    tx: &mut PgConnection,
    id: PartnerPostbackId,
    why: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE partner_deliveries
        SET state = 'failed', due_at = NULL, ended_at = $3, failure = $2
        WHERE postback_id = $1 AND state = 'waiting'
        ",
        id.uuid(),
        why,
        at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Something that was announced and that nobody was told of yet.
#[derive(Debug)]
pub struct Announced {
    /// Where it stands.
    pub position: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// What was announced and not told yet, oldest first.
pub async fn announced(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Announced>> {
    sqlx::query_as!(
        Announced,
        r#"
        SELECT position, id AS "id: Column<EventId>", type AS kind, subject, created_at
        FROM outbox
        WHERE delivered_at IS NULL
        ORDER BY position
        LIMIT $1
        "#,
        limit
    )
    .fetch_all(db)
    .await
}

/// Notes that whoever wants to know of these is going to be told.
pub async fn told(tx: &mut PgConnection, positions: &[i64], at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE outbox SET delivered_at = $2 WHERE position = ANY ($1)", positions, at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Something that an address is told of, with all that its macros may ask for.
#[derive(Debug)]
pub struct News {
    /// Which address.
    pub postback_id: PartnerPostbackId,
    /// The address, with macros.
    pub url: String,
    /// What happened, by its id.
    pub event_id: EventId,
    /// What happened.
    pub kind: String,
    /// When.
    pub happened_at: DateTime<Utc>,
    /// To which conversion.
    pub conversion_id: ConversionId,
    /// Whose address it is.
    pub affiliate_id: AffiliateId,
    /// Of which campaign the conversion is.
    pub campaign_id: CampaignId,
    /// What that is called.
    pub campaign_name: String,
    /// What the visitor did.
    pub event: String,
    /// Which kind of event that is.
    pub event_kind: EventKind,
    /// The conversion's state.
    pub status: ConversionStatus,
    /// Why it is that.
    pub reason: Option<ReversalReason>,
    /// What the order came to, in minor units.
    pub amount_minor: i64,
    /// What of it was taken back.
    pub reversed_minor: i64,
    /// The order's currency.
    pub currency: Currency,
    /// The promo code of the order.
    pub coupon: Option<String>,
    /// When it was bought.
    pub occurred_at: DateTime<Utc>,
    /// The partner's part of the credit, in parts per million.
    pub share_ppm: i64,
    /// The model that divided it.
    pub model: String,
    /// What the partner earns, in minor units; none where there is no line.
    pub payout_minor: Option<i64>,
    /// In which currency.
    pub payout_currency: Option<Currency>,
    /// The partner's click.
    pub click_id: Option<ClickId>,
    /// The partner's link.
    pub link_id: LinkId,
    /// The link's code.
    pub link_code: String,
    /// When it was clicked; none for a coupon, or where the click is no more.
    pub clicked_at: Option<DateTime<Utc>>,
    /// The click's id in the partner's own system.
    pub external_click_id: Option<String>,
    /// The click's sub-ids, by position.
    pub subs: Option<Vec<String>>,
    /// The click's campaign tags, by position.
    pub utm: Option<Vec<String>>,
    /// The click's source.
    pub source: Option<String>,
    /// The click's user id.
    pub uid: Option<String>,
    /// The click's country.
    pub country: Option<String>,
    /// The click's device.
    pub device: Option<Device>,
}

/// Who wants to be told of these events (their ids, what they are, of which conversions, when), with what there is to say.
pub async fn news(
    db: &mut PgConnection,
    (events, kinds, conversions, moments): (&[Uuid], &[&str], &[Uuid], &[DateTime<Utc>]),
) -> sqlx::Result<Vec<News>> {
    sqlx::query_as!(
        News,
        r#"
        SELECT partner_postbacks.id AS "postback_id: Column<PartnerPostbackId>", partner_postbacks.url,
               event.id AS "event_id!: Column<EventId>", event.kind AS "kind!", event.happened_at AS "happened_at!",
               conversions.id AS "conversion_id: Column<ConversionId>",
               partner_postbacks.affiliate_id AS "affiliate_id: Column<AffiliateId>",
               conversions.campaign_id AS "campaign_id: Column<CampaignId>", campaigns.name AS campaign_name,
               conversions.event, conversions.event_kind AS "event_kind: Column<EventKind>",
               conversions.status AS "status: Column<ConversionStatus>",
               conversions.reason AS "reason!: Nullable<ReversalReason>", conversions.amount_minor, conversions.reversed_minor,
               conversions.currency AS "currency: Column<Currency>", conversions.coupon, conversions.occurred_at,
               credit.share_ppm AS "share_ppm!", credit.model AS "model!",
               earned.amount_minor AS "payout_minor?", earned.currency AS "payout_currency!: Nullable<Currency>",
               credit.click_id AS "click_id!: Nullable<ClickId>", credit.link_id AS "link_id!: Column<LinkId>",
               links.code AS link_code,
               clicks.occurred_at AS "clicked_at?", clicks.external_click_id AS "external_click_id?", clicks.subs AS "subs?",
               clicks.utm AS "utm?", clicks.source AS "source?", clicks.uid AS "uid?", clicks.country AS "country?",
               clicks.device AS "device!: Nullable<Device>"
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[]) AS event (id, kind, conversion_id, happened_at)
        JOIN conversions ON conversions.id = event.conversion_id
        JOIN campaigns ON campaigns.id = conversions.campaign_id
        JOIN LATERAL (
            SELECT affiliate_id, sum(share_ppm) AS share_ppm, min(model) AS model,
                   (array_agg(click_id ORDER BY position DESC))[1] AS click_id,
                   (array_agg(link_id ORDER BY position DESC))[1] AS link_id
            FROM conversion_shares
            WHERE conversion_id = conversions.id
            GROUP BY affiliate_id
        ) AS credit ON true
        JOIN partner_postbacks ON partner_postbacks.affiliate_id = credit.affiliate_id
            AND partner_postbacks.removed_at IS NULL
            AND partner_postbacks.stopped_at IS NULL
            AND partner_postbacks.created_at <= event.happened_at
            AND event.kind = ANY (partner_postbacks.events)
            AND (partner_postbacks.campaign_id IS NULL OR partner_postbacks.campaign_id = conversions.campaign_id)
        JOIN links ON links.id = credit.link_id
        LEFT JOIN clicks ON clicks.id = credit.click_id
        LEFT JOIN LATERAL (
            SELECT sum(commissions.amount_minor)::bigint AS amount_minor, min(commissions.currency) AS currency
            FROM commissions
            WHERE commissions.conversion_id = conversions.id AND commissions.affiliate_id = credit.affiliate_id
        ) AS earned ON true
        ORDER BY event.happened_at, event.id
        "#,
        events,
        kinds as &[&str],
        conversions,
        moments
    )
    .fetch_all(db)
    .await
}

/// Whether any address is told anything at all.
pub async fn are_any(db: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM partner_postbacks WHERE removed_at IS NULL AND stopped_at IS NULL) AS "any!""#
    )
    .fetch_one(db)
    .await
}

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
pub async fn insert_deliveries(
    tx: &mut PgConnection,
    new: &[NewDelivery],
    at: DateTime<Utc>,
) -> sqlx::Result<u64> {
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
pub async fn deliveries(
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
