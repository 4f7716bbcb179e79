//! Standard Webhooks 1.0: the signature covers message id, time and body, and names its algorithm.
//!
//! The headers are `webhook-id`, `webhook-timestamp` (seconds since 1970) and `webhook-signature`, a list of
//! signatures separated by spaces: `v1,<base64>` is HMAC-SHA256, `v1a,<base64>` is Ed25519. All are over
//! `id.timestamp.body`. During a rotation a sender signs with both keys and a receiver accepts either.
//! See <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use ed25519_dalek::Signer;
use hmac::Mac;

use super::{LiveKey, SignatureError, SigningKey, Verified, VerifyingKey, check_message_id, fresh, key};

/// Header with the message's id.
pub const ID_HEADER: &str = "webhook-id";
/// Header with the time of signing, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with the list of signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
/// Header of ours that may name the one key to check with; without it all live keys are tried.
pub const KEY_ID_HEADER: &str = "webhook-key-id";

/// More signatures than any rotation needs; beyond it a list is an attempt to make us work.
const SIGNATURE_LIMIT: usize = 8;

/// What travels beside the body, as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// `webhook-id`
    pub message_id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signatures: &'a str,
    /// `webhook-key-id`, if there is one
    pub kid: Option<&'a str>,
}

/// One signature of `body`, as it stands in the header's list.
///
/// # Errors
/// [`SignatureError::MalformedMessageId`] when no receiver could tell the id from the rest.
pub fn sign(
    key: &SigningKey,
    message_id: &str,
    at: DateTime<Utc>,
    body: &[u8],
) -> Result<String, SignatureError> {
    check_message_id(message_id)?;
    let timestamp = at.timestamp().to_string();
    let parts: [&[u8]; 5] = [message_id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    Ok(match key {
        SigningKey::Hmac(secret) => {
            format!("v1,{}", STANDARD.encode(secret.authenticate(&parts).finalize().into_bytes()))
        }
        SigningKey::Ed25519(key) => format!("v1a,{}", STANDARD.encode(key.sign(&parts.concat()).to_bytes())),
    })
}

/// Accepts `body` if one of the live keys made one of the signatures, for this id and time, within the window.
///
/// # Errors
/// [`SignatureError`] says what kept the message from being believed.
pub fn verify(
    keys: &[LiveKey],
    envelope: &Envelope<'_>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Verified, SignatureError> {
    check_message_id(envelope.message_id)?;
    let signed_at = fresh(envelope.timestamp, now)?;
    let signatures = parse_signatures(envelope.signatures)?;
    let live = key::candidates(keys, envelope.kid)?;
    let parts = [envelope.message_id.as_bytes(), b".", envelope.timestamp.as_bytes(), b".", body];
    let signer =
        live.into_iter().find(|live| signatures.iter().any(|signature| signature.is_by(&live.key, &parts)));
    let kid = signer.ok_or(SignatureError::Invalid)?.kid.clone();
    Ok(Verified { message_id: envelope.message_id.to_owned(), signed_at, kid })
}

/// A signature of a version we know; the version alone decides which kind of key may check it.
enum Presented {
    Hmac(Vec<u8>),
    Ed25519(ed25519_dalek::Signature),
}

impl Presented {
    /// Compares in constant time.
    fn is_by(&self, key: &VerifyingKey, parts: &[&[u8]]) -> bool {
        match (self, key) {
            (Self::Hmac(tag), VerifyingKey::Hmac(secret)) => {
                secret.authenticate(parts).verify_slice(tag).is_ok()
            }
            (Self::Ed25519(signature), VerifyingKey::Ed25519(key)) => {
                key.verify_strict(&parts.concat(), signature).is_ok()
            }
            _ => false,
        }
    }
}

/// Versions we do not know are skipped, so that a sender can add one; a list without any we know is refused.
fn parse_signatures(list: &str) -> Result<Vec<Presented>, SignatureError> {
    let entries: Vec<_> =
        list.split(' ').filter(|entry| !entry.is_empty()).take(SIGNATURE_LIMIT + 1).collect();
    if SIGNATURE_LIMIT < entries.len() {
        return Err(SignatureError::MalformedSignature);
    }
    let known: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| parse_signature(entry).transpose())
        .collect::<Result<_, _>>()?;
    if known.is_empty() { Err(SignatureError::MalformedSignature) } else { Ok(known) }
}

