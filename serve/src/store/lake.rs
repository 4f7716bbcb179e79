//! What the database has stored for the event lake since it last asked.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, EventId, LinkId, Money, PlanId, SessionId,
    campaign::EventKind,
    click::Device,
    commission::Rule,
    conversion::{ConversionStatus, ReversalReason},
    fraud::evidence::{CheckResult, FetchDestination, KeyedHash},
};
use sqlx::{PgConnection, types::Uuid};

use super::columns::{Column, Nullable};

/// For how many transactions the database remembers at least what they stored.
pub const MEMORY: i64 = 10_000_000;

/// A database at a moment.
pub struct Moment {
    /// Which database: the numbers of transactions mean something within it alone.
    pub database: String,
    /// The oldest transaction that has not ended: of all younger ones, some may still be to come.
    pub oldest_open: i64,
}

/// Which database this is, and what has ended in it.
pub async fn moment(db: &mut PgConnection) -> sqlx::Result<Moment> {
    sqlx::query_as!(
        Moment,
        r#"
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
                   AS "database!",
               pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest_open!"
        FROM pg_control_system()
        "#
    )
    .fetch_one(db)
    .await
}

/// How far back nothing can be stored any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When the oldest transaction began that has not ended: what began before has ended.
    pub before: DateTime<Utc>,
    /// The number of the next transaction: what has ended has a lower one.
    pub next: i64,
}

/// What has ended in this database by now. Whoever has read for a minute without storing anything, such as a backup, is not
/// waited for. Transactions of other roles are only known to one that may look at them (`pg_read_all_stats`).
pub async fn settled(db: &mut PgConnection) -> sqlx::Result<Settled> {
    sqlx::query_as!(
        Settled,
        r#"
        SELECT coalesce(min(xact_start) FILTER (WHERE pid <> pg_backend_pid()), statement_timestamp()) AS "before!",
               pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "next!"
        FROM pg_stat_activity
        WHERE datname = current_database()
          AND backend_type = 'client backend'
          AND (backend_xid IS NOT NULL OR statement_timestamp() - interval '1 minute' < xact_start)
        "#
    )
    .fetch_one(db)
    .await
}

/// Rows from one id to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first.
    pub first: Uuid,
    /// The last.
    pub last: Uuid,
}

/// Where the rows of a kind are that transactions from `from` on and before `until` stored, in the order of their ids.
pub async fn stretches(
    db: &mut PgConnection,
    kind: &str,
    from: i64,
    until: i64,
) -> sqlx::Result<Vec<Stretch>> {
    sqlx::query_as!(
        Stretch,
        "SELECT first_id AS first, last_id AS last
         FROM event_batches
         WHERE kind = $1
           AND $2 <= stored_in
           AND stored_in < $3
         ORDER BY first_id",
        kind,
        from,
        until
    )
    .fetch_all(db)
    .await
}

/// A click as it is stored.
pub struct StoredClick {
    /// Which click.
    pub id: ClickId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was stored; none when an older release stored it.
    pub stored_at: Option<DateTime<Utc>>,
    /// The link.
    pub link_id: LinkId,
    /// Whose link it is.
    pub affiliate_id: AffiliateId,
    /// What the link advertises.
    pub campaign_id: CampaignId,
    /// Whose campaign it is.
    pub advertiser_id: AdvertiserId,
    /// The visit.
    pub session_id: SessionId,
    /// `sub1` to `sub10`, without the empty ones at the end.
    pub subs: Vec<String>,
    /// Where the affiliate says it comes from.
    pub source: String,
    /// The affiliate's own id of the visitor.
    pub uid: String,
    /// The affiliate's own id of the click.
    pub external_click_id: String,
    /// The UTM parameters, without the empty ones at the end.
    pub utm: Vec<String>,
    /// Keyed hash of the address.
    pub address_hash: Vec<u8>,
    /// The address of its network.
    pub network: String,
    /// ISO 3166 country.
    pub country: String,
    /// The name of the kind of machine.
    pub device: String,
    /// The browser's user agent.
    pub user_agent: String,
    /// The page before.
    pub referrer: String,
    /// What the browser wanted the answer for.
    pub fetch_destination: Option<FetchDestination>,
    /// Whether a person's action led to the click.
    pub fetch_by_user: Option<bool>,
    /// Whether the client hints name what the user agent names.
    pub client_hints_match: Option<bool>,
}

