//! What the worker's jobs do to the tables, and whose turn it is.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

/// Whether this worker is to do a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is; until the transaction ends nobody else does it.
    Ours,
    /// Another one is at it.
    AnotherWorkers,
}

/// Takes the turn for a job until the transaction ends.
pub async fn take_turn(tx: &mut PgConnection, job: &str) -> sqlx::Result<Turn> {
    let ours = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "ours!""#,
        format!("job {job}")
    );
    Ok(if ours.fetch_one(tx).await? { Turn::Ours } else { Turn::AnotherWorkers })
}

/// Makes the partition for the clicks of one day; says how many were made: one, or none when it is there.
pub async fn ensure_click_partition(db: &mut PgConnection, day: NaiveDate) -> sqlx::Result<u64> {
    let table = format!("clicks_{}", day.format("%Y%m%d"));
    let known = sqlx::query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "known!""#, table);
    if known.fetch_one(&mut *db).await? {
        return Ok(0);
    }
    sqlx::query!("SELECT ensure_click_partition($1)", day).execute(db).await?;
    Ok(1)
}

/// The same for the impressions of one day.
pub async fn ensure_impression_partition(db: &mut PgConnection, day: NaiveDate) -> sqlx::Result<u64> {
    let table = format!("impressions_{}", day.format("%Y%m%d"));
    let known = sqlx::query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "known!""#, table);
    if known.fetch_one(&mut *db).await? {
        return Ok(0);
    }
    sqlx::query!("SELECT ensure_impression_partition($1)", day).execute(db).await?;
    Ok(1)
}

/// Forgets the answers given before `before` that are not about money; says how many.
pub async fn purge_idempotency_keys(db: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let purged =
        sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < $1 AND NOT about_money", before);
    Ok(purged.execute(db).await?.rows_affected())
}

/// The days before `before` that have clicks or a place for them, oldest first.
pub async fn click_days(db: &mut PgConnection, before: NaiveDate) -> sqlx::Result<Vec<NaiveDate>> {
    let days = sqlx::query_scalar!(
        r#"
        SELECT day AS "day!"
        FROM pg_inherits
        JOIN pg_class ON pg_class.oid = inhrelid
        CROSS JOIN LATERAL to_date(substring(relname FROM '^clicks_(\d{8})$'), 'YYYYMMDD') AS day
        WHERE inhparent = 'clicks'::regclass
          AND day < $1
        ORDER BY day
        "#,
        before
    );
    days.fetch_all(db).await
}

/// The days before `before` that have impressions or a place for them, oldest first.
pub async fn impression_days(db: &mut PgConnection, before: NaiveDate) -> sqlx::Result<Vec<NaiveDate>> {
    let days = sqlx::query_scalar!(
        r#"
        SELECT day AS "day!"
        FROM pg_inherits
        JOIN pg_class ON pg_class.oid = inhrelid
        CROSS JOIN LATERAL to_date(substring(relname FROM '^impressions_(\d{8})$'), 'YYYYMMDD') AS day
        WHERE inhparent = 'impressions'::regclass
          AND day < $1
        ORDER BY day
        "#,
        before
    );
    days.fetch_all(db).await
}

/// How many days a campaign looks back at most, for credit or by its cookie; none when there is no campaign.
pub async fn longest_look_back(db: &mut PgConnection) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!("SELECT max(greatest(window_days, cookie_days)) FROM campaigns").fetch_one(db).await
}

/// Whether a postback in quarantine names a click of that day, or a session that clicked on it.
pub async fn is_waited_for(db: &mut PgConnection, day: NaiveDate) -> sqlx::Result<bool> {
    let waited_for = sqlx::query_scalar!(
        r#"
        WITH ids AS (
            SELECT uuid_v7_floor($1::date::timestamp AT TIME ZONE 'UTC') AS first,
                   uuid_v7_floor(($1::date + 1)::timestamp AT TIME ZONE 'UTC') AS behind
        )
        SELECT EXISTS (
            SELECT
            FROM quarantine, ids
            WHERE resolved_at IS NULL
              AND (ids.first <= click_id AND click_id < ids.behind
                   OR EXISTS (
                       SELECT
                       FROM clicks
                       WHERE clicks.session_id = quarantine.session_id
                         AND ids.first <= clicks.id
                         AND clicks.id < ids.behind
                   ))
        ) AS "is!"
        "#,
        day
    );
    waited_for.fetch_one(db).await
}

/// Empties the journeys that begin on a day whose clicks are dropped next, or before it; says how many they were.
pub async fn forget_journeys(db: &mut PgConnection, day: NaiveDate) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT forget_journeys($1) AS "forgotten!""#, day).fetch_one(db).await
}

/// Drops the clicks of one day, which stay counted; says how many they were.
pub async fn drop_click_day(db: &mut PgConnection, day: NaiveDate, now: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT drop_click_day($1, $2) AS "dropped!""#, day, now).fetch_one(db).await
}

/// Drops the impressions of one day, which stay counted; says how many they were.
pub async fn drop_impression_day(
    db: &mut PgConnection,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT drop_impression_day($1, $2) AS "dropped!""#, day, now).fetch_one(db).await
}

/// Whether the days of links lack clicks of a day (UTC), or have too many, by what its hours count; not once the day was
/// dropped, as nobody can count it again. The span is the day's own. Affiliates are looked at one by one, so that each finds its
/// rows by an index that begins with it.
pub async fn is_counted_apart(
    db: &mut PgConnection,
    day: NaiveDate,
    (begins, ends): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<bool> {
    let is_apart = sqlx::query_scalar!(
        r#"
        SELECT NOT EXISTS (SELECT FROM dropped_click_days WHERE dropped_click_days.day = $1)
           AND EXISTS (
               SELECT
               FROM affiliates
               WHERE (
                         SELECT sum(link_hours.clicks)
                         FROM link_hours
                         WHERE link_hours.affiliate_id = affiliates.id
                           AND $2 <= link_hours.hour
                           AND link_hours.hour < $3
                     ) IS DISTINCT FROM (
                         SELECT sum(link_days.clicks)
                         FROM link_days
                         WHERE link_days.affiliate_id = affiliates.id
                           AND link_days.day = $1
                     )
           ) AS "is!"
        "#,
        day,
        begins,
        ends
    );
    is_apart.fetch_one(db).await
}

/// Counts the clicks of a day (UTC) again; until the transaction ends, whoever stores clicks waits.
pub async fn count_clicks_again(db: &mut PgConnection, day: NaiveDate) -> sqlx::Result<()> {
    sqlx::query!("SELECT recount_click_hours($1)", day).execute(db).await?;
    Ok(())
}

/// Forgets what a tracker of an earlier release does not count: clicks by affiliate, by day and by what came with them.
#[cfg(test)]
pub async fn forget_page_counters(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM affiliate_hours").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM link_days").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM tag_hours").execute(db).await?;
    Ok(())
}

/// How many links have other clicks by the hour, by the day or in the tables than they counted.
#[cfg(test)]
pub async fn unlike_links(db: &mut PgConnection) -> sqlx::Result<i64> {
    let unlike = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM link_click_audit
        WHERE counted <> stored + dropped OR counted <> by_hour OR counted <> by_day
        "#
    );
    unlike.fetch_one(db).await
}
