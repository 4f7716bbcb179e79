//! Which file an event belongs to: one for each day of its kind, or each hour where a kind has many.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use domain::event::Kind;

use super::error::LakeError;

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// What the file of a partition is called.
const FILE: &str = "part.parquet";

/// What a partition's file is called while it is being written; readers leave out names that begin so.
pub(super) const UNFINISHED: &str = "_part.parquet.new";

/// All events of a kind that happened in one day, or one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// Of which kind.
    pub kind: Kind,
    /// When it begins, in microseconds since the Unix epoch.
    pub start_us: i64,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.file().display(), f)
    }
}

impl Partition {
    /// The partition of an event of `kind` that happened at `occurred_at_us`.
    ///
    /// # Errors
    /// When the moment is not within the years 1970 to 9999.
    pub fn of(kind: Kind, occurred_at_us: i64) -> Result<Self, LakeError> {
        let moment = DateTime::from_timestamp_micros(occurred_at_us);
        let possible = moment.is_some_and(|moment| (1970..=9999).contains(&moment.year()));
        if !possible {
            return Err(LakeError::ImpossibleTime { occurred_at_us });
        }
        let span = span_us(kind);
        Ok(Self { kind, start_us: occurred_at_us.div_euclid(span) * span })
    }

    /// The first moment after it, in microseconds since the Unix epoch.
    #[must_use]
    pub fn end_us(&self) -> i64 {
        self.start_us + span_us(self.kind)
    }

    /// Whether something that happened at that moment belongs here.
    #[must_use]
    pub fn holds(&self, occurred_at_us: i64) -> bool {
        (self.start_us..self.end_us()).contains(&occurred_at_us)
    }

    /// Its folder within the lake, as Hive names it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let start: DateTime<Utc> = DateTime::from_timestamp_micros(self.start_us)
            .expect("a partition begins within the years that have four digits");
        let day = Path::new(self.kind.name()).join(format!("date={}", start.format("%Y-%m-%d")));
        if hourly(self.kind) { day.join(format!("hour={:02}", start.hour())) } else { day }
    }

    /// Its file within the lake.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder().join(FILE)
    }

    /// The partition whose file has this path, below the folder of its kind.
    pub(super) fn at(kind: Kind, within: &Path) -> Option<Self> {
        let mut names = within.iter().map(|name| name.to_str());
        let (date, last) = (names.next()??, names.next_back()??);
        let hour = names.next();
        let known = last == FILE && names.next().is_none();
        known.then(|| Self::named(kind, date, hour.flatten())).flatten()
    }

    /// The partition whose folder has these names, below that of its kind.
    fn named(kind: Kind, date: &str, hour_name: Option<&str>) -> Option<Self> {
        let day: NaiveDate = date.strip_prefix("date=")?.parse().ok()?;
        let hour: i64 = match (hourly(kind), hour_name) {
            (true, Some(hour)) => hour.strip_prefix("hour=")?.parse().ok()?,
            (false, None) => 0,
            _ => return None,
        };
        let midnight = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros();
        let partition = Self::of(kind, midnight + hour * HOUR_US).ok()?;
        // Only one spelling of each: a folder named otherwise is not of the lake's making.
        let own = partition.folder();
        let mut names = own.iter().skip(1).map(|name| name.to_str());
        let same = names.next() == Some(Some(date)) && names.next().flatten() == hour_name;
        same.then_some(partition)
    }
}

/// Whether there are so many events of a kind that each hour has a file.
pub(super) fn hourly(kind: Kind) -> bool {
    matches!(kind, Kind::Click | Kind::Impression)
}

fn span_us(kind: Kind) -> i64 {
    if hourly(kind) { HOUR_US } else { DAY_US }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, moment: &str, file: &str) {
        let moment: DateTime<Utc> = moment.parse().unwrap();
        let partition = Partition::of(kind, moment.timestamp_micros()).unwrap();
        assert_eq!(partition.file(), Path::new(file));
        assert!(partition.holds(moment.timestamp_micros()));
        let folder = partition.folder();
        let names: Vec<_> = folder.iter().skip(1).map(|name| name.to_str().unwrap()).collect();
        assert_eq!(Partition::named(kind, names[0], names.get(1).copied()), Some(partition));
    }

    #[test]
    fn a_partition_is_named_as_hive_does() {
        check(Kind::Click, "2026-03-01T07:59:59.999999Z", "clicks/date=2026-03-01/hour=07/part.parquet");
        check(Kind::Click, "2026-03-01T08:00:00Z", "clicks/date=2026-03-01/hour=08/part.parquet");
        check(Kind::Refund, "1970-01-01T00:00:00Z", "refunds/date=1970-01-01/part.parquet");
        check(Kind::StatusChange, "9999-12-31T23:59:59Z", "status_changes/date=9999-12-31/part.parquet");
    }

    #[test]
    fn other_names_are_no_partitions() {
        for (date, hour) in [
            ("date=2026-3-1", Some("hour=07")),
            ("date=2026-03-01", Some("hour=7")),
            ("date=2026-03-01", Some("hour=24")),
            ("date=2026-03-01", None),
            ("date=2026-02-30", Some("hour=00")),
            ("day=2026-03-01", Some("hour=00")),
        ] {
            assert_eq!(Partition::named(Kind::Click, date, hour), None, "{date} {hour:?}");
        }
        assert_eq!(Partition::named(Kind::Refund, "date=2026-03-01", Some("hour=00")), None);
    }

    #[test]
    fn a_moment_outside_the_calendar_is_refused() {
        for moment in [-1, i64::MIN, i64::MAX] {
            let error = Partition::of(Kind::Click, moment).unwrap_err();
            assert!(matches!(error, LakeError::ImpossibleTime { .. }), "{error}");
        }
    }
}