/// The clicks after `after` up to `last`, in the order of their ids.
pub async fn clicks(
    db: &mut PgConnection,
    after: Uuid,
    last: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredClick>> {
    sqlx::query_as!(
        StoredClick,
        r#"
        SELECT id, occurred_at, stored_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source,
               uid, external_click_id, utm, address_hash, host(network) AS "network!", country, device, user_agent,
               referrer, fetch_destination AS "fetch_destination!: Nullable<FetchDestination>", fetch_by_user,
               client_hints_match
        FROM clicks
        WHERE $1 < id
          AND id <= $2
        ORDER BY id
        LIMIT $3
        "#,
        after,
        last,
        limit
    )
    .fetch_all(db)
    .await
}

/// The click of an id.
pub async fn click(db: &mut PgConnection, id: ClickId) -> sqlx::Result<Option<StoredClick>> {
    sqlx::query_as!(
        StoredClick,
        r#"
        SELECT id, occurred_at, stored_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs, source,
               uid, external_click_id, utm, address_hash, host(network) AS "network!", country, device, user_agent,
               referrer, fetch_destination AS "fetch_destination!: Nullable<FetchDestination>", fetch_by_user,
               client_hints_match
        FROM clicks
        WHERE id = $1
        "#,
        id.uuid()
    )
    .fetch_optional(db)
    .await
}

/// An impression as it is stored.
pub struct StoredImpression {
    /// Which impression.
    pub id: EventId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was stored; none when an older release stored it.
    pub stored_at: Option<DateTime<Utc>>,
    /// The link.
    pub link_id: LinkId,
    /// Whose link it is.
    pub affiliate_id: AffiliateId,
    /// What the link advertises.
    pub campaign_id: CampaignId,
    /// Whose campaign it is.
    pub advertiser_id: AdvertiserId,
    /// The visit, if its cookie came along.
    pub session_id: Option<SessionId>,
    /// Keyed hash of the address.
    pub address_hash: Vec<u8>,
    /// The address of its network.
    pub network: String,
    /// ISO 3166 country.
    pub country: String,
    /// The name of the kind of machine.
    pub device: String,
    /// The browser's user agent.
    pub user_agent: String,
    /// The page that showed it.
    pub referrer: String,
}

/// The impressions after `after` up to `last`, in the order of their ids.
pub async fn impressions(
    db: &mut PgConnection,
    after: Uuid,
    last: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredImpression>> {
    sqlx::query_as!(
        StoredImpression,
        r#"
        SELECT id, occurred_at, stored_at, link_id, affiliate_id, campaign_id, advertiser_id,
               session_id AS "session_id!: Nullable<SessionId>", address_hash, host(network) AS "network!", country,
               device, user_agent, referrer
        FROM impressions
        WHERE $1 < id
          AND id <= $2
        ORDER BY id
        LIMIT $3
        "#,
        after,
        last,
        limit
    )
    .fetch_all(db)
    .await
}

/// Forgets where clicks and impressions are that were stored so long ago that whoever asks reads
/// the whole table; says how many batches there were.
pub async fn forget_batches(db: &mut PgConnection) -> sqlx::Result<u64> {
    let before = moment(db).await?.oldest_open - 2 * MEMORY;
    let forgotten = sqlx::query!("DELETE FROM event_batches WHERE stored_in < $1", before);
    Ok(forgotten.execute(db).await?.rows_affected())
}

/// One move of a conversion, by its conversion and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveKey {
    /// Which conversion.
    pub conversion: Uuid,
    /// Its how manieth move, from 0.
    pub position: i32,
}

/// The moves after `after` that transactions from `from` on and before `until` made.
pub async fn new_moves(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: MoveKey,
    limit: i64,
) -> sqlx::Result<Vec<MoveKey>> {
    sqlx::query_as!(
        MoveKey,
        "SELECT conversion_id AS conversion, position
         FROM conversion_history
         WHERE $1 <= stored_in
           AND stored_in < $2
           AND ($3, $4) < (conversion_id, position)
         ORDER BY conversion_id, position
         LIMIT $5",
        from,
        until,
        after.conversion,
        after.position,
        limit
    )
    .fetch_all(db)
    .await
}

/// The moves after `after`, whoever made them.
pub async fn all_moves(db: &mut PgConnection, after: MoveKey, limit: i64) -> sqlx::Result<Vec<MoveKey>> {
    sqlx::query_as!(
        MoveKey,
        "SELECT conversion_id AS conversion, position
         FROM conversion_history
         WHERE ($1, $2) < (conversion_id, position)
         ORDER BY conversion_id, position
         LIMIT $3",
        after.conversion,
        after.position,
        limit
    )
    .fetch_all(db)
    .await
}

/// A move with its conversion.
pub struct StoredMove {
    /// Its how manieth move, from 0.
    pub position: i32,
    /// Where the conversion was; none at its beginning.
    pub from_status: Option<ConversionStatus>,
    /// Where it came to.
    pub to_status: ConversionStatus,
    /// Why it was rejected or reversed.
    pub reason: Option<ReversalReason>,
    /// When.
    pub moved_at: DateTime<Utc>,
    /// What was taken back of it with this move, in minor units; none when an older release did not say.
    pub taken_back_minor: Option<i64>,
    /// Which conversion.
    pub id: ConversionId,
    /// Who pays for it.
    pub advertiser_id: AdvertiserId,
    /// Under which campaign.
    pub campaign_id: CampaignId,
    /// The event's name in the campaign's list.
    pub event: String,
    /// What kind of thing it is.
    pub event_kind: EventKind,
    /// The click that was reported.
    pub click_id: Option<ClickId>,
    /// The visit.
    pub session_id: Option<SessionId>,
    /// The link with the largest share of the credit.
    pub link_id: Option<LinkId>,
    /// The affiliate with the largest share of the credit.
    pub affiliate_id: Option<AffiliateId>,
    /// The advertiser's order.
    pub order_id: Option<String>,
    /// The advertiser's customer.
    pub customer_id: Option<String>,
    /// The promo code that was used.
    pub coupon: Option<String>,
    /// Where the customer bought, ISO 3166.
    pub country: Option<String>,
    /// Keyed hash of the customer's address.
    pub address_hash: Option<KeyedHash>,
    /// The network of that address.
    pub network: Option<IpAddr>,
    /// What kind of machine.
    pub device: Option<Device>,
    /// Keyed hash of the device's id.
    pub device_hash: Option<KeyedHash>,
    /// Keyed hash of the customer's mailbox.
    pub email_hash: Option<KeyedHash>,
    /// Where the mailbox is.
    pub email_domain: Option<String>,
    /// Keyed hash of the account that paid.
    pub account_hash: Option<KeyedHash>,
    /// Whole seconds that the customer was on the site.
    pub time_on_site_seconds: Option<i32>,
    /// What a check of the mailbox said.
    pub email_check: Option<CheckResult>,
    /// What a test for people said.
    pub captcha_check: Option<CheckResult>,
    /// What it was worth after this move, or is worth now where an older release did not say.
    pub amount: Money,
    /// When the customer converted.
    pub occurred_at: DateTime<Utc>,
    /// When it was first reported.
    pub received_at: DateTime<Utc>,
}

/// Those moves with their conversions, in the order of the keys.
pub async fn moves(db: &mut PgConnection, keys: &[MoveKey]) -> sqlx::Result<Vec<StoredMove>> {
    let conversions: Vec<Uuid> = keys.iter().map(|key| key.conversion).collect();
    let positions: Vec<i32> = keys.iter().map(|key| key.position).collect();
    sqlx::query_as!(
        StoredMove,
        r#"
        SELECT moved.position, moved.from_status AS "from_status!: Nullable<ConversionStatus>",
               moved.to_status AS "to_status: Column<ConversionStatus>",
               moved.reason AS "reason!: Nullable<ReversalReason>", moved.moved_at,
               CASE
                   WHEN moved.to_status = 'reversed'
                   THEN coalesce(moved.reversed_minor, CASE WHEN NOT goes_on THEN conversions.reversed_minor END)
                        - before_minor
               END AS taken_back_minor,
               conversions.id, advertiser_id, campaign_id, event, event_kind AS "event_kind: Column<EventKind>",
               click_id AS "click_id!: Nullable<ClickId>", session_id AS "session_id!: Nullable<SessionId>",
               link_id AS "link_id!: Nullable<LinkId>", affiliate_id AS "affiliate_id!: Nullable<AffiliateId>",
               order_id, customer_id, coupon, country, address_hash AS "address_hash!: Nullable<KeyedHash>",
               host(network) AS "network!: Nullable<IpAddr>", device AS "device!: Nullable<Device>",
               device_hash AS "device_hash!: Nullable<KeyedHash>", email_hash AS "email_hash!: Nullable<KeyedHash>",
               email_domain, account_hash AS "account_hash!: Nullable<KeyedHash>", time_on_site_seconds,
               email_check AS "email_check!: Nullable<CheckResult>",
               captcha_check AS "captcha_check!: Nullable<CheckResult>",
               (coalesce(moved.amount_minor, conversions.amount_minor), currency) AS "amount!: Column<Money>",
               occurred_at, received_at
        FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS wanted (conversion_id, position, place)
        JOIN conversion_history AS moved USING (conversion_id, position)
        JOIN conversions ON conversions.id = conversion_id
        CROSS JOIN LATERAL (
            SELECT coalesce(max(others.reversed_minor) FILTER (WHERE others.position < moved.position), 0)
                       AS before_minor,
                   bool_or(moved.position < others.position AND others.to_status = 'reversed') AS goes_on
            FROM conversion_history AS others
            WHERE others.conversion_id = moved.conversion_id
        ) AS around
        ORDER BY place
        "#,
        &conversions,
        &positions
    )
    .fetch_all(db)
    .await
}

/// A version of a plan.
pub struct StoredPlan {
    /// Which.
    pub id: PlanId,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// For whom alone, if so.
    pub affiliate_id: Option<AffiliateId>,
    /// What it pays.
    pub rules: Vec<Rule>,
    /// From when on.
    pub effective_from: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The plans after `after` that transactions from `from` on and before `until` made, in the order of their ids.
pub async fn plans(
    db: &mut PgConnection,
    (from, until): (i64, i64),
    after: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<StoredPlan>> {
    sqlx::query_as!(
        StoredPlan,
        r#"
        SELECT id, campaign_id, affiliate_id AS "affiliate_id!: Nullable<AffiliateId>",
               rules AS "rules: Column<Vec<Rule>>", effective_from, created_at
        FROM commission_plans
        WHERE $1 <= stored_in
          AND stored_in < $2
          AND $3 < id
        ORDER BY id
        LIMIT $4
        "#,
        from,
        until,
        after,
        limit
    )
    .fetch_all(db)
    .await
}
