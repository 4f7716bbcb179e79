//! A program that has run for thirty days: clicks of every hour, most of them of few affiliates, conversions, commissions and
//! their postings, made straight in the database, because making them is not what is measured.

use std::fs;

use anyhow::{Context, Result};
use domain::AffiliateId;
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::workspace;

/// Over so many days everything is spread.
const DAYS: i32 = 30;
/// One in so many clicks leads to a conversion.
pub const CLICKS_A_CONVERSION: u32 = 100;

/// Of a number who it belongs to: the first of 500 affiliates has an eighth of all. And a UUID of a moment.
const FUNCTIONS: [&str; 2] = [
    "CREATE FUNCTION bench_affiliate(number int) RETURNS int LANGUAGE sql IMMUTABLE AS
     $$ SELECT floor(500 * power((hashint4(number) & 65535) / 65536.0, 3))::int $$",
    "CREATE FUNCTION bench_id(at timestamptz, hash text) RETURNS uuid LANGUAGE sql IMMUTABLE AS
     $$ SELECT overlay(uuid_v7_floor(at)::text PLACING '-7' || substr(hash, 1, 3) || '-8' || substr(hash, 4, 3) || '-'
                       || substr(hash, 7, 12) FROM 14)::uuid $$",
];
/// The clicks of a day, of today only what is over.
const CLICKS: &str = "
    INSERT INTO clicks (id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs,
                        address_hash, network, country, device, user_agent)
    SELECT bench_id(at, hash), date_trunc('milliseconds', at), md5('link' || link)::uuid,
           md5('affiliate' || affiliate)::uuid, md5('campaign' || link % 20)::uuid,
           md5('advertiser' || link % 20 % 5)::uuid, md5('visit' || hash)::uuid, ARRAY['shelf' || number % 7],
           decode(hash, 'hex'), '203.0.113.0/24', 'DE', 'desktop', 'Mozilla/5.0'
    FROM (
        SELECT number, affiliate, affiliate + 500 * (number % 20) AS link, md5($1::int || ' ' || number) AS hash,
               day + least(interval '1 day', now() - day) * (number::float8 / $2) AS at
        FROM (SELECT number, bench_affiliate(number) AS affiliate FROM generate_series(0, $2::int - 1) AS number) AS made,
             (SELECT date_trunc('day', now(), 'UTC') - $1::int * interval '1 day' AS day) AS begun
    ) AS placed";
const SOLD: &str = "
    CREATE TEMPORARY TABLE sold AS
    SELECT number, at, md5('affiliate' || affiliate)::uuid AS affiliate_id, md5('link' || link)::uuid AS link_id,
           md5('campaign' || link % 20)::uuid AS campaign_id, md5('advertiser' || link % 20 % 5)::uuid AS advertiser_id,
           bench_id(at, md5('sold' || number)) AS id
    FROM (
        SELECT number, affiliate, affiliate + 500 * (number % 20) AS link,
               now() - interval '30 days' * (number::float8 / many) AS at
        FROM (
            SELECT number, many, bench_affiliate(number) AS affiliate
            FROM (SELECT current_setting('bench.many')::int AS many) AS asked, generate_series(0, many - 1) AS number
        ) AS made
    ) AS placed";
