//! How numbers, money and times are written for whoever reads a page.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use domain::{Money, Rate, money::decimal};
use num_format::{Buffer, Locale};

/// Whose habits numbers and times are written by.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    locale: Locale,
    zone: Tz,
}

impl Default for Reader {
    fn default() -> Self {
        Self { locale: Locale::en, zone: Tz::UTC }
    }
}

impl Reader {
    /// By a person's settings; where they say nothing, by what the browser asks for.
    #[must_use]
    pub fn new(locale: Option<&str>, zone: &str, accepted: Option<&str>) -> Self {
        let mut wanted: Vec<_> = accepted.unwrap_or_default().split(',').map(weighed).collect();
        wanted.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let wanted = locale.into_iter().chain(wanted.iter().map(|(name, _)| *name));
        let locale = wanted.take(20).find_map(known).unwrap_or(Locale::en);
        Self { locale, zone: zone.parse().unwrap_or(Tz::UTC) }
    }

    /// A whole number.
    #[must_use]
    pub fn number(&self, number: i64) -> String {
        let mut written = Buffer::new();
        written.write_formatted(&number, &self.locale);
        written.as_str().to_owned()
    }

    /// An amount with its currency, with as many places as the currency has.
    #[must_use]
    pub fn money(&self, amount: &Money) -> String {
        format!("{}\u{a0}{}", self.digits(&decimal(amount.minor.into(), amount.currency)), amount.currency)
    }

    /// A rate in per cent.
    #[must_use]
    pub fn rate(&self, rate: &Rate) -> String {
        rate.to_string().replace('.', self.locale.decimal())
    }

    /// A change of a rate in percentage points, with its sign.
    #[must_use]
    pub fn points(&self, ppm: i64) -> String {
        let size = Rate { ppm: u32::try_from(ppm.unsigned_abs()).unwrap_or(u32::MAX) };
        let sign = if ppm < 0 { "−" } else { "+" };
        format!("{sign}{}", self.rate(&size).replace('%', "\u{a0}pp"))
    }

    /// A number with so many places at most.
    #[must_use]
    pub fn decimal(&self, number: f64, places: usize) -> String {
        let plain = format!("{number:.places$}");
        let plain =
            if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.') } else { &plain };
        self.digits(plain)
    }

    /// A share of one, in per cent with a place.
    #[must_use]
    pub fn share(&self, share: f64) -> String {
        format!("{}%", self.decimal(100.0 * share, 1))
    }

    /// A plain decimal by the reader's marks.
    fn digits(&self, plain: &str) -> String {
        let (sign, plain) = plain.strip_prefix('-').map_or(("", plain), |size| ("−", size));
        let (whole, places) = plain.split_once('.').unwrap_or((plain, ""));
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), |whole| self.number(whole));
        let mark = if places.is_empty() { "" } else { self.locale.decimal() };
        format!("{sign}{whole}{mark}{places}")
    }

    /// A moment, in the reader's zone.
    #[must_use]
    pub fn time(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M").to_string()
    }

    /// A moment to the second, in the reader's zone.
    #[must_use]
    pub fn exact(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The name of the reader's zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// The day that a moment falls on for the reader.
    #[must_use]
    pub fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// When a day begins for the reader. Where clocks jump over midnight, the day begins after the jump.
    #[must_use]
    pub fn start_of(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        let begins = (0..4).find_map(|hour| {
            let local = midnight + chrono::TimeDelta::hours(hour);
            self.zone.from_local_datetime(&local).earliest()
        });
        begins.map_or_else(|| midnight.and_utc(), |at| at.with_timezone(&Utc))
    }

    /// When a day ends for the reader: where the next one begins.
    #[must_use]
    pub fn end_of(&self, day: NaiveDate) -> DateTime<Utc> {
        self.start_of(day.checked_add_days(Days::new(1)).unwrap_or(day))
    }
}

/// One language of `Accept-Language` and how much it is wanted.
fn weighed(part: &str) -> (&str, f32) {
    let (name, weight) = part.split_once(";q=").unwrap_or((part, "1"));
    (name.trim(), weight.trim().parse().unwrap_or(0.0))
}

/// The habits of a language: of its country, or of the language anywhere.
fn known(name: &str) -> Option<Locale> {
    let language = name.split('-').next().unwrap_or(name);
    Locale::from_name(name).ok().or_else(|| Locale::from_name(language).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accepted: &str, money: &str) -> String {
        let reader = Reader::new(None, "Europe/Berlin", Some(accepted));
        let (value, currency) = money.split_once(' ').unwrap();
        reader.money(&Money::parse(value, currency.parse().unwrap()).unwrap())
    }

    #[test]
    fn money_is_written_as_its_reader_writes_it_and_as_its_currency_counts() {
        assert_eq!(check("en", "1234567.80 EUR"), "1,234,567.80\u{a0}EUR");
        assert_eq!(check("de-DE,de;q=0.9,en;q=0.8", "1234567.80 EUR"), "1.234.567,80\u{a0}EUR");
        assert_eq!(check("en;q=0.1, de", "-0.05 EUR"), "−0,05\u{a0}EUR");
        assert_eq!(check("xx, *;q=0.1", "1234 JPY"), "1,234\u{a0}JPY");
        assert_eq!(check("en", "1.500 KWD"), "1.500\u{a0}KWD");
    }

    #[test]
    fn a_day_begins_where_its_reader_lives() {
        let reader = Reader::new(Some("de"), "Europe/Berlin", None);
        let day = "2026-03-29".parse().unwrap();
        assert_eq!(reader.start_of(day).to_rfc3339(), "2026-03-28T23:00:00+00:00");
        assert_eq!(reader.end_of(day).to_rfc3339(), "2026-03-29T22:00:00+00:00");
        assert_eq!(reader.time(&reader.end_of(day)), "2026-03-30 00:00");
        assert_eq!(reader.points(-12_500), "−1,25\u{a0}pp");
        assert_eq!(reader.decimal(-1234.5678, 2), "−1.234,57");
        assert_eq!(
            [reader.decimal(100.0, 0), reader.share(0.9996), reader.share(0.125)],
            ["100", "100%", "12,5%"]
        );
    }
}
