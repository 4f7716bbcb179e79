//! Texts of requests, checked once at the rim: single lines, e-mail addresses, pages, countries, codes, days.

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::campaign;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

/// Why a text is not of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty, or longer than allowed.
    #[error("it must have 1 to {0} characters")]
    Length(usize),
    /// Line breaks, tabs and the like.
    #[error("it must be one line without control characters")]
    Control,
    /// Another form than the one described.
    #[error("it must be {0}")]
    Form(&'static str),
    /// Not a page that visitors can be sent to.
    #[error(transparent)]
    Page(#[from] campaign::PageError),
}

/// Declares a checked text: how it is read, and how the API's document describes it.
macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident: $check:expr, $schema:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;
            fn from_str(text: &str) -> Result<Self, TextError> {
                let check: fn(&str) -> Result<String, TextError> = $check;
                check(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema: ObjectBuilder = $schema;
                schema.schema_type(Type::String).description(Some(concat!($($doc),+).trim())).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

const NO_CONTROL: &str = r"^[^\x00-\x1F\x7F-\x9F]*$";

fn line(text: &str, limit: usize) -> Result<String, TextError> {
    if !(1..=limit).contains(&text.chars().count()) {
        return Err(TextError::Length(limit));
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::Control);
    }
    Ok(text.to_owned())
}

fn prose(text: &str, limit: usize) -> Result<String, TextError> {
    if !(1..=limit).contains(&text.chars().count()) || text.trim().is_empty() {
        return Err(TextError::Length(limit));
    }
    let is_layout = |letter: char| matches!(letter, '\n' | '\r' | '\t');
    form(
        !text.chars().any(|letter| letter.is_control() && !is_layout(letter)),
        text,
        "text without control characters",
    )
}

fn form(fits: bool, text: impl Into<String>, described: &'static str) -> Result<String, TextError> {
    if fits { Ok(text.into()) } else { Err(TextError::Form(described)) }
}

fn bounded(limit: usize) -> ObjectBuilder {
    ObjectBuilder::new().min_length(Some(1)).max_length(Some(limit)).pattern(Some(NO_CONTROL))
}

fn shaped(pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new().pattern(Some(pattern)).examples([example])
}

texts! {
    /// A name of 1 to 200 characters on one line.
    Name: |text| line(text, 200), bounded(200).examples(["Bright Reviews"]);
    /// A word or two on one line, at most 64 characters.
    Label: |text| line(text, 64), bounded(64).examples(["newsletter"]);
    /// The value of a URL parameter, at most 200 characters on one line.
    ParamValue: |text| line(text, 200), bounded(200).examples(["spring"]);
    /// A sentence for the record, at most 500 characters on one line.
    Note: |text| line(text, 500), bounded(500).examples(["Returned within 14 days."]);
    /// A text of 1 to 4,000 characters, in several lines where it has to be.
    Prose: |text| prose(text, 4_000),
        ObjectBuilder::new().min_length(Some(1)).max_length(Some(4_000)).examples(["The order is our newsletter's of May."]);
    /// A text of 1 to 20,000 characters that others publish or send, in several lines where it has to be.
    Wording: |text| prose(text, 20_000),
        ObjectBuilder::new().min_length(Some(1)).max_length(Some(20_000)).examples(["Spring is here: {link}"]);
    /// An e-mail address.
    Email: email, shaped(r"^[^@\s\x00-\x1F\x7F-\x9F]{1,64}@[^@\s\x00-\x1F\x7F-\x9F]{1,255}$", "ana@bright.example");
    /// The number or name of an account: an IBAN, an e-mail address at PayPal, …; spaces and case do not matter.
    AccountName: |text| line(text, 128).and_then(|text| form(is_account(&text), text, "6 characters or more besides spaces")),
        ObjectBuilder::new().min_length(Some(6)).max_length(Some(128)).pattern(Some(NO_CONTROL))
            .examples(["DE89 3704 0044 0532 0130 00"]);
    /// An http or https address of at most 500 characters.
    Page: |text| campaign::page(&line(text, 500)?).map(|_| text.to_owned()).map_err(Into::into),
        shaped("^https?://[A-Za-z0-9]", "https://shop.example/spring").max_length(Some(500))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uri)));
    /// An ISO 3166 country code of two letters.
    Country: |text| form(text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()), text, "two letters A-Z"),
        shaped("^[A-Z]{2}$", "DE");
    /// The code of a link: what follows /c/ in its URL.
    Code: |text| form(is_plain(text, 20), text, "1 to 20 of A-Z, a-z, 0-9, _ and -"),
        shaped("^[A-Za-z0-9_-]{1,20}$", "spring24");
    /// A promo code; its case does not matter and it is kept in capitals.
    CouponCode: |text| form(is_plain(text, 64), text.to_ascii_uppercase(), "1 to 64 of A-Z, a-z, 0-9, _ and -"),
        shaped("^[A-Za-z0-9_-]{1,64}$", "ANA10");
    /// The name of a URL parameter.
    ParamName: |text| form(is_param(text), text, "1 to 64 of A-Z, a-z, 0-9, _, . and -"),
        shaped(r"^[A-Za-z0-9_.-]{1,64}$", "clickid");
    /// The name of an event, as postbacks carry it.
    EventName: |text| form(is_event(text), text, "1 to 64 of a-z, 0-9, _, . and -"),
        shaped(r"^[a-z0-9_.-]{1,64}$", "sale");
    /// The public Ed25519 key of an advertiser.
    PublicKey: |text| form(text.len() == 49, text, "whpk_ and 32 bytes in base64"),
        shaped("^whpk_[A-Za-z0-9+/]{43}=$", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
}

