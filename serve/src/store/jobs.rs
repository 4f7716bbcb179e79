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

/// Forgets the answers given before `before` that are not about money; says how many.
pub async fn purge_idempotency_keys(db: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let purged =
        sqlx::query!("DELETE FROM idempotency_keys WHERE created_at < $1 AND NOT about_money", before);
    Ok(purged.execute(db).await?.rows_affected())
}
