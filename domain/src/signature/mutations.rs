//! A hundred thousand forgeries of signed postbacks, none of which is taken for the original.
//!
//! A mutation counts only when it changes what the receiver would understand: reordered or re-encoded parameters
//! mean the same and may verify, so the decoded meaning of what was accepted is compared with what was signed.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::{Index, select},
    test_runner::{Config, TestCaseError, TestRunner},
};

use super::{LiveKey, SigningKey, canonical, canonical::Query, standard};

const NOW: i64 = 1_769_947_200;
const PATH: &str = "/postback/adv_01jh0000000000000000000000";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn keys() -> [SigningKey; 2] {
    [SigningKey::hmac_from([1; 32]), SigningKey::ed25519_from([2; 32])]
}

fn ring() -> Vec<LiveKey> {
    let named = ["hmac", "ed25519"].into_iter().zip(keys());
    named.map(|(kid, key)| LiveKey { kid: kid.to_owned(), key: key.verifying_key() }).collect()
}

/// Runs `attack` on `cases` random inputs; it answers whether the mutation changed the meaning and was refused.
fn check<S: Strategy>(cases: u32, strategy: &S, attack: impl Fn(S::Value) -> Result<Outcome, TestCaseError>) {
    let refused = Cell::new(0);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(strategy, |input| {
        if attack(input)? == Outcome::Refused {
            refused.set(refused.get() + 1);
        }
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    // Some mutations change nothing; if they were many, this test would say less than its number.
    let enough = cases / 10 * 9;
    assert!(enough <= refused.get(), "only {} of {cases} mutations changed the meaning", refused.get());
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    SameMeaning,
}

fn judge(accepted: bool, same_meaning: bool, shown: &str) -> Result<Outcome, TestCaseError> {
    match (accepted, same_meaning) {
        (true, false) => Err(TestCaseError::fail(format!("accepted a forgery: {shown}"))),
        (false, _) => Ok(Outcome::Refused),
        (true, true) => Ok(Outcome::SameMeaning),
    }
}

/// Text in which separators and their encodings are more likely than chance would have it.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9]{1,4}",
        1 => prop_oneof![Just("&"), Just("="), Just("%"), Just("+"), Just(" "), Just(".")].prop_map(str::to_owned),
        1 => prop_oneof![Just("%26"), Just("é"), Just("status=approved"), Just("?"), Just(",")].prop_map(str::to_owned),
    ];
    vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

/// The fields of a postback, as its sender means them.
fn postback() -> impl Strategy<Value = Query> {
    let status = prop_oneof![Just("approved"), Just("pending"), Just("rejected")];
    (text(), 0..100_000_u32, status, prop_oneof![Just("USD"), Just("EUR")], text()).prop_map(
        |(order_id, cents, status, currency, sub1)| {
            let mut fields = Query::default();
            fields.set("click_id", "clk_01jh0000000000000000000000");
            fields.set("order_id", &order_id);
            fields.set("amount", &format!("{}.{:02}", cents / 100, cents % 100));
            fields.set("status", status);
            fields.set("currency", currency);
            fields.set("sub1", &sub1);
            fields
        },
    )
}

/// One thing that somebody on the way could do to the bytes of a query or a body.
#[derive(Debug, Clone)]
enum Mutation {
    FlipBit(Index, u8),
    Delete(Index),
    Insert(Index, String),
    /// Exchanges two bytes, which is how separators move.
    Exchange(Index, Index),
    /// Replaces the n-th occurrence of one piece by another.
    Replace(&'static str, &'static str, Index),
    /// Adds a parameter or a copy of one at some boundary.
    Smuggle(String, String, Index),
    /// Gives a parameter another value.
    SetValue(&'static str, String),
    /// Leaves a parameter out.
    Drop(Index),
    /// Moves a parameter elsewhere: the meaning stays.
    Reorder(Index, Index),
}

fn byte_mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), 0..8_u8).prop_map(|(at, bit)| Mutation::FlipBit(at, bit)),
        1 => index().prop_map(Mutation::Delete),
        1 => (index(), text()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        2 => (index(), index()).prop_map(|(one, other)| Mutation::Exchange(one, other)),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    let pieces = prop_oneof![
        Just(("%26", "&")),
        Just(("%3D", "=")),
        Just(("&", "%26")),
        Just(("=", "%3D")),
        Just(("%20", "+")),
        Just(("%2B", "+")),
        Just(("%2E", ".")),
        Just((".", "")),
        Just(("&", "&&")),
        Just(("%", "%25")),
        Just(("%2C", ",")),
        Just(("USD", "EUR")),
        Just(("pending", "approved")),
        Just(("0", "9")),
    ];
    const NAMES: &[&str] =
        &["status", "order_id", "currency", "amount", "click_id", "wid", "wts", "wsig", "wkid", "sub1"];
    let name = || select(NAMES);
    let instant = (-400_i64..400).prop_map(|offset| (NOW + offset).to_string());
    let value =
        || prop_oneof![text(), Just("approved".to_owned()), Just("EUR".to_owned()), Just("0".to_owned())];
    prop_oneof![
        7 => byte_mutation(),
        3 => (pieces, index()).prop_map(|((from, to), nth)| Mutation::Replace(from, to, nth)),
        3 => (name(), value(), index()).prop_map(|(name, value, at)| Mutation::Smuggle(name.to_owned(), value, at)),
        1 => (text(), text(), index()).prop_map(|(name, value, at)| Mutation::Smuggle(name, value, at)),
        4 => (name(), value()).prop_map(|(name, value)| Mutation::SetValue(name, value)),
        1 => instant.prop_map(|instant| Mutation::SetValue("wts", instant)),
        1 => index().prop_map(Mutation::Drop),
        1 => (index(), index()).prop_map(|(from, to)| Mutation::Reorder(from, to)),
    ]
}

