//! The two older formats, which can be forged; an advertiser has to ask for them.
//!
//! **Profile A** is the lower-case hexadecimal HMAC-SHA256 of `click_id:payout:timestamp`. It leaves `status`,
//! `order_id` and the currency unsigned, so whoever sees one postback can change them. Nothing keeps its parts
//! apart either: click `a` with payout `1:2` and click `a:1` with payout `2` share a signature.
//!
//! **Profile B** is the same over all decoded parameters but `hash`, as `k=v` sorted by name and joined by `&`.
//! Because the values are not encoded, `a` = `1&b=2` and `a` = `1` with `b` = `2` share a signature: whoever may
//! choose one value (an order id, a coupon) can add parameters, and whoever sees a postback can move a separator.
//!
//! Neither has a message id, so the signature takes its place: the same message again is a replay.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{
    LiveKey, Secret, SignatureError, Verified, VerifyingKey, canonical::Query, fresh, hex_byte, key,
};

/// Parameter with the hexadecimal signature of both profiles.
pub const HASH_PARAMETER: &str = "hash";
/// Parameter with the time of signing of both profiles, in seconds since 1970.
pub const TIMESTAMP_PARAMETER: &str = "timestamp";

/// The values that profile A covers, as the receiver is going to use them.
#[derive(Debug, Clone, Copy)]
pub struct PartsA<'a> {
    /// The click that the conversion belongs to.
    pub click_id: &'a str,
    /// The amount, as it was sent.
    pub payout: &'a str,
    /// Seconds since 1970.
    pub timestamp: &'a str,
}

/// The hash of profile A.
pub fn sign_a(secret: &Secret, parts: PartsA<'_>) -> String {
    hex(&authenticate_a(secret, parts).finalize().into_bytes())
}

/// The hash of profile B over `parameters`, which include the timestamp.
pub fn sign_b(secret: &Secret, parameters: &Query) -> String {
    hex(&authenticate_b(secret, parameters).finalize().into_bytes())
}

/// Accepts profile A within the window. Only the three parts are believed, see above.
///
/// # Errors
/// [`SignatureError`] says what kept the message from being believed.
pub fn verify_a(
    keys: &[LiveKey],
    parts: PartsA<'_>,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<Verified, SignatureError> {
    verify(keys, parts.timestamp, hash, now, |secret| authenticate_a(secret, parts))
}

/// Accepts profile B within the window.
///
/// # Errors
/// [`SignatureError`] says what kept the message from being believed.
pub fn verify_b(
    keys: &[LiveKey],
    parameters: &Query,
    now: DateTime<Utc>,
) -> Result<Verified, SignatureError> {
    let timestamp =
        parameters.get(TIMESTAMP_PARAMETER).ok_or(SignatureError::Missing(TIMESTAMP_PARAMETER))?;
    let hash = parameters.get(HASH_PARAMETER).ok_or(SignatureError::Missing(HASH_PARAMETER))?;
    verify(keys, timestamp, hash, now, |secret| authenticate_b(secret, parameters))
}

fn authenticate_a(secret: &Secret, parts: PartsA<'_>) -> Hmac<Sha256> {
    let PartsA { click_id, payout, timestamp } = parts;
    secret.authenticate(&[click_id.as_bytes(), b":", payout.as_bytes(), b":", timestamp.as_bytes()])
}

fn authenticate_b(secret: &Secret, parameters: &Query) -> Hmac<Sha256> {
    let signed = parameters.pairs().filter(|(name, _)| *name != HASH_PARAMETER);
    let joined: Vec<_> = signed.map(|(name, value)| format!("{name}={value}")).collect();
    secret.authenticate(&[joined.join("&").as_bytes()])
}

