//! The signature of a GET: the whole query, in one spelling, takes the place of the body.
//!
//! The parameters `wid`, `wts` and `wsig` are to a GET what the three headers of [`standard`](super::standard)
//! are to a POST. The signed text is `wid.wts.path?canonical_query`, where the canonical query holds *every*
//! decoded parameter but `wsig` (so `wid` and `wts` too), each name and value percent-encoded as RFC 3986 has it
//! (all but letters, digits, `-._~`, with upper-case digits), sorted by name, joined by `&`.
//! Because separators inside a value are encoded, moving one or adding a parameter changes the signed text.
//!
//! What is signed is the *meaning* of the query, so a sender may encode and order it as its HTTP library does:
//!
//! - `+` is a space, as in `application/x-www-form-urlencoded`, because that is what PHP, Python, Go, Java and
//!   browsers write. A plus sign is `%2B`. A sender that means a plus sign by a bare `+` is refused, not misread.
//! - A `%` that does not start two hexadecimal digits, and bytes that are not UTF-8, are errors.
//! - A name may occur once. Sorting would hide which of two values came first, so the second is an error.
//! - A name without `=` has the empty value; nothing between two `&` is nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{LiveKey, SignatureError, SigningKey, Verified, hex_byte, standard};

/// Parameter with the message's id.
pub const ID_PARAMETER: &str = "wid";
/// Parameter with the time of signing, in seconds since 1970.
pub const TIMESTAMP_PARAMETER: &str = "wts";
/// Parameter with the list of signatures; the only one that is not signed itself.
pub const SIGNATURE_PARAMETER: &str = "wsig";
/// Parameter that may name the one key to check with; without it all live keys are tried.
pub const KEY_ID_PARAMETER: &str = "wkid";

/// All but what RFC 3986 leaves unreserved.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters that a signature adds, or is asked for by.
pub const OWN_PARAMETERS: [&str; 4] =
    [ID_PARAMETER, TIMESTAMP_PARAMETER, SIGNATURE_PARAMETER, KEY_ID_PARAMETER];

/// The decoded parameters of a query or a form, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Decodes the raw query (what follows `?`, without it) or form body by the rules above.
    ///
    /// # Errors
    /// [`QueryError`] names what cannot be read or could be read in two ways.
    pub fn parse(raw: &str) -> Result<Self, QueryError> {
        let mut parameters = BTreeMap::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.contains_key(&name) {
                return Err(QueryError::Repeated(name));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values, sorted by name.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds or replaces a parameter, when composing a query to sign.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The one spelling that is signed.
    pub fn canonical(&self) -> String {
        let signed = self.pairs().filter(|(name, _)| *name != SIGNATURE_PARAMETER);
        let encoded: Vec<_> =
            signed.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        encoded.join("&")
    }

    fn required(&self, name: &'static str) -> Result<&str, SignatureError> {
        self.get(name).ok_or(SignatureError::Missing(name))
    }
}

/// Why a query or form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A `%` without two hexadecimal digits after it.
    #[error("`{0}` holds a `%` that is not followed by two hexadecimal digits")]
    Escape(String),
    /// The decoded bytes are not text.
    #[error("`{0}` is not UTF-8 once it is decoded")]
    Text(String),
    /// The same name twice.
    #[error("`{0}` is given twice")]
    Repeated(String),
}

/// The complete query of a signed GET to `path`: `parameters` with `wid`, `wts` and `wsig`.
///
/// # Errors
/// [`SignatureError::MalformedMessageId`] when no receiver could tell the id from the rest.
pub fn sign(
    key: &SigningKey,
    path: &str,
    parameters: &Query,
    message_id: &str,
    at: DateTime<Utc>,
) -> Result<String, SignatureError> {
    let mut query = parameters.clone();
    query.set(ID_PARAMETER, message_id);
    query.set(TIMESTAMP_PARAMETER, &at.timestamp().to_string());
    let canonical = query.canonical();
    let signature = standard::sign(key, message_id, at, format!("{path}?{canonical}").as_bytes())?;
    Ok(format!("{canonical}&{SIGNATURE_PARAMETER}={}", encode(&signature)))
}

/// Accepts a GET of `path` with `query` if one of the live keys signed exactly that, within the window.
///
/// `path` is the path as it was requested, undecoded. Read the parameters from the same `query` that was verified.
///
/// # Errors
/// [`SignatureError`] says what kept the message from being believed.
pub fn verify(
    keys: &[LiveKey],
    path: &str,
    query: &Query,
    now: DateTime<Utc>,
) -> Result<Verified, SignatureError> {
    let envelope = standard::Envelope {
        message_id: query.required(ID_PARAMETER)?,
        timestamp: query.required(TIMESTAMP_PARAMETER)?,
        signatures: query.required(SIGNATURE_PARAMETER)?,
        kid: query.get(KEY_ID_PARAMETER),
    };
    let signed_text = format!("{path}?{}", query.canonical());
    standard::verify(keys, &envelope, signed_text.as_bytes(), now)
}

fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, RESERVED)
}

