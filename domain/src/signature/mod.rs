//! Who sent a message, and that nobody changed it on the way: the signature profiles of postbacks and webhooks.
//!
//! [`standard`] is the profile of new advertisers: Standard Webhooks 1.0 over the body of a POST. [`canonical`]
//! is the same for a GET, whose whole query takes the place of the body. [`legacy`] holds the two older formats,
//! which can be forged and are therefore off until an advertiser asks for one.
//!
//! Each profile has one `verify`, and each `verify` returns a [`Verified`], which nothing else can make.

pub mod canonical;
mod key;
pub mod legacy;
#[cfg(test)]
mod mutations;
pub mod standard;

use chrono::{DateTime, TimeDelta, Utc};
pub use key::{KeyError, LiveKey, Secret, SigningKey, VerifyingKey};

use crate::state::names;

/// How far a message's own time may be from ours, into the past and into the future.
pub const WINDOW: TimeDelta = TimeDelta::seconds(300);

/// The longest message id that is accepted, in bytes.
pub const MESSAGE_ID_LIMIT: usize = 128;

names! {
    /// Which way of signing an advertiser's postbacks use; the two legacy ones can be forged, see [`legacy`].
    Profile: "signature profile" {
        /// Standard Webhooks 1.0 for POST, the same over the canonical query for GET.
        Standard = "standard",
        /// Hex HMAC of `click_id:payout:timestamp`.
        LegacyA = "legacy_a",
        /// Hex HMAC of the sorted, decoded `k=v&…`.
        LegacyB = "legacy_b",
    }
}

/// A message whose signature was checked. Only the `verify` functions of this module make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    message_id: String,
    signed_at: DateTime<Utc>,
    kid: String,
}

impl Verified {
    /// The sender's name for this message: a second message of the same name is a replay.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// When the sender says it signed.
    pub const fn signed_at(&self) -> DateTime<Utc> {
        self.signed_at
    }

    /// Which of the live keys signed, so that one sees when an old key is no longer in use.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// Why a message was not taken for its sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A part of the signature is absent; names the header or parameter.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The message id is empty, too long, or has a character that would let it run into the timestamp.
    #[error("the message id must be 1 to {MESSAGE_ID_LIMIT} visible ASCII characters without a full stop")]
    MalformedMessageId,
    /// The timestamp is not a count of seconds.
    #[error("the timestamp must be whole seconds since 1970 in decimal digits")]
    MalformedTimestamp,
    /// The signature list or hash cannot be read.
    #[error("the signature cannot be read")]
    MalformedSignature,
    /// The message was signed longer ago than [`WINDOW`].
    #[error("the timestamp is {0} s old, {max} s are accepted", max = WINDOW.num_seconds())]
    Expired(i64),
    /// The message was signed further in the future than [`WINDOW`].
    #[error("the timestamp is {0} s ahead, {max} s are accepted", max = WINDOW.num_seconds())]
    NotYet(i64),
    /// No live key has the name that the message asks for, or there is no live key at all.
    #[error("no live key can check this signature")]
    UnknownKey,
    /// The signature belongs to another message or another key.
    #[error("the signature does not match the message")]
    Invalid,
}

impl SignatureError {
    /// A stable name for programs: it never changes, while the sentence may.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "signature_missing",
            Self::MalformedMessageId => "message_id_malformed",
            Self::MalformedTimestamp => "timestamp_malformed",
            Self::MalformedSignature => "signature_malformed",
            Self::Expired(_) => "timestamp_expired",
            Self::NotYet(_) => "timestamp_not_yet",
            Self::UnknownKey => "signing_key_unknown",
            Self::Invalid => "signature_invalid",
        }
    }

    /// Whether the message could not even be read, as opposed to read and not believed.
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::MalformedMessageId | Self::MalformedTimestamp | Self::MalformedSignature)
    }
}

/// Reads a timestamp in the only spelling it has, and refuses one outside the window around `now`.
fn fresh(timestamp: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, SignatureError> {
    let signed_at = parse_timestamp(timestamp).ok_or(SignatureError::MalformedTimestamp)?;
    let age = now - signed_at;
    if WINDOW < age {
        return Err(SignatureError::Expired(age.num_seconds()));
    }
    if age < -WINDOW {
        return Err(SignatureError::NotYet(-age.num_seconds()));
    }
    Ok(signed_at)
}

/// Digits only: signs, spaces and leading zeros would be second spellings of the same instant.
fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if !is_canonical {
        return None;
    }
    DateTime::from_timestamp(text.parse().ok()?, 0)
}

/// A full stop would let an id such as `a.1` run into the timestamp in the signed text `id.timestamp.body`.
fn check_message_id(id: &str) -> Result<(), SignatureError> {
    let fits = !id.is_empty() && id.len() <= MESSAGE_ID_LIMIT;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
    if fits && is_plain { Ok(()) } else { Err(SignatureError::MalformedMessageId) }
}

/// The byte that two hexadecimal digits of either case stand for.
fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(timestamp: &str, expected: Result<i64, SignatureError>) {
        let now = DateTime::from_timestamp(1_769_947_200, 0).expect("a valid instant");
        assert_eq!(fresh(timestamp, now).map(|at| at.timestamp()), expected, "{timestamp:?}");
    }

    #[test]
    fn the_window_is_closed_at_both_ends() {
        check("1769947200", Ok(1_769_947_200));
        check("1769946900", Ok(1_769_946_900));
        check("1769947500", Ok(1_769_947_500));
        check("1769946899", Err(SignatureError::Expired(301)));
        check("1769947501", Err(SignatureError::NotYet(301)));
        check("1", Err(SignatureError::Expired(1_769_947_199)));
    }

    #[test]
    fn an_instant_has_one_spelling() {
        let malformed = ["", "0", "01769947200", "+1769947200", "-1769947200", " 1769947200", "1769947200 "];
        let stranger =
            ["1769947200.0", "1e9", "１７６９", "now", "99999999999999999999", "9223372036854775807"];
        for timestamp in malformed.into_iter().chain(stranger) {
            check(timestamp, Err(SignatureError::MalformedTimestamp));
        }
    }

    #[test]
    fn a_message_id_cannot_run_into_the_timestamp() {
        for id in ["msg_1", "0193-aa", "a:b", &"x".repeat(128)] {
            assert_eq!(check_message_id(id), Ok(()), "{id:?}");
        }
        for id in ["", "a.b", "a b", "a\n", "é", &"x".repeat(129)] {
            assert_eq!(check_message_id(id), Err(SignatureError::MalformedMessageId), "{id:?}");
        }
    }
}
