//! Keys as they are written down, kept out of every log.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::SignatureError;

/// Standard Webhooks 1.0 asks for symmetric secrets of 24 to 64 bytes.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// A shared secret. Printing it shows only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes any non-empty bytes, which is what the legacy profiles use as they are.
    ///
    /// # Errors
    /// [`KeyError::Length`] when there are none: anybody could sign with an empty secret.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, KeyError> {
        if bytes.is_empty() { Err(KeyError::Length) } else { Ok(Self(bytes)) }
    }

    /// The bytes themselves, for sealing and signing.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The running HMAC-SHA256 of the parts, one after the other.
    pub(super) fn authenticate(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let keyed = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        parts.iter().fold(keyed, Mac::chain_update)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// What a sender signs with: `whsec_…` (shared secret) or `whsk_…` (Ed25519 private key).
#[derive(Clone)]
pub enum SigningKey {
    /// HMAC-SHA256, signature version `v1`.
    Hmac(Secret),
    /// Ed25519, signature version `v1a`.
    Ed25519(ed25519_dalek::SigningKey),
}

impl SigningKey {
    /// A new shared secret from 32 random bytes.
    pub fn hmac_from(chance: [u8; 32]) -> Self {
        Self::Hmac(Secret(chance.to_vec()))
    }

    /// A new Ed25519 key from 32 random bytes.
    pub fn ed25519_from(chance: [u8; 32]) -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&chance))
    }

    /// Reads `whsec_…` or `whsk_…`; the latter as the 64 bytes of libsodium or the 32 bytes of the seed.
    ///
    /// # Errors
    /// [`KeyError`] when the text is none of these.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix("whsec_") {
            return Ok(Self::Hmac(decode_secret(encoded)?));
        }
        let encoded = text.strip_prefix("whsk_").ok_or(KeyError::Prefix)?;
        let bytes = decode(encoded)?;
        if let Ok(seed) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::ed25519_from(seed));
        }
        let pair = <[u8; 64]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length)?;
        let key = ed25519_dalek::SigningKey::from_keypair_bytes(&pair).map_err(|_| KeyError::Curve)?;
        Ok(Self::Ed25519(key))
    }

    /// The text that [`SigningKey::parse`] reads. This shows the secret: only ever once, to its owner.
    pub fn reveal(&self) -> String {
        match self {
            Self::Hmac(secret) => format!("whsec_{}", STANDARD.encode(secret.expose())),
            Self::Ed25519(key) => format!("whsk_{}", STANDARD.encode(key.to_keypair_bytes())),
        }
    }

    /// What the receiver needs: the same secret, or only the public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        match self {
            Self::Hmac(secret) => VerifyingKey::Hmac(secret.clone()),
            Self::Ed25519(key) => VerifyingKey::Ed25519(key.verifying_key()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hmac(_) => "SigningKey::Hmac(..)",
            Self::Ed25519(_) => "SigningKey::Ed25519(..)",
        })
    }
}

/// What a receiver checks with: `whsec_…` (shared secret) or `whpk_…` (Ed25519 public key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// HMAC-SHA256, signature version `v1`, and the legacy profiles.
    Hmac(Secret),
    /// Ed25519, signature version `v1a`.
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl VerifyingKey {
    /// Reads `whsec_…` or `whpk_…`.
    ///
    /// # Errors
    /// [`KeyError`] when the text is neither, or names a point of the curve that anybody can sign for.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix("whsec_") {
            return Ok(Self::Hmac(decode_secret(encoded)?));
        }
        Self::ed25519_from(&decode(text.strip_prefix("whpk_").ok_or(KeyError::Prefix)?)?)
    }

    /// The Ed25519 public key of these 32 bytes.
    ///
    /// # Errors
    /// [`KeyError`] when there are more or fewer, or they name a point of the curve that anybody can sign for.
    pub fn ed25519_from(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Length)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Curve)?;
        if key.is_weak() { Err(KeyError::Curve) } else { Ok(Self::Ed25519(key)) }
    }

    /// The text that [`VerifyingKey::parse`] reads. For a shared secret this shows it.
    pub fn reveal(&self) -> String {
        match self {
            Self::Hmac(secret) => format!("whsec_{}", STANDARD.encode(secret.expose())),
            Self::Ed25519(key) => format!("whpk_{}", STANDARD.encode(key.as_bytes())),
        }
    }
}

