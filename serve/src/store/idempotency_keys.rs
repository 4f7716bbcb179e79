//! The answers of POSTs that carried an idempotency key, each stored in the transaction that made it.

use chrono::{DateTime, Utc};
use domain::ApiKeyId;
use sqlx::PgConnection;

/// An answer that was given before.
pub struct Kept {
    /// SHA-256 of the request that it answered.
    pub fingerprint: Vec<u8>,
    /// Its status.
    pub answer_status: i32,
    /// Its body, to the byte.
    pub answer: String,
}

/// An answer to keep.
pub struct Answer<'a> {
    /// Whose request it answers.
    pub caller: ApiKeyId,
    /// The caller's name for the request.
    pub key: &'a str,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// The status.
    pub status: u16,
    /// The body, as JSON.
    pub body: &'a str,
    /// Whether it is kept for ever.
    pub about_money: bool,
    /// When it was given.
    pub at: DateTime<Utc>,
}

/// Takes the key until the transaction ends; false when another request holds it right now.
pub async fn try_lock(tx: &mut PgConnection, caller: ApiKeyId, key: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "locked!""#,
        format!("idempotency {caller} {key}")
    )
    .fetch_one(tx)
    .await
}

/// The answer that was given under this key, if any.
pub async fn find(tx: &mut PgConnection, caller: ApiKeyId, key: &str) -> sqlx::Result<Option<Kept>> {
    sqlx::query_as!(
        Kept,
        r#"
        SELECT fingerprint, answer_status, answer::text AS "answer!"
        FROM idempotency_keys
        WHERE api_key_id = $1 AND key = $2
        "#,
        caller.uuid(),
        key
    )
    .fetch_optional(tx)
    .await
}

/// Keeps an answer with the effect that it tells of.
pub async fn insert(tx: &mut PgConnection, answer: &Answer<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO idempotency_keys (api_key_id, key, fingerprint, answer_status, answer, about_money, created_at)
        VALUES ($1, $2, $3, $4, $5::text::json, $6, $7)
        ",
        answer.caller.uuid(),
        answer.key,
        &answer.fingerprint[..],
        i32::from(answer.status),
        answer.body,
        answer.about_money,
        answer.at
    )
    .execute(tx)
    .await?;
    Ok(())
}