/// Conversions, each with its whole credit, a line of commission and a balanced transaction.
const OF_SOLD: [(&str, &str); 8] = [
    (
        "conversions",
        "INSERT INTO conversions (id, advertiser_id, campaign_id, event, event_kind, status, link_id, affiliate_id,
                                  order_id, amount_minor, currency, occurred_at, received_at, updated_at)
         SELECT id, advertiser_id, campaign_id, 'sale', 'sale', 'approved', link_id, affiliate_id, 'order-' || number,
                5000, 'EUR', at, at, at
         FROM sold",
    ),
    (
        "moves",
        "INSERT INTO conversion_history (conversion_id, position, to_status, actor, moved_at)
         SELECT id, 0, 'approved', 'postback', at FROM sold",
    ),
    (
        "shares",
        "INSERT INTO conversion_shares (conversion_id, position, model, link_id, affiliate_id, share_ppm, touched_at)
         SELECT id, 0, 'last_click', link_id, affiliate_id, 1000000, at FROM sold",
    ),
    (
        "accounts",
        "INSERT INTO ledger_accounts (id, kind, owner_id, currency, created_at)
         SELECT md5(kind || owner_id)::uuid, kind, owner_id, 'EUR', now()
         FROM (
             SELECT DISTINCT 'commission_expense' AS kind, advertiser_id AS owner_id FROM sold
             UNION SELECT DISTINCT 'commission_payable', affiliate_id FROM sold
         ) AS owners",
    ),
    (
        "transactions",
        "INSERT INTO ledger_transactions (id, kind, reference, conversion_id, description, occurred_at)
         SELECT id, 'accrue', id::text, id, 'Commission', at FROM sold",
    ),
    (
        "postings",
        "INSERT INTO ledger_postings (transaction_id, position, account_id, amount_minor, currency)
         SELECT id, 0, md5('commission_expense' || advertiser_id)::uuid, 500, 'EUR' FROM sold
         UNION ALL SELECT id, 1, md5('commission_payable' || affiliate_id)::uuid, -500, 'EUR' FROM sold",
    ),
    (
        "commissions",
        "INSERT INTO commissions (id, conversion_id, affiliate_id, campaign_id, plan_id, level, status, amount_minor,
                                  currency, trace, transaction_id, created_at)
         SELECT id, id, affiliate_id, campaign_id, campaign_id, 0, 'payable', 500, 'EUR',
                current_setting('bench.trace')::jsonb, id, at
         FROM sold",
    ),
    (
        "counters",
        "UPDATE links
         SET conversions = counted.conversions
         FROM (SELECT link_id, count(*) AS conversions FROM sold GROUP BY link_id) AS counted
         WHERE counted.link_id = links.id",
    ),
];

/// Fills a program as `bench/program.rs` makes it; returns the affiliates, those with the most clicks first.
pub async fn fill(database_url: &str, clicks: u32) -> Result<Vec<AffiliateId>> {
    let mut db = PgConnection::connect(database_url).await?;
    db.execute("SET synchronous_commit = off").await?;
    for function in FUNCTIONS {
        db.execute(function).await?;
    }
    join(&mut db).await?;
    let a_day = (clicks / DAYS.unsigned_abs()).cast_signed();
    for days_ago in (0..DAYS).rev() {
        sqlx::query("SELECT ensure_click_partition((now() AT TIME ZONE 'UTC')::date - $1)")
            .bind(days_ago)
            .execute(&mut db)
            .await?;
        sqlx::query(CLICKS).bind(days_ago).bind(a_day).execute(&mut db).await.context("clicks are stored")?;
    }
    db.execute(
        "UPDATE links
         SET clicks = counted.clicks
         FROM (SELECT link_id, sum(clicks) AS clicks FROM link_hours GROUP BY link_id) AS counted
         WHERE counted.link_id = links.id",
    )
    .await?;
    sell(&mut db, clicks / CLICKS_A_CONVERSION).await?;
    db.execute("VACUUM ANALYZE").await?;
    let all =
        "SELECT md5('affiliate' || number)::uuid FROM generate_series(0, 499) AS number ORDER BY number";
    let affiliates: Vec<Uuid> = sqlx::query_scalar(all).fetch_all(&mut db).await?;
    db.close().await?;
    Ok(affiliates.into_iter().map(AffiliateId::from).collect())
}

/// Everybody takes part where it has links, at one rate.
async fn join(db: &mut PgConnection) -> Result<()> {
    db.execute("UPDATE campaigns SET status = 'active'").await?;
    db.execute(
        "INSERT INTO affiliate_campaigns (affiliate_id, campaign_id, joined_at)
         SELECT DISTINCT affiliate_id, campaign_id, now() - interval '60 days' FROM links",
    )
    .await?;
    db.execute(
        r#"INSERT INTO commission_plans (id, campaign_id, version, rules, effective_from, created_at)
           SELECT id, id, 1, '[{"event": "sale", "terms": {"model": "percentage", "rate": "10%"}}]',
                  now() - interval '60 days', now() - interval '60 days'
           FROM campaigns"#,
    )
    .await?;
    Ok(())
}

async fn sell(db: &mut PgConnection, many: u32) -> Result<()> {
    let trace = fs::read_to_string(workspace::root().join("domain/src/commission/trace-1.json"))?;
    for (name, value) in [("bench.many", many.to_string()), ("bench.trace", trace)] {
        sqlx::query("SELECT set_config($1, $2, false)").bind(name).bind(value).execute(&mut *db).await?;
    }
    db.execute(SOLD).await.context("what is sold")?;
    for (what, statement) in OF_SOLD {
        db.execute(statement).await.with_context(|| format!("{what} are stored"))?;
    }
    Ok(())
}
