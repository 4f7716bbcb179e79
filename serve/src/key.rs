//! An API key as it is written down: shown once, and checked by its own checksum before any database is asked.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{ApiKeyId, Chance, Clock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// Whether a key is for real traffic or for trying things out; it is part of the key's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For real traffic.
    Live,
    /// For trying things out; it can make only other test keys.
    Test,
}

impl Mode {
    /// The mode of a key that is live or not, as the database has it.
    #[must_use]
    pub fn of(live: bool) -> Self {
        if live { Self::Live } else { Self::Test }
    }

    /// Whether it is for real traffic.
    #[must_use]
    pub fn is_live(self) -> bool {
        self == Self::Live
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// A whole key: `tbk_`, the mode, the 26 characters of its id, and 32 random bytes with a checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// What it is for.
    pub mode: Mode,
    /// Its public part, which names it in lists and logs.
    pub id: ApiKeyId,
    secret: [u8; 32],
}

/// A text that is no key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key looks like tbk_live_ or tbk_test_, 26 characters of its id, _ and 49 more characters")]
pub struct KeyError;

const SECRET_LENGTH: usize = 43;
const ID_LENGTH: usize = 26;

impl Key {
    /// A new key.
    #[must_use]
    pub fn new(mode: Mode, clock: &Clock, chance: &Chance) -> Self {
        Self { mode, id: ApiKeyId::new(clock, chance), secret: chance.bytes() }
    }

    /// What the database keeps of the secret. Its 256 random bits need no slow hash: nobody can guess them.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// Whether this is the key whose hash was kept, found out in constant time.
    #[must_use]
    pub fn matches(&self, kept_hash: &[u8]) -> bool {
        self.hash().ct_eq(kept_hash).into()
    }

    /// The key itself: shown to its owner once and to nobody else.
    #[must_use]
    pub fn reveal(&self) -> String {
        let id = self.id.to_string();
        let (_, bare_id) = id.split_at(ApiKeyId::PREFIX.len() + 1);
        let checked = format!("tbk_{}_{bare_id}_{}", self.mode.name(), URL_SAFE_NO_PAD.encode(self.secret));
        let checksum = checksum(&checked);
        checked + &checksum
    }
}

impl FromStr for Key {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("tbk_").ok_or(KeyError)?;
        let (mode, rest) = rest.split_once('_').ok_or(KeyError)?;
        let mode = [Mode::Live, Mode::Test].into_iter().find(|one| one.name() == mode).ok_or(KeyError)?;
        let (bare_id, rest) = rest.split_at_checked(ID_LENGTH).ok_or(KeyError)?;
        let (secret, given_checksum) =
            rest.strip_prefix('_').and_then(|rest| rest.split_at_checked(SECRET_LENGTH)).ok_or(KeyError)?;
        let checked = &text[..text.len() - given_checksum.len()];
        if checksum(checked) != given_checksum {
            return Err(KeyError);
        }
        let id = format!("{}_{bare_id}", ApiKeyId::PREFIX).parse().map_err(|_| KeyError)?;
        let secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| KeyError)?;
        Ok(Self { mode, id, secret: secret.try_into().map_err(|_| KeyError)? })
    }
}

/// Six characters that tell a key from a mistyped one, and help secret scanners to recognise it.
fn checksum(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(crc32fast::hash(text.as_bytes()).to_be_bytes())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        let clock = Clock::standing_at(chrono::DateTime::from_timestamp(1_769_947_200, 0).unwrap());
        Key::new(Mode::Live, &clock, &Chance::seeded(1))
    }

    #[test]
    fn a_key_reads_back_and_keeps_its_length() {
        let text = key().reveal();
        assert_eq!(text.len(), "tbk_live_".len() + 26 + 1 + 49);
        assert_eq!(text.parse(), Ok(key()));
        assert!(text.parse::<Key>().unwrap().matches(&key().hash()));
    }

    #[test]
    fn one_changed_character_is_noticed_by_the_checksum() {
        let text = key().reveal();
        for position in 0..text.len() {
            let other = if text.as_bytes()[position] == b'A' { "B" } else { "A" };
            let mut mistyped = text.clone();
            mistyped.replace_range(position..=position, other);
            assert_eq!(mistyped.parse::<Key>(), Err(KeyError), "{mistyped}");
        }
    }

    #[test]
    fn a_key_in_a_log_shows_only_its_id() {
        assert_eq!(format!("{:?}", key()), format!("Key({}, ..)", key().id));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            drop(text.parse::<Key>());
            drop(format!("tbk_live_{text}").parse::<Key>());
        }
    }
}
