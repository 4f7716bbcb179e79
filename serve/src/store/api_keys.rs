//! The keys of the API: their hashes, what they may do, and when they were last used.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use domain::{AffiliateId, ApiKeyId};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::columns::{Column, Nullable};
use crate::scope::Scope;

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKey {
    /// Its public part.
    pub id: ApiKeyId,
    /// What it is called.
    pub name: String,
    /// Whether it is for real traffic.
    pub live: bool,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Set: it shows and changes only what is this affiliate's.
    pub affiliate_id: Option<AffiliateId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is not accepted.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// How many requests a minute it may make; as many as any other when null.
    #[schema(minimum = 1)]
    pub requests_per_minute: Option<i32>,
}

/// What is needed to know whether a key that somebody sends is good.
#[derive(Debug)]
pub struct Kept {
    /// SHA-256 of the key's secret part.
    pub secret_hash: Vec<u8>,
    /// Whether it is for real traffic.
    pub live: bool,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Whose own key it is.
    pub affiliate_id: Option<AffiliateId>,
    /// From when on it is not accepted.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// How many requests a minute it may make, where that is its own.
    pub requests_per_minute: Option<i32>,
}

impl Kept {
    /// Whether it is neither revoked nor expired.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Its own quota, if it has one.
    pub fn quota(&self) -> Option<NonZeroU32> {
        self.requests_per_minute.and_then(|quota| NonZeroU32::new(u32::try_from(quota).ok()?))
    }
}

/// A key and the hash of its secret.
pub async fn for_authentication(db: &mut PgConnection, id: ApiKeyId) -> sqlx::Result<Option<Kept>> {
    sqlx::query_as!(
        Kept,
        r#"
        SELECT secret_hash, live, scopes AS "scopes: Column<Vec<Scope>>",
               affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", expires_at, revoked_at, last_used_at,
               requests_per_minute
        FROM api_keys
        WHERE id = $1
        "#,
        id.uuid()
    )
    .fetch_optional(db)
    .await
}

/// Remembers that a key was used.
pub async fn touch(db: &mut PgConnection, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND last_used_at IS DISTINCT FROM $2",
        id.uuid(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps a new key.
pub async fn insert(db: &mut PgConnection, key: &ApiKey, secret_hash: [u8; 32]) -> sqlx::Result<()> {
    let scopes: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "
        INSERT INTO api_keys (id, name, secret_hash, live, scopes, affiliate_id, created_at, expires_at,
                              requests_per_minute)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        key.id.uuid(),
        key.name,
        &secret_hash[..],
        key.live,
        &scopes,
        key.affiliate_id.map(AffiliateId::uuid),
        key.created_at,
        key.expires_at,
        key.requests_per_minute
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a key is called.
pub async fn name(db: &mut PgConnection, id: ApiKeyId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT name FROM api_keys WHERE id = $1", id.uuid()).fetch_optional(db).await
}

/// What a key is called that may look at cases now: not revoked or over, and no affiliate's own.
pub async fn name_of_analyst(
    db: &mut PgConnection,
    id: ApiKeyId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT name FROM api_keys
         WHERE id = $1
           AND affiliate_id IS NULL
           AND revoked_at IS NULL
           AND (expires_at IS NULL OR $2 < expires_at)
           AND scopes && ARRAY['*', 'fraud:read']",
        id.uuid(),
        now
    )
    .fetch_optional(db)
    .await
}

/// The keys made before `after`, newest first.
pub async fn list(db: &mut PgConnection, after: Option<ApiKeyId>, limit: i64) -> sqlx::Result<Vec<ApiKey>> {
    sqlx::query_as!(
        ApiKey,
        r#"
        SELECT id, name, live, scopes AS "scopes: Column<Vec<Scope>>",
               affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", created_at, expires_at, revoked_at, last_used_at,
               requests_per_minute
        FROM api_keys
        WHERE $1::uuid IS NULL OR id < $1
        ORDER BY id DESC
        LIMIT $2
        "#,
        after.map(ApiKeyId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// The keys of an affiliate that are not revoked, newest first.
pub async fn of_affiliate(db: &mut PgConnection, affiliate: AffiliateId) -> sqlx::Result<Vec<ApiKey>> {
    sqlx::query_as!(
        ApiKey,
        r#"
        SELECT id, name, live, scopes AS "scopes: Column<Vec<Scope>>",
               affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", created_at, expires_at, revoked_at, last_used_at,
               requests_per_minute
        FROM api_keys
        WHERE affiliate_id = $1 AND revoked_at IS NULL
        ORDER BY id DESC
        "#,
        affiliate.uuid()
    )
    .fetch_all(db)
    .await
}

/// Revokes a key from `now` on and returns it; an earlier revocation stands.
pub async fn revoke(db: &mut PgConnection, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<Option<ApiKey>> {
    sqlx::query_as!(
        ApiKey,
        r#"
        UPDATE api_keys
        SET revoked_at = COALESCE(revoked_at, $2)
        WHERE id = $1
        RETURNING id, name, live, scopes AS "scopes: Column<Vec<Scope>>",
                  affiliate_id AS "affiliate_id!: Nullable<AffiliateId>", created_at, expires_at, revoked_at, last_used_at,
                  requests_per_minute
        "#,
        id.uuid(),
        now
    )
    .fetch_optional(db)
    .await
}
