//! What a program needs before its first postback, written straight into the database, and what is read back.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, LinkId, PlanId, SessionId,
    signature::Profile,
};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use tracking::{customer::Customer, store::conversions};

pub struct Seed<'a> {
    pub pool: &'a PgPool,
    pub at: DateTime<Utc>,
}

impl Seed<'_> {
    pub async fn advertiser(&self, id: AdvertiserId, profile: Profile, aliases: Value) {
        sqlx::query(
            "INSERT INTO advertisers (id, name, postback_profile, postback_aliases, created_at)
             VALUES ($1, 'Shop', $2, $3, $4)",
        )
        .bind(id.uuid())
        .bind(profile.name())
        .bind(aliases)
        .bind(self.at)
        .execute(self.pool)
        .await
        .unwrap();
    }

    pub async fn affiliate(&self, id: AffiliateId, status: &str, above: &[AffiliateId]) {
        sqlx::query(
            "INSERT INTO affiliates (id, name, email, status, parent_id, created_at, updated_at)
             VALUES ($1, 'Partner', $1::text || '@example.com', $2, $3, $4, $4)",
        )
        .bind(id.uuid())
        .bind(status)
        .bind(above.first().map(|parent| parent.uuid()))
        .bind(self.at)
        .execute(self.pool)
        .await
        .unwrap();
        for (depth, ancestor) in (0_i32..).zip([id].iter().chain(above)) {
            sqlx::query(
                "INSERT INTO affiliate_hierarchy (ancestor_id, descendant_id, depth) VALUES ($1, $2, $3)",
            )
            .bind(ancestor.uuid())
            .bind(id.uuid())
            .bind(depth)
            .execute(self.pool)
            .await
            .unwrap();
        }
    }

    pub async fn campaign(&self, id: CampaignId, advertiser: AdvertiserId, events: Value, window_days: i32) {
        sqlx::query(
            "INSERT INTO campaigns
                 (id, advertiser_id, name, currency, landing_url, events, window_days, created_at, updated_at)
             VALUES ($1, $2, 'Spring', 'EUR', 'https://shop.example/', $3, $4, $5, $5)",
        )
        .bind(id.uuid())
        .bind(advertiser.uuid())
        .bind(events)
        .bind(window_days)
        .bind(self.at)
        .execute(self.pool)
        .await
        .unwrap();
    }

    pub async fn divide_by(&self, campaign: CampaignId, rule: &str) {
        sqlx::query("UPDATE campaigns SET attribution = $2 WHERE id = $1")
            .bind(campaign.uuid())
            .bind(rule)
            .execute(self.pool)
            .await
            .unwrap();
    }

    pub async fn plan(&self, id: PlanId, campaign: CampaignId, affiliate: Option<AffiliateId>, rules: Value) {
        sqlx::query(
            "INSERT INTO commission_plans
                 (id, campaign_id, affiliate_id, version, rules, effective_from, created_at)
             VALUES ($1, $2, $3, 1, $4, $5, $5)",
        )
        .bind(id.uuid())
        .bind(campaign.uuid())
        .bind(affiliate.map(AffiliateId::uuid))
        .bind(rules)
        .bind(self.at)
        .execute(self.pool)
        .await
        .unwrap();
    }

    pub async fn link(&self, id: LinkId, affiliate: AffiliateId, campaign: CampaignId) {
        sqlx::query(
            "INSERT INTO links (id, code, affiliate_id, campaign_id, created_at)
             VALUES ($1, right(replace($1::text, '-', ''), 20), $2, $3, $4)",
        )
        .bind(id.uuid())
        .bind(affiliate.uuid())
        .bind(campaign.uuid())
        .bind(self.at)
        .execute(self.pool)
        .await
        .unwrap();
    }

    pub async fn coupon(&self, advertiser: AdvertiserId, code: &str, link: LinkId) {
        sqlx::query("INSERT INTO coupons (advertiser_id, code, link_id, created_at) VALUES ($1, $2, $3, $4)")
            .bind(advertiser.uuid())
            .bind(code)
            .bind(link.uuid())
            .bind(self.at)
            .execute(self.pool)
            .await
            .unwrap();
    }

    pub async fn click(
        &self,
        id: ClickId,
        session: SessionId,
        link: LinkId,
        (affiliate, campaign, advertiser): (AffiliateId, CampaignId, AdvertiserId),
    ) {
        sqlx::query("SELECT ensure_click_partition($1)")
            .bind(self.at.date_naive())
            .execute(self.pool)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO clicks
                 (id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, address_hash,
                  network, device)
             VALUES ($1, $2, $3, $4, $5, $6, $7, '', '203.0.113.0/24', 'desktop')",
        )
        .bind(id.uuid())
        .bind(self.at)
        .bind(link.uuid())
        .bind(affiliate.uuid())
        .bind(campaign.uuid())
        .bind(advertiser.uuid())
        .bind(session.uuid())
        .execute(self.pool)
        .await
        .unwrap();
    }
}

