//! Signing secrets are unreadable in the database: sealed under a key that only the installation's secret gives.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use domain::{SigningKeyId, signature};

use crate::secret::Secret;

/// The first byte of what is sealed, so that another way of sealing can be added beside this one.
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;

/// Seals and opens signing secrets (XChaCha20-Poly1305), each bound to the id of its key.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

/// A sealed secret that does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of signing key {0} does not open: was it sealed under another installation secret?")]
pub struct SealError(pub SigningKeyId);

impl Sealer {
    /// A sealer for this installation.
    pub fn new(installation: &Secret) -> Self {
        Self(XChaCha20Poly1305::new(installation.key("signing-keys/1").bytes().into()))
    }

    /// Seals a secret; the random nonce must not be used twice, which 24 bytes of chance make sure of.
    pub fn seal(&self, key: SigningKeyId, secret: &signature::Secret, nonce: [u8; NONCE_LENGTH]) -> Vec<u8> {
        let payload = Payload { msg: secret.expose(), aad: &key.uuid().into_bytes() };
        let sealed =
            self.0.encrypt(&XNonce::from(nonce), payload).expect("a secret is far shorter than the limit");
        [&[VERSION], nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`Sealer::seal`] made for the same key.
    ///
    /// # Errors
    /// When it was made for another key, under another installation secret, or was changed.
    pub fn open(&self, key: SigningKeyId, sealed: &[u8]) -> Result<signature::Secret, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError(key))?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or(SealError(key))?;
        if *version != VERSION {
            return Err(SealError(key));
        }
        let payload = Payload { msg: sealed, aad: &key.uuid().into_bytes() };
        let bytes = self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError(key))?;
        signature::Secret::from_bytes(bytes).map_err(|_| SealError(key))
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sealer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secret: &str) -> Sealer {
        Sealer::new(&Secret::new(&secret.repeat(8)).unwrap())
    }

    fn key(number: u128) -> SigningKeyId {
        SigningKeyId::from(uuid::Uuid::from_u128(number))
    }

    fn secret() -> signature::Secret {
        signature::Secret::from_bytes(b"what they share with us".to_vec()).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_for_its_key_and_no_other() {
        let sealed = sealer("ours").seal(key(1), &secret(), [7; 24]);
        assert_eq!(sealer("ours").open(key(1), &sealed), Ok(secret()));
        assert_eq!(sealer("ours").open(key(2), &sealed), Err(SealError(key(2))));
        assert_eq!(sealer("theirs").open(key(1), &sealed), Err(SealError(key(1))));
    }

    #[test]
    fn a_sealed_secret_shows_nothing_and_no_byte_of_it_can_change() {
        let sealed = sealer("ours").seal(key(1), &secret(), [7; 24]);
        assert!(!sealed.windows(4).any(|four| secret().expose().windows(4).any(|plain| plain == four)));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(sealer("ours").open(key(1), &changed), Err(SealError(key(1))));
            assert_eq!(sealer("ours").open(key(1), &sealed[..position]), Err(SealError(key(1))));
        }
    }

    #[test]
    fn what_was_sealed_before_still_opens() {
        let sealed = sealer("ours").seal(key(1), &secret(), [7; 24]);
        let shown: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        insta::assert_snapshot!(shown, @"010707070707070707070707070707070707070707070707074a7a0310cbf65e646483c94d83b54f9bf5819d828f3d0ee0a33b552e736c8ef3c97c93352568e3");
    }
}
