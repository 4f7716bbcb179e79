//! One secret for the whole installation, and a key of its own for every purpose.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret that an operator configures; keys are derived from it, and it is never used itself.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

/// A secret that is easy to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have at least 32 characters: make one with `openssl rand -hex 32`")]
pub struct SecretError;

impl Secret {
    /// Takes a secret of at least 32 bytes.
    ///
    /// # Errors
    /// When it is shorter.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        if text.len() < 32 {
            return Err(SecretError);
        }
        Ok(Self(text.as_bytes().into()))
    }

    /// The key for one purpose; a purpose names its version too, such as `"cookie/1"`.
    pub fn key(&self, purpose: &'static str) -> Key {
        Key::new(finish(keyed(&self.0), &[b"tributary ", purpose.as_bytes()]))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

impl std::str::FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        Self::new(text)
    }
}

/// A key for one purpose.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; 32],
    /// The beginning of every authentication, which is half of its work.
    keyed: Hmac<Sha256>,
}

impl Key {
    fn new(bytes: [u8; 32]) -> Self {
        Self { bytes, keyed: keyed(&bytes) }
    }

    /// HMAC-SHA256 of the parts one after the other; where they end is for the caller to make unmistakable.
    pub fn authenticate(&self, parts: &[&[u8]]) -> [u8; 32] {
        finish(self.keyed.clone(), parts)
    }

    /// The key itself, for those who encrypt with it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn finish(mut keyed: Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    for part in parts {
        keyed.update(part);
    }
    keyed.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_has_a_key_of_its_own() {
        let secret = Secret::new(&"s".repeat(32)).unwrap();
        assert_eq!(secret.key("a/1").bytes(), secret.key("a/1").bytes());
        assert_ne!(secret.key("a/1").bytes(), secret.key("a/2").bytes());
    }

    #[test]
    fn a_short_secret_is_refused_with_a_way_out() {
        insta::assert_snapshot!(Secret::new("hunter2").unwrap_err(), @"the secret must have at least 32 characters: make one with `openssl rand -hex 32`");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(&"s".repeat(32)).unwrap();
        assert_eq!(format!("{secret:?} {:?}", secret.key("a/1")), "Secret(..) Key(..)");
    }
}