/// One number.
pub async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

pub const CONVERSIONS: &str = "SELECT count(*) FROM conversions";
pub const MESSAGES: &str = "SELECT count(*) FROM postback_messages";
pub const WAITING: &str = "SELECT count(*) FROM quarantine WHERE resolved_at IS NULL";
pub const LINK_CONVERSIONS: &str = "SELECT sum(conversions)::bigint FROM links";
/// Conversions that say another moment than their history of when they moved last.
pub const MOVED_ELSEWHEN: &str = "SELECT count(*) FROM conversions
    WHERE updated_at IS DISTINCT FROM (SELECT max(moved_at) FROM conversion_history WHERE conversion_id = conversions.id)";
pub const UNBALANCED: &str = "SELECT count(*) FROM (
    SELECT FROM ledger_postings GROUP BY transaction_id, currency HAVING sum(amount_minor) <> 0) AS unbalanced";
/// Lines of commission by state beside what the ledger owes by account: equal, always.
pub const DISAGREEMENTS: &str = "WITH lines AS (
        SELECT affiliate_id AS owner_id, 'commission_' || status AS kind, currency, sum(amount_minor) AS amount
        FROM commissions GROUP BY affiliate_id, status, currency
    ), owed AS (
        SELECT owner_id, kind, ledger_postings.currency, -sum(amount_minor) AS amount
        FROM ledger_postings JOIN ledger_accounts ON ledger_accounts.id = account_id
        WHERE kind <> 'commission_expense'
        GROUP BY owner_id, kind, ledger_postings.currency
    )
    SELECT count(*) FROM lines FULL JOIN owed USING (owner_id, kind, currency)
    WHERE coalesce(lines.amount, 0) <> coalesce(owed.amount, 0)";

/// A conversion in one line: status, amounts, and the states it went through.
pub async fn told(pool: &PgPool, id: ConversionId) -> String {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', status, reason, amount_minor, currency, nullif(reversed_minor, 0),
                (SELECT string_agg(to_status, '>' ORDER BY position) FROM conversion_history WHERE conversion_id = id))
         FROM conversions WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_one(pool)
    .await
    .unwrap()
}

/// The lines of commission in the order in which they were written: affiliate, level, state, amount.
pub async fn lines(pool: &PgPool, id: ConversionId) -> Vec<(AffiliateId, String)> {
    let rows: Vec<(uuid::Uuid, String)> = sqlx::query_as(
        "SELECT affiliate_id, concat_ws(' ', level, status, amount_minor, currency)
         FROM commissions WHERE conversion_id = $1
         ORDER BY transaction_id, corrects IS NULL, level, amount_minor",
    )
    .bind(id.uuid())
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter().map(|(affiliate, line)| (affiliate.into(), line)).collect()
}

/// The kinds of everything that was announced, each with how often.
pub async fn announced(pool: &PgPool) -> String {
    sqlx::query_scalar(
        "SELECT string_agg(line, ', ' ORDER BY line)
         FROM (SELECT type || ' ' || count(*) AS line FROM outbox GROUP BY type) AS kinds",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

pub async fn set_affiliate_status(pool: &PgPool, id: AffiliateId, status: &str) {
    sqlx::query("UPDATE affiliates SET status = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(status)
        .execute(pool)
        .await
        .unwrap();
}

pub async fn expire_keys(pool: &PgPool, at: DateTime<Utc>) {
    sqlx::query("UPDATE signing_keys SET expires_at = $1").bind(at).execute(pool).await.unwrap();
}

/// The steps of an affiliate's traces, one sentence a line, in the order in which they were written.
pub async fn traces(pool: &PgPool, affiliate: AffiliateId) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT step ->> 'text'
         FROM commissions, jsonb_array_elements(trace -> 'steps') WITH ORDINALITY AS steps (step, position)
         WHERE affiliate_id = $1
         ORDER BY transaction_id, position",
    )
    .bind(affiliate.uuid())
    .fetch_all(pool)
    .await
    .unwrap()
}

/// Every conversion of an advertiser in words, sorted.
pub async fn all_told(pool: &PgPool, advertiser: AdvertiserId) -> Vec<String> {
    let mut told: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', event, status, amount_minor, reversed_minor) FROM conversions WHERE advertiser_id = $1",
    )
    .bind(advertiser.uuid())
    .fetch_all(pool)
    .await
    .unwrap();
    told.sort();
    told
}

