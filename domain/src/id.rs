//! Ids are UUIDv7 newtypes, printed with the kind's prefix and 26 characters of Crockford base32.

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use ulid::Ulid;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};
use uuid::Uuid;

use crate::clock::{Chance, Clock};

/// A text that is not an id of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind} id: expected {prefix}_ and 26 characters of Crockford base32")]
pub struct IdError {
    /// The kind that was expected, as a person says it.
    pub kind: &'static str,
    /// The prefix that ids of this kind carry.
    pub prefix: &'static str,
    /// What was read instead, cut to 64 characters.
    pub text: String,
}

/// How many bytes a printed id has: three of the prefix, the underscore, and 26 of Crockford base32.
pub const PRINTED: usize = 4 + ulid::ULID_LEN;

/// What ids of all kinds can do, for those who print and read them by the million.
pub trait Id: Copy + Ord + fmt::Display + FromStr<Err = IdError> {
    /// The printed form, written into `buffer` without the formatter.
    fn print(self, buffer: &mut [u8; PRINTED]) -> &str;
}

/// Makes a UUIDv7 from a time's milliseconds and 74 random bits.
fn uuid_v7(now: DateTime<Utc>, chance: &Chance) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &chance.bytes()).into_uuid()
}

fn parse(kind: &'static str, prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let wrong = || IdError { kind, prefix, text: text.chars().take(64).collect() };
    let body = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(wrong)?;
    // Crockford base32 is read whatever its case, because links pass through systems that fold it.
    Ulid::from_string(body).map(Uuid::from).map_err(|_| wrong())
}

fn is_printed(kind: &'static str, prefix: &'static str, text: &str) -> bool {
    // Most other texts are refused by their length, without an error being made of them.
    text.len() == PRINTED
        && parse(kind, prefix, text).is_ok_and(|uuid| print(prefix, uuid, &mut [0; PRINTED]) == text)
}

fn print<'a>(prefix: &str, uuid: Uuid, buffer: &'a mut [u8; PRINTED]) -> &'a str {
    let (kind, body) = buffer.split_at_mut(4);
    kind[..3].copy_from_slice(prefix.as_bytes());
    kind[3] = b'_';
    let body: &mut [u8; ulid::ULID_LEN] =
        body.try_into().expect("what is behind the prefix has a ULID's length");
    Ulid::from(uuid).array_to_str(body);
    str::from_utf8(buffer).expect("a prefix and base32 are ASCII")
}

