//! One row of a file, as the fields that its columns were mapped to, and what may be wrong with one.

use std::{collections::BTreeMap, str::FromStr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use domain::{Currency, Money, id::Id};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Why a row was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The field that is wrong; empty when it is the row.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Rejection {
    /// What is wrong with a field.
    pub(super) fn of(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

/// What a row says, by field; what is empty is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record(pub(super) BTreeMap<&'static str, String>);

/// The names that a source of files uses, which mean something within it alone.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) source: String,
}

impl Names {
    /// The id of what the source calls `name`: an id of ours as it is, or one that is always the same for that name.
    pub(super) fn id<T: Id + From<Uuid>>(&self, kind: &str, name: &str) -> T {
        name.parse().unwrap_or_else(|_| self.made(kind, &[name]).into())
    }

    /// An id that is always the same for the same parts (UUID version 8: it says nothing of a time).
    pub(super) fn made(&self, kind: &str, parts: &[&str]) -> Uuid {
        let mut hash = Sha256::new_with_prefix(b"tributary import/1");
        for part in [self.source.as_str(), kind].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Record {
    /// Takes a value of a column, if that is a field and the value says anything.
    pub(super) fn say(&mut self, field: Option<&'static str>, value: &str) {
        if let Some(field) = field.filter(|_| !value.trim().is_empty()) {
            self.0.insert(field, value.trim().to_owned());
        }
    }

    /// What a field says; nothing when it is empty.
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    pub(super) fn text(&self, field: &str) -> String {
        self.get(field).unwrap_or_default().to_owned()
    }

    pub(super) fn must(&self, field: &str) -> Result<&str, Rejection> {
        self.get(field).ok_or_else(|| Rejection::of(field, "is missing"))
    }

    /// A name of a set, or a default.
    pub(super) fn name<T: FromStr<Err: ToString>>(&self, field: &str, otherwise: T) -> Result<T, Rejection> {
        let parsed = self.get(field).map(|text| text.to_lowercase().parse::<T>());
        parsed.map_or(Ok(otherwise), |parsed| parsed.map_err(|error| Rejection::of(field, error.to_string())))
    }

    /// What a field says, if it says anything.
    pub(super) fn maybe<T: FromStr<Err: ToString>>(&self, field: &str) -> Result<Option<T>, Rejection> {
        let parsed = self.get(field).map(|text| text.to_lowercase().parse::<T>());
        parsed.transpose().map_err(|error| Rejection::of(field, error.to_string()))
    }

    pub(super) fn moment(&self, field: &str) -> Result<Option<i64>, Rejection> {
        self.get(field).map(|text| moment(field, text)).transpose()
    }

    pub(super) fn money(&self) -> Result<Money, Rejection> {
        let code = self.must("currency")?.to_uppercase();
        let currency: Currency = code
            .parse()
            .map_err(|error: domain::money::MoneyError| Rejection::of("currency", error.to_string()))?;
        let money = Money::parse(self.must("amount")?, currency);
        money.map_err(|error| Rejection::of("amount", error.to_string()))
    }

    pub(super) fn country(&self) -> Result<String, Rejection> {
        let country = self.text("country").to_uppercase();
        let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        if country.is_empty() || is_code {
            return Ok(country);
        }
        Err(Rejection::of("country", format!("{:?} is not an ISO 3166 code such as DE", short(&country))))
    }

    /// All that it says, by which a row without a name of its own is known again.
    pub(super) fn whole(&self) -> Vec<&str> {
        self.0.iter().flat_map(|(field, value)| [*field, value.as_str()]).collect()
    }
}

/// Reads a moment into microseconds since 1970.
fn moment(field: &str, text: &str) -> Result<i64, Rejection> {
    let wrong = || {
        let reason =
            "is not a moment such as 2026-03-01T12:00:00Z, 2026-03-01 12:00:00, 2026-03-01 or 1772366400";
        Rejection::of(field, format!("{:?} {reason}", short(text)))
    };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().map_err(|_| wrong())?;
        return match text.len() {
            9..=10 => Ok(number * 1_000_000),
            12..=13 => Ok(number * 1_000),
            15..=16 => Ok(number),
            _ => Err(wrong()),
        };
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc).timestamp_micros());
    }
    let plain = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let plain = plain.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let midnight = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    plain.or_else(midnight).map(|moment| moment.and_utc().timestamp_micros()).ok_or_else(wrong)
}

/// What is repeated of a wrong value.
pub(super) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use domain::{AffiliateId, ClickId};

    use super::*;

    fn check(text: &str, read: &str) {
        let moment =
            moment("occurred_at", text).map(|us| DateTime::from_timestamp_micros(us).unwrap().to_rfc3339());
        assert_eq!(moment.unwrap_or_else(|rejection| rejection.reason), read);
    }

    #[test]
    fn a_moment_is_read_in_the_forms_that_files_use() {
        check("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00");
        check("2026-03-01T12:00:00.25+01:00", "2026-03-01T11:00:00.250+00:00");
        check("2026-03-01 12:00:00.000001", "2026-03-01T12:00:00.000001+00:00");
        check("2026-03-01 12:00", "2026-03-01T12:00:00+00:00");
        check("2026-03-01", "2026-03-01T00:00:00+00:00");
        check("1772366400", "2026-03-01T12:00:00+00:00");
        check("1772366400000", "2026-03-01T12:00:00+00:00");
        check("1772366400000000", "2026-03-01T12:00:00+00:00");
        check(
            "03/01/2026",
            r#""03/01/2026" is not a moment such as 2026-03-01T12:00:00Z, 2026-03-01 12:00:00, 2026-03-01 or 1772366400"#,
        );
        check(
            "12",
            r#""12" is not a moment such as 2026-03-01T12:00:00Z, 2026-03-01 12:00:00, 2026-03-01 or 1772366400"#,
        );
    }

    #[test]
    fn a_name_is_the_same_id_always_and_another_ones_in_another_source() {
        let (ours, theirs) = (Names { source: "a".to_owned() }, Names { source: "b".to_owned() });
        let id: AffiliateId = ours.id("affiliate", "4711");
        assert_eq!(id.to_string(), "aff_2G5A21CXBBGF7AEEEM7DXCVH3F");
        assert_eq!(ours.id::<AffiliateId>("affiliate", "4711"), id);
        assert_ne!(theirs.id::<AffiliateId>("affiliate", "4711"), id);
        assert_eq!(id.made_at(), None);
        let known = "clk_01JH0000000000000000000000";
        assert_eq!(ours.id::<ClickId>("click", known).to_string(), known);
    }
}
