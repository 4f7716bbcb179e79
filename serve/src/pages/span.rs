//! The days that a page is asked about, as its form says them.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use super::{
    reader::Reader,
    words::{say, tell},
};

/// Nobody reads more days at once.
const MOST_DAYS: i64 = 400;
/// So many days before today the first one is, unless told.
const BEFORE: u64 = 29;

/// Days in a row.
#[derive(Debug)]
pub struct Span {
    /// The first of them.
    pub from: NaiveDate,
    /// The last of them.
    pub to: NaiveDate,
    /// Why these are not the days that were asked for, if so.
    pub fault: Option<String>,
}

impl Span {
    /// The days that a form says, in its reader's zone: the last thirty where it says nothing, or nothing that fits.
    #[must_use]
    pub fn read((from, to): (Option<&str>, Option<&str>), reader: &Reader, now: DateTime<Utc>) -> Self {
        let last = Self::last(BEFORE, reader, now);
        let told = day(from, last.from).and_then(|from| Ok((from, day(to, last.to)?)));
        let told = told.and_then(|(from, to)| match (to - from).num_days() {
            days if days < 0 => Err(say("traffic-backwards")),
            days if MOST_DAYS <= days => Err(say("traffic-too-long")),
            _ => Ok((from, to)),
        });
        match told {
            Ok((from, to)) => Self { from, to, fault: None },
            Err(fault) => Self { fault: Some(fault), ..last },
        }
    }

    /// Today and so many days before it.
    #[must_use]
    pub fn last(before: u64, reader: &Reader, now: DateTime<Utc>) -> Self {
        let to = reader.day(now);
        Self { from: to.checked_sub_days(Days::new(before)).unwrap_or(to), to, fault: None }
    }

    /// When the first day begins, and when the last one ends.
    #[must_use]
    pub fn moments(&self, reader: &Reader) -> (DateTime<Utc>, DateTime<Utc>) {
        (reader.start_of(self.from), reader.end_of(self.to))
    }

    /// The days as the query of an address.
    #[must_use]
    pub fn query(&self) -> String {
        format!("from={}&to={}", self.from, self.to)
    }
}

/// A day that the database can hold.
fn day(text: Option<&str>, otherwise: NaiveDate) -> Result<NaiveDate, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(otherwise) };
    let day: Option<NaiveDate> = text.parse().ok();
    let day = day.filter(|day| (1970..=9999).contains(&day.year()));
    day.ok_or_else(|| tell("traffic-no-day", &[("text", text)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str) -> String {
        let now = DateTime::from_timestamp(1_769_947_200, 0).unwrap();
        let span = Span::read((Some(from), Some(to)), &Reader::default(), now);
        let fault = span.fault.as_deref().unwrap_or_default();
        format!("{} {fault}", span.query())
    }

    #[test]
    fn days_that_do_not_fit_are_the_last_thirty_and_it_is_said_why() {
        assert_eq!(check("2026-01-05", "2026-01-05"), "from=2026-01-05&to=2026-01-05 ");
        assert_eq!(check("", ""), "from=2026-01-03&to=2026-02-01 ");
        for (from, to, why) in [
            ("2026-01-06", "2026-01-05", "after the last one"),
            ("2024-01-06", "", "400 days"),
            ("soon", "", "“soon” is not a day"),
            ("+12026-01-01", "+12026-01-01", "is not a day"),
        ] {
            let read = check(from, to);
            assert!(read.starts_with("from=2026-01-03&to=2026-02-01 ") && read.contains(why), "{read}");
        }
    }
}
