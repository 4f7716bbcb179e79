//! Is this message its advertiser's? Each profile looks at what it signs.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use domain::signature::{
    LiveKey, Profile, SignatureError, Verified,
    canonical::{self, Query},
    legacy, standard,
};
use sha2::{Digest, Sha256};

use super::{
    fields::{Fields, Sent},
    request::{Message, Signed},
};

/// The parameters that carry a profile's signature; they are not part of the report.
pub(super) const fn reserved(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Standard => &[
            canonical::ID_PARAMETER,
            canonical::TIMESTAMP_PARAMETER,
            canonical::SIGNATURE_PARAMETER,
            canonical::KEY_ID_PARAMETER,
        ],
        Profile::LegacyA | Profile::LegacyB => &[legacy::HASH_PARAMETER, legacy::TIMESTAMP_PARAMETER],
    }
}

/// Checks the signature of a message whose fields are going to be used as `fields` has them.
pub(super) fn verify(
    profile: Profile,
    keys: &[LiveKey],
    message: &Message<'_>,
    headers: &HeaderMap,
    fields: &Fields,
    now: DateTime<Utc>,
) -> Result<Verified, SignatureError> {
    match (profile, &message.signed) {
        (Profile::Standard, Signed::Query { path, query }) => canonical::verify(keys, path, query, now),
        (Profile::Standard, Signed::Body { body, .. }) => {
            let envelope = standard::Envelope {
                message_id: required(headers, standard::ID_HEADER)?,
                timestamp: required(headers, standard::TIMESTAMP_HEADER)?,
                signatures: required(headers, standard::SIGNATURE_HEADER)?,
                kid: headers.get(standard::KEY_ID_HEADER).and_then(|kid| kid.to_str().ok()),
            };
            standard::verify(keys, &envelope, body, now)
        }
        (Profile::LegacyA, _) => verify_a(keys, message, fields, now),
        (Profile::LegacyB, Signed::Query { query, .. } | Signed::Body { form: Some(query), .. }) => {
            legacy::verify_b(keys, query, now)
        }
        // Profile B is defined for parameters only; a JSON body has no order to sort them into.
        (Profile::LegacyB, Signed::Body { form: None, .. }) => Err(SignatureError::MalformedSignature),
    }
}

fn required<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureError> {
    let value = headers.get(name).ok_or(SignatureError::Missing(name))?;
    value.to_str().map_err(|_| SignatureError::MalformedSignature)
}

/// What is signed are the values that will be used, whatever names they came under.
fn verify_a(
    keys: &[LiveKey],
    message: &Message<'_>,
    fields: &Fields,
    now: DateTime<Utc>,
) -> Result<Verified, SignatureError> {
    let sent = |name: &'static str| {
        let found = message.parameters.iter().find(|(sent_as, _)| sent_as == name);
        match found {
            Some((_, Sent::Text(text) | Sent::Number(text))) => Ok(text.as_str()),
            _ => Err(SignatureError::Missing(name)),
        }
    };
    let parts = legacy::PartsA {
        click_id: fields.text("click_id").ok_or(SignatureError::Missing("click_id"))?,
        payout: fields.text("amount").unwrap_or_default(),
        timestamp: sent(legacy::TIMESTAMP_PARAMETER)?,
    };
    legacy::verify_a(keys, parts, sent(legacy::HASH_PARAMETER)?, now)
}

/// What the message says, without when and how it was signed: a sender that tries again signs anew.
pub(super) fn fingerprint(profile: Profile, signed: &Signed<'_>) -> Vec<u8> {
    let text = match signed {
        Signed::Query { path, query } => format!("{path}?{}", unsigned(query, reserved(profile)).canonical()),
        Signed::Body { body, .. } => return Sha256::digest(body).to_vec(),
    };
    Sha256::digest(text).to_vec()
}

fn unsigned(query: &Query, reserved: &[&str]) -> Query {
    let mut rest = Query::default();
    for (name, text) in query.pairs().filter(|(name, _)| !reserved.contains(name)) {
        rest.set(name, text);
    }
    rest
}