macro_rules! ids {
    ($($(#[$doc:meta])+ $name:ident = $prefix:literal, $kind:literal;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// What ids of this kind begin with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, made once, ordered by the time it was made.
            #[must_use]
            pub fn new(clock: &Clock, chance: &Chance) -> Self {
                Self::new_at(clock.now(), chance)
            }

            /// A new id for something of this moment, when the clock was read already.
            #[must_use]
            pub fn new_at(now: DateTime<Utc>, chance: &Chance) -> Self {
                Self(uuid_v7(now, chance))
            }

            /// Whether a text is an id of this kind exactly as it is printed; other cases of its letters are read, too.
            #[must_use]
            pub fn is_printed(text: &str) -> bool {
                is_printed($kind, $prefix, text)
            }

            /// The id as the database keeps it.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }

            /// The smallest id that something of this moment can have; the same as `uuid_v7_floor` of the database.
            #[must_use]
            pub fn floor(moment: DateTime<Utc>) -> Self {
                let millis = u64::try_from(moment.timestamp_millis()).unwrap_or(0);
                Self(Uuid::from_u64_pair(millis << 16, 0))
            }

            /// When the id was made, to the millisecond; `None` when it is no UUIDv7 (an imported one).
            #[must_use]
            pub fn made_at(self) -> Option<DateTime<Utc>> {
                let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
            }
        }

        impl Id for $name {
            fn print(self, buffer: &mut [u8; PRINTED]) -> &str {
                print($prefix, self.0, buffer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.print(&mut [0; PRINTED]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($kind, $prefix, text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    return Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom);
                }
                Uuid::deserialize(deserializer).map(Self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                id_schema($prefix, $kind)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+

        /// Every kind of id: its prefix and its name in words.
        pub const KINDS: &[(&str, &str)] = &[$(($prefix, $kind)),+];
    };
}

fn id_schema(prefix: &str, kind: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("Id of a {kind}: UUIDv7 in Crockford base32 behind its kind's prefix.")))
        .pattern(Some(format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$")))
        .examples([format!("{prefix}_01JH0000000000000000000000")])
        .into()
}

ids! {
    /// A click, also known to the advertiser: it travels in the landing URL.
    ClickId = "clk", "click";
    /// A company whose products are advertised and who pays commissions.
    AdvertiserId = "adv", "advertiser";
    /// A partner who sends visitors.
    AffiliateId = "aff", "affiliate";
    /// One offer of an advertiser, with its landing page, rules and commission plan.
    CampaignId = "cmp", "campaign";
    /// One affiliate's link into one campaign.
    LinkId = "lnk", "link";
    /// Something a visitor did that the advertiser pays for.
    ConversionId = "cnv", "conversion";
    /// One line of what an affiliate earns from one conversion.
    CommissionId = "com", "commission";
    /// One version of the terms by which a campaign pays.
    PlanId = "pln", "commission plan";
    /// One balanced movement in the ledger.
    TransactionId = "txn", "ledger transaction";
    /// One account of the ledger.
    AccountId = "acc", "ledger account";
    /// A payout to an affiliate.
    PayoutId = "pay", "payout";
    /// An API key's public part.
    ApiKeyId = "key", "API key";
    /// A key with which an advertiser signs postbacks.
    SigningKeyId = "sig", "signing key";
    /// A file that is brought into the event lake.
    ImportId = "imp", "import";
    /// One version of what an affiliate agreed to about its rate in a campaign.
    RateContractId = "rct", "rate contract";
    /// One decision about an affiliate's rate in a campaign.
    RateDecisionId = "rdc", "rate decision";
    /// A decision about fraud.
    ScoreId = "scr", "score";
    /// What people decide about conversions that are held.
    CaseId = "cas", "case";
    /// Partners who hang together.
    RingId = "rng", "ring of partners";
    /// One list of who was recommended.
    RecommendationId = "rec", "recommendation";
    /// What somebody said of a pair that was recommended.
    RecommendationFeedbackId = "rfb", "feedback";
    /// An address of a partner's that is told of its conversions.
    PartnerPostbackId = "ppb", "partner postback";
    /// What partners advertise a campaign with.
    MaterialId = "mat", "material";
    /// Something that such an address is told once.
    DeliveryId = "dlv", "delivery";
    /// A person who signs in.
    UserId = "usr", "user";
    /// One event announced to the outside.
    EventId = "evt", "event";
    /// One visit of one browser, carried by the first-party cookie.
    SessionId = "ses", "session";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_reads_back_whatever_its_case() {
        let id: ClickId = "clk_01JH0000000000000000000000".parse().unwrap();
        assert_eq!(id.to_string(), "clk_01JH0000000000000000000000");
        assert_eq!("clk_01jh0000000000000000000000".parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused_with_the_expected_form() {
        let error = "aff_01JH0000000000000000000000".parse::<ClickId>().unwrap_err();
        insta::assert_snapshot!(error, @r#""aff_01JH0000000000000000000000" is no click id: expected clk_ and 26 characters of Crockford base32"#);
    }

    #[test]
    fn only_what_is_written_as_an_id_is_printed_is_one_to_the_letter() {
        assert!(ClickId::is_printed("clk_01JH0000000000000000000000"));
        for other in [
            "",
            "clk_",
            "clk_01jh0000000000000000000000",
            "aff_01JH0000000000000000000000",
            "clk_O1JH0000000000000000000000",
        ] {
            assert!(!ClickId::is_printed(other), "{other}");
        }
    }

    #[test]
    fn prefixes_are_unique() {
        for (position, (prefix, _)) in KINDS.iter().enumerate() {
            assert!(KINDS[..position].iter().all(|(other, _)| other != prefix), "{prefix} is used twice");
        }
    }

    #[test]
    fn ids_made_later_sort_later() {
        let clock = Clock::standing_at(DateTime::from_timestamp(1_769_947_200, 0).unwrap());
        let chance = Chance::seeded(1);
        let first = ClickId::new(&clock, &chance);
        clock.advance(chrono::TimeDelta::milliseconds(1));
        let second = ClickId::new(&clock, &chance);
        assert!(first < second);
        assert!(first.to_string() < second.to_string());
        assert_eq!(first.made_at(), DateTime::from_timestamp(1_769_947_200, 0));
    }

    #[test]
    fn nothing_of_a_moment_comes_before_its_floor() {
        let (at, chance) = (DateTime::from_timestamp(1_769_947_200, 0).unwrap(), Chance::seeded(1));
        let floor = ClickId::floor(at);
        assert_eq!(floor.uuid().to_string(), "019c1912-fa00-0000-0000-000000000000");
        assert!(floor <= ClickId::new_at(at, &chance));
        assert!(ClickId::new_at(at - chrono::TimeDelta::milliseconds(1), &chance) < floor);
    }

    proptest! {
        #[test]
        fn every_uuid_survives_print_and_parse(bits: u128) {
            let id = ConversionId::from(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(ConversionId::is_printed(&id.to_string()));
            prop_assert_eq!(serde_json::from_str::<ConversionId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            drop(text.parse::<ClickId>());
            drop(format!("clk_{text}").parse::<ClickId>());
        }
    }
}