fn decode(encoded: &str) -> Result<String, QueryError> {
    let escape_error = || QueryError::Escape(encoded.to_owned());
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let (digits, after) = after.split_first_chunk().ok_or_else(escape_error)?;
                decoded.push(hex_byte(*digits).ok_or_else(escape_error)?);
                rest = after;
            }
            b'+' => decoded.push(b' '),
            plain => decoded.push(*plain),
        }
    }
    String::from_utf8(decoded).map_err(|_| QueryError::Text(encoded.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Golden vector: 32 bytes 0..=31 as the key, computed outside this program.
    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const PATH: &str = "/postback/adv_1";
    const CANONICAL: &str = "amount=49.99&click_id=01JH0000000000000000000000&currency=USD\
        &order_id=A%26B%3D1%20%C3%A9&status=approved&wid=msg_1&wts=1769947200";
    const SIGNATURE: &str = "v1%2CXGrICCxsNY5m8fSUpDAieQO86GR4JweWKq6U9YtQKP4%3D";

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_947_200, 0).unwrap()
    }

    fn ring() -> Vec<LiveKey> {
        let key = SigningKey::parse(SECRET).unwrap();
        vec![LiveKey { kid: "k1".to_owned(), key: key.verifying_key() }]
    }

    fn check(query: &str, expected: Result<&str, SignatureError>) {
        let query = Query::parse(query).unwrap();
        let verified = verify(&ring(), PATH, &query, at());
        assert_eq!(verified.as_ref().map(Verified::message_id), expected.as_ref().copied(), "{query:?}");
    }

    #[test]
    fn the_golden_vector_is_reproduced() {
        let key = SigningKey::parse(SECRET).unwrap();
        let parameters = Query::parse(CANONICAL).unwrap();
        assert_eq!(parameters.canonical(), CANONICAL);
        let signed = sign(&key, PATH, &parameters, "msg_1", at()).unwrap();
        assert_eq!(signed, format!("{CANONICAL}&wsig={SIGNATURE}"));
        check(&signed, Ok("msg_1"));
    }

    #[test]
    fn another_spelling_of_the_same_query_is_the_same_query() {
        check(
            &format!(
                "wsig={SIGNATURE}&wts=1769947200&wid=m%73g_1&&status=approved&order_id=A%26B%3d1+%c3%a9\
                 &currency=USD&click_id=01JH0000000000000000000000&amount=49.99&"
            ),
            Ok("msg_1"),
        );
    }

    #[test]
    fn a_moved_separator_is_another_query() {
        let moved = CANONICAL.replace("A%26B%3D1", "A&B=1");
        check(&format!("{moved}&wsig={SIGNATURE}"), Err(SignatureError::Invalid));
        let added = format!("{CANONICAL}&wsig={SIGNATURE}&coupon=X");
        check(&added, Err(SignatureError::Invalid));
    }

    #[test]
    fn every_part_of_the_signature_is_needed() {
        for name in [ID_PARAMETER, TIMESTAMP_PARAMETER, SIGNATURE_PARAMETER] {
            let complete = format!("{CANONICAL}&wsig={SIGNATURE}");
            let without: Vec<_> = complete.split('&').filter(|pair| !pair.starts_with(name)).collect();
            check(&without.join("&"), Err(SignatureError::Missing(name)));
        }
        check(&format!("{CANONICAL}&wsig={SIGNATURE}&wkid=k2"), Err(SignatureError::UnknownKey));
    }

    #[test]
    fn a_message_may_name_its_key() {
        let key = SigningKey::parse(SECRET).unwrap();
        let mut parameters = Query::parse("amount=1").unwrap();
        parameters.set(KEY_ID_PARAMETER, "k1");
        check(&sign(&key, PATH, &parameters, "msg_2", at()).unwrap(), Ok("msg_2"));
    }

    #[test]
    fn another_path_is_another_message() {
        let query = Query::parse(&format!("{CANONICAL}&wsig={SIGNATURE}")).unwrap();
        assert_eq!(verify(&ring(), "/postback/adv_2", &query, at()), Err(SignatureError::Invalid));
    }

    fn check_decoding(raw: &str, expected: Result<&[(&str, &str)], QueryError>) {
        let query = Query::parse(raw);
        let pairs: Result<Vec<_>, _> = query.as_ref().map(|query| query.pairs().collect());
        assert_eq!(pairs, expected.as_ref().map(|pairs| pairs.to_vec()), "{raw:?}");
    }

    #[test]
    fn queries_are_decoded_in_one_way() {
        check_decoding("", Ok(&[]));
        check_decoding("b=2&a=1", Ok(&[("a", "1"), ("b", "2")]));
        check_decoding("a&b=&&=c", Ok(&[("", "c"), ("a", ""), ("b", "")]));
        check_decoding("a=1=2%3D3", Ok(&[("a", "1=2=3")]));
        check_decoding("a=1+2%2B3", Ok(&[("a", "1 2+3")]));
        check_decoding("a=%C3%A9&b=é", Ok(&[("a", "é"), ("b", "é")]));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        check_decoding("a=1%", Err(QueryError::Escape("1%".to_owned())));
        check_decoding("a=%4", Err(QueryError::Escape("%4".to_owned())));
        check_decoding("%zz=1", Err(QueryError::Escape("%zz".to_owned())));
        check_decoding("a=%+1", Err(QueryError::Escape("%+1".to_owned())));
        check_decoding("a=%C3", Err(QueryError::Text("%C3".to_owned())));
        check_decoding("a=%ED%A0%80", Err(QueryError::Text("%ED%A0%80".to_owned())));
        check_decoding("a=%C0%AF", Err(QueryError::Text("%C0%AF".to_owned())));
        check_decoding("a=1&%61=1", Err(QueryError::Repeated("a".to_owned())));
    }
}
