//! A program that has run for thirty days: clicks of every hour, most of them of few affiliates, conversions, commissions and
//! their postings, made straight in the database, because making them is not what is measured.

use std::fs;

use anyhow::{Context, Result};
use domain::{AffiliateId, CampaignId, ConversionId, LinkId};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::workspace;

/// Over so many days everything is spread.
const DAYS: i32 = 30;
/// About one in so many clicks leads to a conversion.
pub const CLICKS_A_CONVERSION: u32 = 100;

/// Of a number who it belongs to: the first of 500 affiliates has an eighth of all. And a UUID of a moment.
const FUNCTIONS: [&str; 2] = [
    "CREATE FUNCTION bench_affiliate(number int) RETURNS int LANGUAGE sql IMMUTABLE AS
     $$ SELECT floor(500 * power((hashint4(number) & 65535) / 65536.0, 3))::int $$",
    "CREATE FUNCTION bench_id(at timestamptz, hash text) RETURNS uuid LANGUAGE sql IMMUTABLE AS
     $$ SELECT overlay(uuid_v7_floor(at)::text PLACING '-7' || substr(hash, 1, 3) || '-8' || substr(hash, 4, 3) || '-'
                       || substr(hash, 7, 12) FROM 14)::uuid $$",
];
/// The clicks of a day, of today only what is over. Four in a row on a campaign are of one visit.
const CLICKS: &str = "
    INSERT INTO clicks (id, occurred_at, link_id, affiliate_id, campaign_id, advertiser_id, session_id, subs,
                        address_hash, network, country, device, user_agent)
    SELECT bench_id(at, hash), date_trunc('milliseconds', at), md5('link' || link)::uuid,
           md5('affiliate' || affiliate)::uuid, md5('campaign' || link % 20)::uuid,
           md5('advertiser' || link % 20 % 5)::uuid,
           md5('visit' || $1::int || ' ' || number / 80 || ' ' || link % 20)::uuid, ARRAY['shelf' || number % 7],
           decode(hash, 'hex'), '203.0.113.0/24', 'DE', 'desktop', 'Mozilla/5.0'
    FROM (
        SELECT number, affiliate, affiliate + 500 * (number % 20) AS link, md5($1::int || ' ' || number) AS hash,
               day + least(interval '1 day', now() - day) * (number::float8 / $2) AS at
        FROM (SELECT number, bench_affiliate(number) AS affiliate FROM generate_series(0, $2::int - 1) AS number) AS made,
             (SELECT date_trunc('day', now(), 'UTC') - $1::int * interval '1 day' AS day) AS begun
    ) AS placed";
/// The clicks that lead to conversions, by their hashes, and when.
const SOLD: &str = "
    CREATE TEMPORARY TABLE sold AS
    SELECT row_number() OVER (ORDER BY click_id) AS number, *, bench_id(at, md5('sold' || click_id)) AS id
    FROM (
        SELECT id AS click_id, least(occurred_at + interval '10 minutes', now()) AS at, affiliate_id, link_id, campaign_id,
               advertiser_id, occurred_at AS clicked_at, subs, session_id,
               uuid_v7_floor(date_trunc('day', occurred_at, 'UTC')) AS day
        FROM clicks
        WHERE (get_byte(address_hash, 0) * 256 + get_byte(address_hash, 1)) % current_setting('bench.a_conversion')::int = 0
    ) AS clicked";
