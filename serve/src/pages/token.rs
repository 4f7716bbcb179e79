//! Secrets of 32 random bytes: what a session's cookie and a one-time link carry, and what stands for them elsewhere.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Chance;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A secret that only its owner's browser knows.
#[derive(Clone, Copy)]
pub struct Token([u8; 32]);

impl Token {
    /// A new one.
    #[must_use]
    pub fn new(chance: &Chance) -> Self {
        Self(chance.bytes())
    }

    /// What somebody sent.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The secret itself, for its owner.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the database keeps. 256 random bits need no slow hash: nobody can guess them.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// What every form of this browser carries: whoever can only make the browser send its cookie does not know it.
    #[must_use]
    pub fn form_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::new().chain_update(b"form").chain_update(self.0).finalize())
    }

    /// Whether a form was made for this browser, found out in constant time.
    #[must_use]
    pub fn made(&self, form_token: &str) -> bool {
        self.form_token().as_bytes().ct_eq(form_token.as_bytes()).into()
    }
}
