//! Who may send postbacks, with which keys, and which messages were answered already.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{AdvertiserId, LinkId, SigningKeyId, signature::Profile};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::named;

/// How an advertiser's postbacks are signed and spelled.
#[derive(Debug, Clone)]
pub struct Advertiser {
    /// How they are signed.
    pub profile: Profile,
    /// The advertiser's own names for our fields.
    pub aliases: BTreeMap<String, String>,
    /// With what they may be signed, the newest first.
    pub keys: Vec<(SigningKeyId, Material)>,
}

/// The advertiser, if there is one, with the keys that it may sign with at `now`.
pub async fn advertiser(
    db: &mut PgConnection,
    id: AdvertiserId,
    now: DateTime<Utc>,
) -> Result<Option<Advertiser>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT advertisers.postback_profile AS "profile!",
                  advertisers.postback_aliases AS "aliases!: Json<BTreeMap<String, Value>>",
                  signing_keys.id AS "key_id?", signing_keys.algorithm AS "algorithm?",
                  signing_keys.material AS "material?"
           FROM advertisers
           LEFT JOIN signing_keys
               ON signing_keys.advertiser_id = advertisers.id
               AND (signing_keys.expires_at IS NULL OR $2 < signing_keys.expires_at)
           WHERE advertisers.id = $1
           ORDER BY signing_keys.id DESC"#,
        id.uuid(),
        now,
    )
    .fetch_all(db)
    .await?;
    let (mut known, mut keys) = (None, Vec::new());
    for row in rows {
        known = Some((row.profile, row.aliases.0));
        if let (Some(key), Some(algorithm), Some(material)) = (row.key_id, row.algorithm, row.material) {
            keys.push((key.into(), Material::of(&algorithm, material)));
        }
    }
    let Some((profile, aliases)) = known else { return Ok(None) };
    let texts = aliases.into_iter().filter_map(|(theirs, ours)| Some((theirs, ours.as_str()?.to_owned())));
    Ok(Some(Advertiser { profile: named(&profile)?, aliases: texts.collect(), keys }))
}

/// A key as it is kept: the sealed secret of an HMAC, or an Ed25519 public key as it is.
#[derive(Debug, Clone)]
pub enum Material {
    /// Sealed under the installation's secret.
    Hmac(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

impl Material {
    fn of(algorithm: &str, bytes: Vec<u8>) -> Self {
        if algorithm == "hmac_sha256" { Self::Hmac(bytes) } else { Self::Ed25519(bytes) }
    }
}

/// Stores a key.
pub async fn insert_key(
    db: &mut PgConnection,
    id: SigningKeyId,
    advertiser: AdvertiserId,
    material: &Material,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    let (algorithm, bytes) = match material {
        Material::Hmac(sealed) => ("hmac_sha256", sealed),
        Material::Ed25519(public) => ("ed25519", public),
    };
    sqlx::query!(
        "INSERT INTO signing_keys (id, advertiser_id, algorithm, material, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        advertiser.uuid(),
        algorithm,
        bytes,
        created_at,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An answer that was given to a signed message.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Keyed hash of what the message said.
    pub fingerprint: Vec<u8>,
    /// The HTTP status of the answer.
    pub status: i32,
    /// The body of the answer.
    pub answer: Value,
}

/// Waits until no other transaction answers the same message, until the end of this one; then the answer given to that message
/// at or after `since`.
pub async fn answered(
    db: &mut PgConnection,
    advertiser: AdvertiserId,
    message_id: &str,
    since: DateTime<Utc>,
) -> Result<Option<Answered>, sqlx::Error> {
    sqlx::query_as!(
        Answered,
        r#"SELECT fingerprint AS "fingerprint!", answer_status AS "status!", answer AS "answer!"
           FROM postback_answered($1, $2, $3, $4)"#,
        format!("postback message {advertiser} {message_id}"),
        advertiser.uuid(),
        message_id,
        since,
    )
    .fetch_optional(db)
    .await
}

/// Keeps the answer to a message, and counts one more conversion of the link that it brought one for; an answer that was kept
/// too long ago to be found is replaced.
pub async fn remember(
    db: &mut PgConnection,
    (advertiser, message_id): (AdvertiserId, &str),
    answer: &Answered,
    to_count: Option<LinkId>,
    received_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH counted AS (
             UPDATE links SET conversions = conversions + 1 WHERE id = $7
         )
         INSERT INTO postback_messages
             (advertiser_id, message_id, fingerprint, answer_status, answer, received_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (advertiser_id, message_id) DO UPDATE
         SET fingerprint = excluded.fingerprint,
             answer_status = excluded.answer_status,
             answer = excluded.answer,
             received_at = excluded.received_at",
        advertiser.uuid(),
        message_id,
        answer.fingerprint,
        answer.status,
        answer.answer,
        received_at,
        to_count.map(LinkId::uuid),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the answers given before a moment; says how many.
pub async fn forget_before(db: &mut PgConnection, moment: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let forgotten =
        sqlx::query!("DELETE FROM postback_messages WHERE received_at < $1", moment).execute(db).await?;
    Ok(forgotten.rows_affected())
}