/// Both profiles differ only in what the HMAC is over. The comparison takes constant time.
fn verify(
    keys: &[LiveKey],
    timestamp: &str,
    hash: &str,
    now: DateTime<Utc>,
    authenticate: impl Fn(&Secret) -> Hmac<Sha256>,
) -> Result<Verified, SignatureError> {
    let signed_at = fresh(timestamp, now)?;
    let tag = unhex(hash).ok_or(SignatureError::MalformedSignature)?;
    let signer = key::candidates(keys, None)?.into_iter().find(|live| match &live.key {
        VerifyingKey::Hmac(secret) => authenticate(secret).verify_slice(&tag).is_ok(),
        VerifyingKey::Ed25519(_) => false,
    });
    let kid = signer.ok_or(SignatureError::Invalid)?.kid.clone();
    Ok(Verified { message_id: hex(&tag), signed_at, kid })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if rest.is_empty() { pairs.iter().map(|digits| hex_byte(*digits)).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Golden vectors, computed outside this program with the key `s3cr3t`.
    const HASH_A: &str = "ded40329a8a3cfb31d7a8cba9b5d640a30233013081bcb5607559cc661be7b69";
    const HASH_B: &str = "ec9571008e67834b655ceeefe0f02db0c9c2dd20a9667b6696befaddaaa68898";
    const PARTS: PartsA<'_> = PartsA { click_id: "abc123", payout: "50", timestamp: "1769947200" };
    const QUERY_B: &str = "clickid=abc123&payout=50&timestamp=1769947200";

    fn secret() -> Secret {
        Secret::from_bytes(b"s3cr3t".to_vec()).unwrap()
    }

    fn ring() -> Vec<LiveKey> {
        let other = Secret::from_bytes(b"other".to_vec()).unwrap();
        let live = |kid: &str, secret| LiveKey { kid: kid.to_owned(), key: VerifyingKey::Hmac(secret) };
        vec![live("other", other), live("k1", secret())]
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_947_260, 0).unwrap()
    }

    fn check_a(parts: PartsA<'_>, hash: &str, expected: Result<&str, SignatureError>) {
        let verified = verify_a(&ring(), parts, hash, now());
        assert_eq!(verified.as_ref().map(Verified::message_id), expected.as_ref().copied(), "{parts:?}");
    }

    fn check_b(query: &str, expected: Result<&str, SignatureError>) {
        let verified = verify_b(&ring(), &Query::parse(query).unwrap(), now());
        assert_eq!(verified.as_ref().map(Verified::message_id), expected.as_ref().copied(), "{query:?}");
    }

    #[test]
    fn the_golden_vectors_are_reproduced() {
        assert_eq!(sign_a(&secret(), PARTS), HASH_A);
        check_a(PARTS, HASH_A, Ok(HASH_A));
        check_a(PARTS, &HASH_A.to_uppercase(), Ok(HASH_A));
        assert_eq!(sign_b(&secret(), &Query::parse(QUERY_B).unwrap()), HASH_B);
        check_b(&format!("hash={HASH_B}&{QUERY_B}"), Ok(HASH_B));
    }

    #[test]
    fn what_is_signed_cannot_be_changed() {
        check_a(PartsA { payout: "51", ..PARTS }, HASH_A, Err(SignatureError::Invalid));
        check_a(PartsA { timestamp: "1769947201", ..PARTS }, HASH_A, Err(SignatureError::Invalid));
        check_a(PartsA { timestamp: "1769940000", ..PARTS }, HASH_A, Err(SignatureError::Expired(7_260)));
        check_a(PartsA { timestamp: "soon", ..PARTS }, HASH_A, Err(SignatureError::MalformedTimestamp));
        check_a(PARTS, &HASH_A[2..], Err(SignatureError::Invalid));
        check_a(PARTS, &HASH_A[1..], Err(SignatureError::MalformedSignature));
        check_a(PARTS, "é", Err(SignatureError::MalformedSignature));
        check_b(&format!("hash={HASH_B}&{QUERY_B}&status=approved"), Err(SignatureError::Invalid));
        check_b(QUERY_B, Err(SignatureError::Missing("hash")));
        check_b("hash=00", Err(SignatureError::Missing("timestamp")));
    }

    #[test]
    fn an_ed25519_key_checks_no_legacy_hash() {
        let public = super::super::SigningKey::ed25519_from([1; 32]).verifying_key();
        let ring = [LiveKey { kid: "ed".to_owned(), key: public }];
        assert_eq!(verify_a(&ring, PARTS, HASH_A, now()), Err(SignatureError::Invalid));
    }

    /// Why both profiles are off unless an advertiser asks: these two forgeries are theirs by design.
    #[test]
    fn a_moved_separator_forges_both_profiles() {
        let honest = PartsA { click_id: "a", payout: "1:2", ..PARTS };
        let forged = PartsA { click_id: "a:1", payout: "2", ..PARTS };
        let hash = sign_a(&secret(), honest);
        check_a(forged, &hash, Ok(&hash));

        let honest = "order_id=7%26payout%3D999&timestamp=1769947200";
        let forged = "order_id=7&payout=999&timestamp=1769947200";
        let hash = sign_b(&secret(), &Query::parse(honest).unwrap());
        check_b(&format!("{forged}&hash={hash}"), Ok(&hash));
    }
}
