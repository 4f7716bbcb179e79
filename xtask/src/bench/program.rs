//! The affiliate program that is clicked: made straight in the database, because making it is not what is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use sqlx::{Connection, Executor, PgConnection, migrate::Migrator};
use uuid::Uuid;

use crate::workspace;

/// How many links there are.
pub const LINKS: u32 = 10_000;
/// How many affiliates they are spread over.
const AFFILIATES: i32 = 500;
/// How many campaigns they lead to.
const CAMPAIGNS: i32 = 20;
/// How many advertisers those belong to.
const ADVERTISERS: i32 = 5;

/// How many bytes are sent at once.
const PART: usize = 256 << 10;

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
    // The counters have left dead rows behind.
    db.execute("VACUUM FULL links").await?;
    db.execute("CHECKPOINT").await?;
    Ok(db.close().await?)
}

/// Copies the clicks, as they lie in memory, into a table without indexes; returns how long the database took.
pub async fn bare_copy(database_url: &str) -> Result<Duration> {
    let mut db = PgConnection::connect(database_url).await?;
    db.execute("DROP TABLE IF EXISTS bare").await?;
    db.execute("CREATE TABLE bare (LIKE clicks)").await?;
    let mut rows: Vec<u8> = Vec::new();
    let mut reading = db.copy_out_raw("COPY (TABLE clicks) TO STDOUT (FORMAT binary)").await?;
    while let Some(part) = reading.try_next().await? {
        rows.extend_from_slice(&part);
    }
    drop(reading);
    let begin = Instant::now();
    let mut copy = db.copy_in_raw("COPY bare FROM STDIN (FORMAT binary)").await?;
    for part in rows.chunks(PART) {
        copy.send(part).await?;
    }
    copy.finish().await?;
    let took = begin.elapsed();
    db.execute("DROP TABLE bare").await?;
    db.close().await?;
    Ok(took)
}

/// What the clicks take on disk with their indexes, in bytes.
pub async fn clicks_size(database_url: &str) -> Result<u64> {
    let mut db = PgConnection::connect(database_url).await?;
    let bytes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree('clicks') WHERE isleaf",
    )
    .fetch_one(&mut db)
    .await?;
    db.close().await?;
    Ok(bytes.unsigned_abs())
}

/// The ids of all clicks, in their order.
pub async fn click_ids(database_url: &str) -> Result<Vec<u128>> {
    let mut db = PgConnection::connect(database_url).await?;
    let mut rows = sqlx::query_scalar::<_, Uuid>("SELECT id FROM clicks ORDER BY id").fetch(&mut db);
    let mut ids = Vec::new();
    while let Some(id) = rows.try_next().await? {
        ids.push(id.as_u128());
    }
    Ok(ids)
}