/// Conversions, each with its whole credit, a line of commission and a balanced transaction.
const OF_SOLD: [(&str, &str); 8] = [
    (
        "conversions",
        "INSERT INTO conversions (id, advertiser_id, campaign_id, event, event_kind, status, click_id, link_id,
                                  affiliate_id, order_id, amount_minor, currency, occurred_at, received_at, updated_at,
                                  journey)
         SELECT id, advertiser_id, campaign_id, 'sale', 'sale', 'approved', click_id, link_id, affiliate_id,
                'order-' || number, 5000, 'EUR', at, at, at,
                (
                    SELECT jsonb_agg(jsonb_build_object('click', clicks.id, 'link', clicks.link_id,
                                                        'affiliate', clicks.affiliate_id, 'source', clicks.source,
                                                        'at', (extract(epoch FROM clicks.occurred_at) * 1e6)::bigint,
                                                        'device', clicks.device)
                                     ORDER BY clicks.id)
                    FROM clicks
                    WHERE clicks.session_id = sold.session_id
                      AND clicks.campaign_id = sold.campaign_id
                      AND clicks.id <= sold.click_id
                      AND sold.day <= clicks.id
                )
         FROM sold",
    ),
    (
        "moves",
        "INSERT INTO conversion_history (conversion_id, position, to_status, actor, moved_at)
         SELECT id, 0, 'approved', 'postback', at FROM sold",
    ),
    (
        "shares",
        "INSERT INTO conversion_shares (conversion_id, position, model, click_id, link_id, affiliate_id, share_ppm, touched_at,
                                        subs)
         SELECT id, 0, 'last_click', click_id, link_id, affiliate_id, 1000000, clicked_at, to_jsonb(subs) FROM sold",
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
        sqlx::query("SELECT recount_click_hours((now() AT TIME ZONE 'UTC')::date - $1)")
            .bind(days_ago)
            .execute(&mut db)
            .await
            .context("clicks are counted")?;
    }
    db.execute(
        "UPDATE links
         SET clicks = counted.clicks
         FROM (SELECT link_id, sum(clicks) AS clicks FROM link_hours GROUP BY link_id) AS counted
         WHERE counted.link_id = links.id",
    )
    .await?;
    sell(&mut db).await?;
    db.execute("VACUUM ANALYZE").await?;
    let all =
        "SELECT md5('affiliate' || number)::uuid FROM generate_series(0, 499) AS number ORDER BY number";
    let affiliates: Vec<Uuid> = sqlx::query_scalar(all).fetch_all(&mut db).await?;
    db.close().await?;
    Ok(affiliates.into_iter().map(AffiliateId::from).collect())
}

/// The last conversion of an affiliate, and what it came through: what pages are about.
pub struct Last {
    conversion: ConversionId,
    link: LinkId,
    campaign: CampaignId,
    affiliate: AffiliateId,
}

impl Last {
    /// The last one of an affiliate.
    pub async fn of(database_url: &str, affiliate: AffiliateId) -> Result<Self> {
        let mut db = PgConnection::connect(database_url).await?;
        let last = "SELECT id, link_id, campaign_id FROM conversions WHERE affiliate_id = $1 ORDER BY id DESC LIMIT 1";
        let (conversion, link, campaign): (Uuid, Uuid, Uuid) =
            sqlx::query_as(last).bind(affiliate.uuid()).fetch_one(&mut db).await?;
        db.close().await?;
        let (conversion, link, campaign) = (conversion.into(), link.into(), campaign.into());
        Ok(Self { conversion, link, campaign, affiliate })
    }

    /// Which it is.
    pub fn conversion(&self) -> ConversionId {
        self.conversion
    }

    /// The path of a page about it.
    pub fn path(&self, page: &str) -> String {
        page.replace("{conversion}", &self.conversion.to_string())
            .replace("{link}", &self.link.to_string())
            .replace("{campaign}", &self.campaign.to_string())
            .replace("{affiliate}", &self.affiliate.to_string())
    }
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

async fn sell(db: &mut PgConnection) -> Result<()> {
    let trace = fs::read_to_string(workspace::root().join("domain/src/commission/trace-1.json"))?;
    for (name, value) in [("bench.a_conversion", CLICKS_A_CONVERSION.to_string()), ("bench.trace", trace)] {
        sqlx::query("SELECT set_config($1, $2, false)").bind(name).bind(value).execute(&mut *db).await?;
    }
    db.execute(SOLD).await.context("what is sold")?;
    for (what, statement) in OF_SOLD {
        db.execute(statement).await.with_context(|| format!("{what} are stored"))?;
    }
    Ok(())
}
