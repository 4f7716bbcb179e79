//! Advertisers and the keys with which they sign.

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, SigningKeyId, signature::Profile};
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;

use super::columns::{Aliases, Column};

/// A company whose products are advertised and who pays commissions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Advertiser {
    /// Its id.
    pub id: AdvertiserId,
    /// What it is called.
    pub name: String,
    /// Under this name the click id travels in the landing URL.
    pub click_param: String,
    /// How its postbacks are signed; the two legacy forms can be forged.
    pub postback_profile: Profile,
    /// Its own names for our postback fields: theirs to ours.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub postback_aliases: Aliases,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// A key with which an advertiser signs its postbacks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKey {
    /// Its name, which a message may give as `kid`.
    pub id: SigningKeyId,
    /// Whose it is.
    pub advertiser_id: AdvertiserId,
    /// `hmac_sha256` or `ed25519`.
    pub algorithm: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is not accepted.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Adds an advertiser.
pub async fn insert(tx: &mut PgConnection, advertiser: &Advertiser) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO advertisers (id, name, click_param, postback_profile, postback_aliases, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ",
        advertiser.id.uuid(),
        advertiser.name,
        advertiser.click_param,
        advertiser.postback_profile.name(),
        Json(&advertiser.postback_aliases) as _,
        advertiser.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Advertisers, newest first: all, or the one of that id.
pub async fn list(
    db: &mut PgConnection,
    id: Option<AdvertiserId>,
    after: Option<AdvertiserId>,
    limit: i64,
) -> sqlx::Result<Vec<Advertiser>> {
    sqlx::query_as!(
        Advertiser,
        r#"
        SELECT id, name, click_param, postback_profile AS "postback_profile: Column<Profile>",
               postback_aliases AS "postback_aliases: Column<Aliases>", created_at
        FROM advertisers
        WHERE ($1::uuid IS NULL OR id = $1)
          AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC
        LIMIT $3
        "#,
        id.map(AdvertiserId::uuid),
        after.map(AdvertiserId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// One advertiser.
pub async fn find(db: &mut PgConnection, id: AdvertiserId) -> sqlx::Result<Option<Advertiser>> {
    Ok(list(db, Some(id), None, 1).await?.pop())
}

/// The keys of an advertiser, newest first, without what is secret of them: all, or the one of that id.
pub async fn signing_keys(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    id: Option<SigningKeyId>,
    after: Option<SigningKeyId>,
    limit: i64,
) -> sqlx::Result<Vec<SigningKey>> {
    sqlx::query_as!(
        SigningKey,
        r#"
        SELECT id, advertiser_id, algorithm, created_at, expires_at
        FROM signing_keys
        WHERE advertiser_id = $1
          AND ($2::uuid IS NULL OR id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        advertiser.uuid(),
        id.map(SigningKeyId::uuid),
        after.map(SigningKeyId::uuid),
        limit
    )
    .fetch_all(db)
    .await
}

/// Lets a key expire now, unless it already has, and returns it.
pub async fn expire_signing_key(
    tx: &mut PgConnection,
    id: SigningKeyId,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<SigningKey>> {
    sqlx::query_as!(
        SigningKey,
        r#"
        UPDATE signing_keys
        SET expires_at = LEAST(expires_at, $2)
        WHERE id = $1
        RETURNING id, advertiser_id, algorithm, created_at, expires_at
        "#,
        id.uuid(),
        now
    )
    .fetch_optional(tx)
    .await
}
