//! The affiliate program that is clicked: made straight in the database, because making it is not what is measured.

use anyhow::{Context, Result};
use sqlx::{Connection, Executor, PgConnection, migrate::Migrator};

use crate::workspace;

/// How many links there are.
pub const LINKS: u32 = 10_000;
/// How many affiliates they are spread over.
const AFFILIATES: i32 = 500;
/// How many campaigns they lead to.
const CAMPAIGNS: i32 = 20;
/// How many advertisers those belong to.
const ADVERTISERS: i32 = 5;

/// The code of a link by its number, the same in `tracking/examples/click_without_log.rs`.
pub fn code(number: u64) -> String {
    format!("link{number:05}")
}

/// Applies the migrations to an empty database and fills in the program.
pub async fn create(database_url: &str) -> Result<()> {
    let migrations = workspace::root().join("migrations");
    let mut db = PgConnection::connect(database_url).await?;
    Migrator::new(migrations).await?.run(&mut db).await.context("the migrations cannot be applied")?;
    sqlx::query(
        "INSERT INTO advertisers (id, name, created_at)
         SELECT md5('advertiser' || number)::uuid, 'Shop ' || number, now()
         FROM generate_series(0, $1 - 1) AS number",
    )
    .bind(ADVERTISERS)
    .execute(&mut db)
    .await?;
    sqlx::query(
        "INSERT INTO affiliates (id, name, email, status, created_at, updated_at)
         SELECT md5('affiliate' || number)::uuid, 'Affiliate ' || number, number || '@partners.example', 'approved',
                now(), now()
         FROM generate_series(0, $1 - 1) AS number",
    )
    .bind(AFFILIATES)
    .execute(&mut db)
    .await?;
    sqlx::query(
        "INSERT INTO campaigns (id, advertiser_id, name, currency, landing_url, events, created_at, updated_at)
         SELECT md5('campaign' || number)::uuid, md5('advertiser' || number % $2)::uuid, 'Campaign ' || number, 'EUR',
                'https://shop' || number || '.example/products?utm_source=partner', '[]', now(), now()
         FROM generate_series(0, $1 - 1) AS number",
    )
    .bind(CAMPAIGNS)
    .bind(ADVERTISERS)
    .execute(&mut db)
    .await?;
    sqlx::query(
        "INSERT INTO links (id, code, affiliate_id, campaign_id, custom_params, created_at)
         SELECT md5('link' || number)::uuid, 'link' || lpad(number::text, 5, '0'),
                md5('affiliate' || number % $2)::uuid, md5('campaign' || number % $3)::uuid,
                CASE WHEN number % 3 = 0 THEN '{\"sub3\": \"shelf\"}'::jsonb ELSE '{}' END, now()
         FROM generate_series(0, $1 - 1) AS number",
    )
    .bind(LINKS.cast_signed())
    .bind(AFFILIATES)
    .bind(CAMPAIGNS)
    .execute(&mut db)
    .await?;
    db.execute("ANALYZE").await?;
    Ok(db.close().await?)
}

/// What the database holds of clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Rows.
    pub rows: u64,
    /// The sum of the links' counters.
    pub counted: u64,
}

/// Counts the rows and adds up the counters.
pub async fn stored(database_url: &str) -> Result<Stored> {
    let mut db = PgConnection::connect(database_url).await?;
    let (rows, counted): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM clicks), (SELECT coalesce(sum(clicks), 0)::bigint FROM links)",
    )
    .fetch_one(&mut db)
    .await?;
    db.close().await?;
    Ok(Stored { rows: rows.unsigned_abs(), counted: counted.unsigned_abs() })
}

/// Takes all clicks away, so that the next run begins like the first.
pub async fn forget_clicks(database_url: &str) -> Result<()> {
    let mut db = PgConnection::connect(database_url).await?;
    db.execute("TRUNCATE clicks").await?;
    db.execute("UPDATE links SET clicks = 0").await?;
    // One after the other: neither may be part of a transaction that is not its own.
    db.execute("VACUUM FULL links").await?;
    db.execute("CHECKPOINT").await?;
    Ok(db.close().await?)
}
