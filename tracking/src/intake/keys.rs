//! The keys that advertisers sign with: sealed on their way into the database, opened on their way out.

use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, SigningKeyId,
    signature::{KeyError, LiveKey, VerifyingKey},
};
use sqlx::PgConnection;

use super::{
    Act,
    seal::{SealError, Sealer},
};
use crate::store::postbacks::{self, Material};

/// Why the advertiser's keys are of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A secret does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// What is stored is not a key.
    #[error("signing key {0} cannot be used: {1}")]
    Unusable(SigningKeyId, KeyError),
}

/// The keys that an advertiser may sign with, ready to use.
pub(super) fn open_all(
    sealer: &Sealer,
    stored: &[(SigningKeyId, Material)],
) -> Result<Vec<LiveKey>, KeysError> {
    stored.iter().map(|(id, material)| open(sealer, *id, material)).collect()
}

fn open(sealer: &Sealer, id: SigningKeyId, material: &Material) -> Result<LiveKey, KeysError> {
    let key = match material {
        Material::Hmac(sealed) => VerifyingKey::Hmac(sealer.open(id, sealed)?),
        Material::Ed25519(public) => {
            VerifyingKey::ed25519_from(public).map_err(|error| KeysError::Unusable(id, error))?
        }
    };
    Ok(LiveKey { kid: id.to_string(), key })
}

/// Stores a key that the advertiser may sign with from now on, until `expires_at` if that is given; answers its name.
/// During a rotation the old key keeps working until it expires.
///
/// # Errors
/// When the database fails or the advertiser does not exist.
pub async fn add_key(
    db: &mut PgConnection,
    act: Act<'_>,
    sealer: &Sealer,
    advertiser: AdvertiserId,
    key: &VerifyingKey,
    expires_at: Option<DateTime<Utc>>,
) -> Result<SigningKeyId, sqlx::Error> {
    let id = SigningKeyId::new(act.clock, act.chance);
    let material = match key {
        VerifyingKey::Hmac(secret) => Material::Hmac(sealer.seal(id, secret, act.chance.bytes())),
        VerifyingKey::Ed25519(public) => Material::Ed25519(public.to_bytes().to_vec()),
    };
    postbacks::insert_key(db, id, advertiser, &material, act.at, expires_at).await?;
    Ok(id)
}