/// A key that may sign today, under the name by which a message can ask for it.
///
/// During a rotation an advertiser has two; which are live is decided where they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKey {
    /// The key's name, unique for its advertiser.
    pub kid: String,
    /// The key itself.
    pub key: VerifyingKey,
}

/// The live keys that a message asking for `kid` may be checked with: that one, or all when it does not ask.
pub(super) fn candidates<'a>(
    keys: &'a [LiveKey],
    kid: Option<&str>,
) -> Result<Vec<&'a LiveKey>, SignatureError> {
    let asked_for: Vec<_> = keys.iter().filter(|live| kid.is_none_or(|kid| live.kid == kid)).collect();
    if asked_for.is_empty() { Err(SignatureError::UnknownKey) } else { Ok(asked_for) }
}

/// Why a text is not a key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text starts with none of the known prefixes.
    #[error("a key starts with `whsec_`, `whsk_` or `whpk_`")]
    Prefix,
    /// What follows the prefix is not base64.
    #[error("what follows the prefix is not base64")]
    Encoding,
    /// The key is too short or too long for its kind.
    #[error("the key has the wrong length for its kind")]
    Length,
    /// The bytes are not an Ed25519 key that can be trusted.
    #[error("the bytes are not a usable Ed25519 key")]
    Curve,
}

fn decode_secret(encoded: &str) -> Result<Secret, KeyError> {
    let bytes = decode(encoded)?;
    if SECRET_LENGTH.contains(&bytes.len()) { Ok(Secret(bytes)) } else { Err(KeyError::Length) }
}

fn decode(encoded: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD.decode(encoded).map_err(|_| KeyError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_written_down() {
        for key in [SigningKey::hmac_from([7; 32]), SigningKey::ed25519_from([7; 32])] {
            let again = SigningKey::parse(&key.reveal()).unwrap();
            assert_eq!(again.reveal(), key.reveal());
            let public = key.verifying_key();
            assert_eq!(VerifyingKey::parse(&public.reveal()).unwrap(), public);
        }
    }

    #[test]
    fn a_libsodium_pair_of_another_implementation_is_read() {
        let private =
            "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
        let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        assert_eq!(SigningKey::parse(private).unwrap().verifying_key().reveal(), public);
    }

    #[test]
    fn a_private_key_may_be_its_seed_alone() {
        let seed_only = format!("whsk_{}", STANDARD.encode([7; 32]));
        assert_eq!(
            SigningKey::parse(&seed_only).unwrap().reveal(),
            SigningKey::ed25519_from([7; 32]).reveal()
        );
    }

    #[test]
    fn printing_a_key_shows_no_secret() {
        let shared = SigningKey::hmac_from([7; 32]);
        let private = SigningKey::ed25519_from([7; 32]);
        let printed = format!("{shared:?} {:?} {private:?}", shared.verifying_key());
        assert_eq!(printed, "SigningKey::Hmac(..) Hmac(Secret(..)) SigningKey::Ed25519(..)");
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let check =
            |text: &str, expected| assert_eq!(VerifyingKey::parse(text).unwrap_err(), expected, "{text}");
        check("AAECAwQFBgcICQ==", KeyError::Prefix);
        check("whsk_AAECAwQFBgcICQ==", KeyError::Prefix);
        check("whsec_AAECAwQFBgcICQ==", KeyError::Length);
        check("whsec_not base64", KeyError::Encoding);
        check("whpk_AAECAwQFBgcICQ==", KeyError::Length);
        let neutral_point = format!("whpk_AQ{}=", "A".repeat(41));
        check(&neutral_point, KeyError::Curve);
        assert_eq!(Secret::from_bytes(Vec::new()).unwrap_err(), KeyError::Length);
        let halves_of_two_keys = [[7; 32], [8; 32]].concat();
        let text = format!("whsk_{}", STANDARD.encode(halves_of_two_keys));
        assert_eq!(SigningKey::parse(&text).unwrap_err(), KeyError::Curve);
    }
}
