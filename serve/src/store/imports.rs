//! Files that are brought into the event lake: what was said of them, and what came of it.

use std::{collections::BTreeMap, str::FromStr};

use chrono::{DateTime, Utc};
use domain::ImportId;
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;

use super::columns::Column;

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportStatus {
    /// Its file has not come.
    Waiting,
    /// Its file is there, and a worker reads it or will.
    Queued,
    /// All rows that could be were imported.
    Done,
    /// The file could not be read at all.
    Failed,
}

impl FromStr for ImportStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "waiting" => Ok(Self::Waiting),
            "queued" => Ok(Self::Queued),
            "done" => Ok(Self::Done),
            "failed" => Ok(Self::Failed),
            _ => Err(format!("{text:?} is not the status of an import")),
        }
    }
}

/// A file that is brought into the event lake.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// What its rows are.
    pub rows: String,
    /// How it is written.
    pub format: String,
    /// Whose names it uses.
    pub source: String,
    /// Columns that are called otherwise than the fields that they are.
    pub columns: BTreeMap<String, String>,
    /// Values that all rows have, by field.
    pub constants: BTreeMap<String, String>,
    /// Whether it is read and checked only.
    pub dry_run: bool,
    /// How far it is.
    pub status: ImportStatus,
    /// How many bytes the file has; null before it came.
    pub bytes: Option<i64>,
    /// How many rows it has; 0 before it was read.
    pub rows_read: i64,
    /// How many of them were rejected; `/rejected` says which and why.
    pub rows_rejected: i64,
    /// The columns that are no field.
    pub unused_columns: Vec<String>,
    /// Why it failed as a whole.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was done, or failed.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What came of an import.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many rows the file has.
    pub rows: i64,
    /// How many of them were rejected.
    pub rejected: i64,
    /// The columns that are no field.
    pub unused: Vec<String>,
    /// Why it failed as a whole, if it did.
    pub failure: Option<String>,
}

/// Stores an import whose file has not come.
pub async fn insert(db: &mut PgConnection, import: &Import) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO imports (id, rows, format, source, columns, constants, dry_run, status, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8)",
        import.id.uuid(),
        import.rows,
        import.format,
        import.source,
        Json(&import.columns) as _,
        Json(&import.constants) as _,
        import.dry_run,
        import.created_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Imports, newest first.
pub async fn list(db: &mut PgConnection, after: Option<ImportId>, limit: i64) -> sqlx::Result<Vec<Import>> {
    some(db, None, after, None, limit).await
}

/// One import, if there is such a one.
pub async fn find(db: &mut PgConnection, id: ImportId) -> sqlx::Result<Option<Import>> {
    Ok(some(db, Some(id), None, None, 1).await?.pop())
}

/// Those that were finished before a moment, or announced before it and never sent.
pub async fn finished(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> sqlx::Result<Vec<Import>> {
    some(db, None, None, Some(before), limit).await
}

async fn some(
    db: &mut PgConnection,
    id: Option<ImportId>,
    after: Option<ImportId>,
    finished_before: Option<DateTime<Utc>>,
    limit: i64,
) -> sqlx::Result<Vec<Import>> {
    sqlx::query_as!(
        Import,
        r#"
        SELECT id, rows, format, source, columns AS "columns: Column<BTreeMap<String, String>>",
               constants AS "constants: Column<BTreeMap<String, String>>", dry_run,
               status AS "status: Column<ImportStatus>", bytes, rows_read, rows_rejected, unused_columns, failure,
               created_at, finished_at
        FROM imports
        WHERE ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR id < $2)
          AND ($3::timestamptz IS NULL OR (status <> 'queued' AND coalesce(finished_at, created_at) < $3))
        ORDER BY id DESC
        LIMIT $4
        "#,
        id.map(ImportId::uuid),
        after.map(ImportId::uuid),
        finished_before,
        limit
    )
    .fetch_all(db)
    .await
}

/// Notes that the file of an import has come; false when that was so before.
pub async fn receive(db: &mut PgConnection, id: ImportId, bytes: i64) -> sqlx::Result<bool> {
    let received = sqlx::query!(
        "UPDATE imports SET status = 'queued', bytes = $2 WHERE id = $1 AND status = 'waiting'",
        id.uuid(),
        bytes
    );
    Ok(received.execute(db).await?.rows_affected() == 1)
}

/// The import whose file waits for longest.
pub async fn next_queued(db: &mut PgConnection) -> sqlx::Result<Option<ImportId>> {
    let next = sqlx::query_scalar!("SELECT id FROM imports WHERE status = 'queued' ORDER BY id LIMIT 1");
    Ok(next.fetch_optional(db).await?.map(ImportId::from))
}

/// Notes what came of an import.
pub async fn conclude(
    db: &mut PgConnection,
    id: ImportId,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE imports
         SET status = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'failed' END, failure = $2, rows_read = $3,
             rows_rejected = $4, unused_columns = $5, finished_at = $6
         WHERE id = $1",
        id.uuid(),
        outcome.failure,
        outcome.rows,
        outcome.rejected,
        &outcome.unused,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets an import.
pub async fn delete(db: &mut PgConnection, id: ImportId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM imports WHERE id = $1", id.uuid()).execute(db).await?;
    Ok(())
}