impl Mutation {
    /// The bytes after the mutation; parameters are found between `&`, in a body as in a query.
    fn apply(&self, original: &[u8]) -> Vec<u8> {
        if original.is_empty() {
            return b"~".to_vec();
        }
        let mut bytes = original.to_vec();
        match self {
            Self::FlipBit(at, bit) => bytes[at.index(original.len())] ^= 1 << bit,
            Self::Delete(at) => drop(bytes.remove(at.index(original.len()))),
            Self::Insert(at, piece) => {
                let at = at.index(original.len());
                bytes.splice(at..at, piece.bytes());
            }
            Self::Exchange(one, other) => bytes.swap(one.index(original.len()), other.index(original.len())),
            Self::Replace(from, to, nth) => return replace_nth(original, from, to, *nth),
            _ => return self.apply_to_parameters(original),
        }
        bytes
    }

    fn apply_to_parameters(&self, original: &[u8]) -> Vec<u8> {
        let mut parameters: Vec<Vec<u8>> = original.split(|byte| *byte == b'&').map(<[u8]>::to_vec).collect();
        let count = parameters.len();
        match self {
            Self::Smuggle(name, value, at) => {
                parameters.insert(at.index(count + 1), format!("{name}={value}").into_bytes());
            }
            Self::SetValue(name, value) => {
                let start = format!("{name}=");
                for parameter in parameters.iter_mut().filter(|one| one.starts_with(start.as_bytes())) {
                    *parameter = format!("{name}={value}").into_bytes();
                }
            }
            Self::Drop(at) => drop(parameters.remove(at.index(count))),
            Self::Reorder(from, to) => {
                let moved = parameters.remove(from.index(count));
                parameters.insert(to.index(count), moved);
            }
            _ => {}
        }
        parameters.join(&b'&')
    }
}

fn replace_nth(original: &[u8], from: &str, to: &str, nth: Index) -> Vec<u8> {
    let starts: Vec<_> =
        original.windows(from.len()).enumerate().filter(|(_, piece)| *piece == from.as_bytes()).collect();
    if starts.is_empty() {
        return [original, to.as_bytes(), b"~"].concat();
    }
    let (start, _) = starts[nth.index(starts.len())];
    [&original[..start], to.as_bytes(), &original[start + from.len()..]].concat()
}