pub const MARKS: &str = "SELECT count(*) FROM advertisers";

/// Any row.
pub async fn insert_mark(pool: &PgPool) {
    sqlx::query("INSERT INTO advertisers (id, name, created_at) VALUES (gen_random_uuid(), 'Mark', now())")
        .execute(pool)
        .await
        .unwrap();
}

/// What the history says beside the states.
pub async fn notes(pool: &PgPool, id: ConversionId) -> String {
    sqlx::query_scalar(
        "SELECT string_agg(note, '; ' ORDER BY position) FROM conversion_history WHERE conversion_id = $1 AND note <> ''",
    )
    .bind(id.uuid())
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Puts an affiliate who stood below one other below another.
pub async fn set_parent(pool: &PgPool, id: AffiliateId, parent: AffiliateId) {
    sqlx::query("UPDATE affiliate_hierarchy SET ancestor_id = $2 WHERE descendant_id = $1 AND depth = 1")
        .bind(id.uuid())
        .bind(parent.uuid())
        .execute(pool)
        .await
        .unwrap();
}

/// Makes the first row in quarantine one that no release can read.
pub async fn break_first_waiting(pool: &PgPool) {
    sqlx::query("UPDATE quarantine SET postback = '{}' WHERE id = (SELECT min(id) FROM quarantine)")
        .execute(pool)
        .await
        .unwrap();
}

/// The error that the database answers with that code.
pub async fn raise(db: &mut PgConnection, code: &str) -> sqlx::Error {
    let query = format!("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$");
    sqlx::query(sqlx::AssertSqlSafe(query)).execute(db).await.unwrap_err()
}

/// What is kept of a conversion's customer, in one line.
pub async fn customer(pool: &PgPool, id: ConversionId) -> String {
    sqlx::query_scalar(
        "SELECT concat_ws(' ', encode(address_hash, 'hex'), network, country, device, encode(device_hash, 'hex'),
                encode(email_hash, 'hex'), email_domain, encode(account_hash, 'hex'))
         FROM conversions WHERE id = $1",
    )
    .bind(id.uuid())
    .fetch_one(pool)
    .await
    .unwrap()
}

/// The same as whoever decides about it reads it.
pub async fn read_customer(pool: &PgPool, id: ConversionId) -> Customer {
    conversions::customer(&mut pool.acquire().await.unwrap(), id).await.unwrap().unwrap()
}

/// Every row of every table as text.
pub async fn everything(pool: &PgPool) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(pool)
            .await
            .unwrap();
    let mut all = String::new();
    for table in tables {
        let query = format!("SELECT coalesce(string_agg(it::text, ' '), '') FROM {table} AS it");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap();
        all += &rows;
    }
    all
}

/// Stores a conversion as the release before the customers' columns does.
pub async fn insert_as_before(pool: &PgPool, id: ConversionId, like: ConversionId) {
    sqlx::query(
        "INSERT INTO conversions
             (id, advertiser_id, campaign_id, event, event_kind, status, amount_minor, currency, metadata, occurred_at,
              received_at, updated_at)
         SELECT $1, advertiser_id, campaign_id, event, event_kind, status, amount_minor, currency, metadata,
                occurred_at, received_at, updated_at
         FROM conversions
         WHERE id = $2",
    )
    .bind(id.uuid())
    .bind(like.uuid())
    .execute(pool)
    .await
    .unwrap();
}

/// Keeps the fingerprints of all messages as the release before did: without a key.
pub async fn fingerprint_as_before(pool: &PgPool, text: &str) {
    sqlx::query("UPDATE postback_messages SET fingerprint = sha256(convert_to($1, 'UTF8'))")
        .bind(text)
        .execute(pool)
        .await
        .unwrap();
}