fn parse_signature(entry: &str) -> Result<Option<Presented>, SignatureError> {
    let (version, encoded) = entry.split_once(',').ok_or(SignatureError::MalformedSignature)?;
    let decode = || STANDARD.decode(encoded).map_err(|_| SignatureError::MalformedSignature);
    match version {
        "v1" => Ok(Some(Presented::Hmac(decode()?))),
        "v1a" => ed25519_dalek::Signature::from_slice(&decode()?)
            .map(|signature| Some(Presented::Ed25519(signature)))
            .map_err(|_| SignatureError::MalformedSignature),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Golden vector: 32 bytes 0..=31 as the key, computed outside this program.
    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const BODY: &str = r#"{"type":"conversion.created","timestamp":"2026-02-01T12:00:00Z","data":{"id":"cnv_1","amount":{"value":"49.99","currency":"USD"}}}"#;
    const SIGNATURE: &str = "v1,zfrxGNfBlAhvRhlBR+1N7EkH4becAKR1NDK0iP3Li3I=";
    const OTHER_MESSAGE: &str = "v1,XGrICCxsNY5m8fSUpDAieQO86GR4JweWKq6U9YtQKP4=";

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_947_200, 0).unwrap()
    }

    fn live(kid: &str, key: &SigningKey) -> LiveKey {
        LiveKey { kid: kid.to_owned(), key: key.verifying_key() }
    }

    /// The key named `new` is the golden one, `old` another, `ed` an Ed25519 key.
    fn ring() -> Vec<LiveKey> {
        vec![
            live("old", &SigningKey::hmac_from([1; 32])),
            live("new", &SigningKey::parse(SECRET).unwrap()),
            live("ed", &SigningKey::ed25519_from([2; 32])),
        ]
    }

    fn check(signatures: &str, kid: Option<&str>, expected: Result<&str, SignatureError>) {
        let envelope = Envelope { message_id: "msg_1", timestamp: "1769947200", signatures, kid };
        let verified = verify(&ring(), &envelope, BODY.as_bytes(), at());
        assert_eq!(verified.as_ref().map(Verified::kid), expected.as_ref().copied(), "{signatures}");
    }

    #[test]
    fn the_golden_vector_is_reproduced() {
        let key = SigningKey::parse(SECRET).unwrap();
        assert_eq!(sign(&key, "msg_1", at(), BODY.as_bytes()).unwrap(), SIGNATURE);
        check(SIGNATURE, None, Ok("new"));
    }

    #[test]
    fn any_live_key_may_sign_and_the_answer_names_it() {
        let old = sign(&SigningKey::hmac_from([1; 32]), "msg_1", at(), BODY.as_bytes()).unwrap();
        let ed = sign(&SigningKey::ed25519_from([2; 32]), "msg_1", at(), BODY.as_bytes()).unwrap();
        assert!(ed.starts_with("v1a,"));
        check(&old, None, Ok("old"));
        check(&ed, None, Ok("ed"));
        check(&format!("{OTHER_MESSAGE} {SIGNATURE}"), None, Ok("new"));
        check(&format!("v9,something {SIGNATURE}"), None, Ok("new"));
        check(SIGNATURE, Some("new"), Ok("new"));
        check(SIGNATURE, Some("old"), Err(SignatureError::Invalid));
        check(SIGNATURE, Some("gone"), Err(SignatureError::UnknownKey));
    }

    #[test]
    fn a_signature_counts_only_for_its_own_algorithm() {
        let encoded = SIGNATURE.strip_prefix("v1,").unwrap();
        check(&format!("v1a,{encoded}"), None, Err(SignatureError::MalformedSignature));
        let ed = sign(&SigningKey::ed25519_from([2; 32]), "msg_1", at(), BODY.as_bytes()).unwrap();
        check(&ed.replace("v1a,", "v1,"), None, Err(SignatureError::Invalid));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        check(OTHER_MESSAGE, None, Err(SignatureError::Invalid));
        check("v1,", None, Err(SignatureError::Invalid));
        check(&SIGNATURE.replace("Li3I=", "Li3J="), None, Err(SignatureError::MalformedSignature));
        for unreadable in ["", " ", "v1", "v1,%%%", "v2,AAAA", &format!("{SIGNATURE} ").repeat(9)] {
            check(unreadable, None, Err(SignatureError::MalformedSignature));
        }
    }

    #[test]
    fn an_id_with_a_full_stop_is_neither_signed_nor_accepted() {
        let key = SigningKey::parse(SECRET).unwrap();
        assert_eq!(sign(&key, "msg.1", at(), b""), Err(SignatureError::MalformedMessageId));
        // The same signed text as `msg_1`, cut at another full stop.
        let cut_elsewhere = Envelope {
            message_id: "msg_1.1769947200",
            timestamp: "1769947200",
            signatures: SIGNATURE,
            kid: None,
        };
        let answer = verify(&ring(), &cut_elsewhere, BODY.as_bytes(), at());
        assert_eq!(answer, Err(SignatureError::MalformedMessageId));
    }

    #[test]
    fn without_a_live_key_nothing_is_accepted() {
        let envelope =
            Envelope { message_id: "msg_1", timestamp: "1769947200", signatures: SIGNATURE, kid: None };
        assert_eq!(verify(&[], &envelope, BODY.as_bytes(), at()), Err(SignatureError::UnknownKey));
    }
}