fn understood(query: &Query) -> Vec<(&str, &str)> {
    query.pairs().filter(|(name, _)| *name != canonical::SIGNATURE_PARAMETER).collect()
}

#[test]
fn no_mutation_of_a_signed_get_is_accepted() {
    let (ring, keys) = (ring(), keys());
    // Ed25519 costs fifty times an HMAC, so one message in sixteen is signed with it.
    let attempt = (postback(), vec(mutation(), 1..3), 0..16_u8);
    check(60_000, &attempt, |(fields, mutations, which)| {
        let key = &keys[usize::from(which == 0)];
        let signed = canonical::sign(key, PATH, &fields, "msg_1", now()).unwrap();
        let forged = mutations.iter().fold(signed.clone().into_bytes(), |bytes, one| one.apply(&bytes));
        let Ok(Ok(query)) = str::from_utf8(&forged).map(Query::parse) else { return Ok(Outcome::Refused) };
        let accepted = canonical::verify(&ring, PATH, &query, now()).is_ok();
        let original = Query::parse(&signed).unwrap();
        judge(accepted, understood(&query) == understood(&original), &query.canonical())
    });
}

#[test]
fn no_mutation_of_a_signed_post_is_accepted() {
    let (ring, keys) = (ring(), keys());
    let header = select([Part::Id, Part::Timestamp, Part::Signatures].as_slice());
    let target = prop_oneof![
        1 => (header, vec(byte_mutation(), 1..3)),
        1 => (Just(Part::Body), vec(mutation(), 1..3)),
    ];
    let attempt = (postback(), target, 0..16_u8);
    check(60_000, &attempt, |(fields, (part, mutations), which)| {
        let key = &keys[usize::from(which == 0)];
        let body = fields.canonical();
        let signature = standard::sign(key, "msg_1", now(), body.as_bytes()).unwrap();
        let original = ["msg_1".to_owned(), NOW.to_string(), signature, body];
        let mut forged = original.clone().map(String::into_bytes);
        let target = &mut forged[part as usize];
        *target = mutations.iter().fold(target.clone(), |bytes, one| one.apply(&bytes));
        let [id, timestamp, signatures, body] = &forged;
        let texts = (str::from_utf8(id), str::from_utf8(timestamp), str::from_utf8(signatures));
        let (Ok(message_id), Ok(timestamp), Ok(signatures)) = texts else { return Ok(Outcome::Refused) };
        let envelope = standard::Envelope { message_id, timestamp, signatures, kid: None };
        let accepted = standard::verify(&ring, &envelope, body, now()).is_ok();
        let same = [0, 1, 3].into_iter().all(|index| forged[index] == original[index].as_bytes());
        judge(accepted, same, &format!("{envelope:?} {}", String::from_utf8_lossy(body)))
    });
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Id,
    Timestamp,
    Signatures,
    Body,
}

#[test]
fn no_signature_serves_another_message_path_key_or_hour() {
    let (ring, stranger) = (ring(), SigningKey::hmac_from([3; 32]));
    let attempt = (postback(), postback(), 0..4_u8, 301_i64..100_000);
    check(10_000, &attempt, |(one, other, way, late)| {
        let signature_of = |key, fields| canonical::sign(key, PATH, fields, "msg_1", now()).unwrap();
        let key = &keys()[0];
        let mut query = Query::parse(&signature_of(key, &one)).unwrap();
        let (mut path, mut at) = (PATH, now());
        match way {
            0 => {
                let signature = Query::parse(&signature_of(key, &other)).unwrap();
                query.set("wsig", signature.get("wsig").unwrap());
            }
            1 => path = "/postback/adv_01jh0000000000000000000001",
            2 => query = Query::parse(&signature_of(&stranger, &one)).unwrap(),
            _ => at = DateTime::from_timestamp(NOW + late, 0).unwrap(),
        }
        let accepted = canonical::verify(&ring, path, &query, at).is_ok();
        judge(accepted, way == 0 && one == other, &query.canonical())
    });
}