fn is_plain(text: &str, limit: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=limit).contains(&text.len()) && text.bytes().all(plain)
}

fn is_account(text: &str) -> bool {
    6 <= text.chars().filter(|letter| !letter.is_whitespace()).count()
}

fn is_param(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn is_event(text: &str) -> bool {
    is_param(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn email(text: &str) -> Result<String, TextError> {
    let clean = |part: &str, limit| {
        let bad = |letter: char| letter == '@' || letter.is_whitespace() || letter.is_control();
        (1..=limit).contains(&part.chars().count()) && !part.contains(bad)
    };
    let fits = text.split_once('@').is_some_and(|(local, host)| clean(local, 64) && clean(host, 255));
    form(fits, text, "an e-mail address such as ana@bright.example")
}

impl CouponCode {
    /// A code that was checked when it was stored.
    pub fn kept(code: &str) -> Self {
        Self(code.to_owned())
    }
}

/// A day of the calendar in UTC, between 1970 and 9999, which every part of the system can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(NaiveDate);

impl Day {
    /// Its first moment.
    #[must_use]
    pub fn start(self) -> DateTime<Utc> {
        self.0.and_time(NaiveTime::MIN).and_utc()
    }

    /// The first moment after it.
    #[must_use]
    pub fn end(self) -> DateTime<Utc> {
        self.start() + Days::new(1)
    }
}

impl FromStr for Day {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = TextError::Form("a day from 1970-01-01 to 9999-12-31");
        let shaped = text.len() == 10
            && "1970" <= text
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let day = shaped.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
        day.map(Self).ok_or(wrong)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl PartialSchema for Day {
    fn schema() -> RefOr<Schema> {
        let date = ObjectBuilder::new().schema_type(Type::String).examples(["2026-02-01"]);
        let date = date.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
        date.pattern(Some("^(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}$"))
            .description(Some("A day in UTC."))
            .into()
    }
}

impl ToSchema for Day {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Day")
    }
}

/// Reads a moment as RFC 3339 has it; chrono itself would also take years that the database cannot hold.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<Cow<str>>::deserialize(deserializer)? else { return Ok(None) };
    let read = DateTime::parse_from_rfc3339(&text).ok().filter(|moment| 0 <= moment.timestamp());
    let wrong = || D::Error::custom("it must be a moment such as 2026-02-01T12:00:00Z, in 1970 or later");
    read.map(|moment| Some(moment.to_utc())).ok_or_else(wrong)
}

/// Reads a field of a change: absent leaves things as they are, null clears them.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check<T: FromStr<Err = TextError>>(text: &str, fits: bool) {
        assert_eq!(text.parse::<T>().is_ok(), fits, "{text:?}");
    }

    #[test]
    fn a_name_is_one_line() {
        check::<Name>("Jörg & Söhne 🎉", true);
        check::<Name>("", false);
        check::<Name>("two\nlines", false);
        check::<Name>("nul\0", false);
        check::<Name>(&"x".repeat(201), false);
    }

    #[test]
    fn prose_has_lines_and_something_in_them() {
        check::<Prose>("Two lines,\n\tand one of them moved in.", true);
        check::<Prose>(" \n ", false);
        check::<Prose>("bell\u{7}", false);
        check::<Prose>(&"x".repeat(4_001), false);
    }

    #[test]
    fn an_address_has_one_at_sign_between_two_parts() {
        check::<Email>("ana@bright.example", true);
        check::<Email>("ana@@bright.example", false);
        check::<Email>("@bright.example", false);
        check::<Email>("ana @bright.example", false);
    }

    #[test]
    fn a_coupon_is_kept_in_capitals() {
        assert_eq!("ana10".parse::<CouponCode>().unwrap().as_str(), "ANA10");
        check::<CouponCode>("straße", false);
    }

    #[test]
    fn a_day_is_one_that_the_database_can_hold() {
        check::<Day>("2026-02-28", true);
        check::<Day>("9999-12-31", true);
        check::<Day>("2026-02-30", false);
        check::<Day>("+262142-12-31", false);
        check::<Day>("1969-12-31", false);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text: String) {
            drop(text.parse::<Email>());
            drop(text.parse::<Page>());
            drop(text.parse::<Day>());
            drop(text.parse::<CouponCode>());
        }
    }
}
