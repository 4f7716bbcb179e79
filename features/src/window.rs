//! A window says from when on an event no longer counts; the value at an instant is over the events that still do.

use std::fmt;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in an hour.
pub const HOUR: i64 = 3_600 * SECOND;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;
/// What stands for an end that never comes.
pub const NEVER: i64 = i64::MAX;

/// Which events count.
///
/// A sliding window of up to a day is exact to the microsecond. A longer one slides in steps, so that its memory is
/// bounded by its steps instead of by its events: an event leaves `length` after the beginning of its slice, and a
/// window of 90 days therefore covers the last 89 to 90 days (the sawtooth windows of Airbnb's Chronon). Both
/// computations of a feature follow the same rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The last so many microseconds.
    Last(i64),
    /// What lies in the same day, week or month as the instant, in UTC.
    Calendar(Period),
    /// Everything.
    AllTime,
}

/// A stretch of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday, as in ISO 8601.
    Week,
    /// From the first of a month to its last.
    Month,
}

impl Window {
    /// The instant from which on an event of `occurred_at_us` no longer counts, in microseconds since the epoch. It
    /// never falls when `occurred_at_us` rises.
    #[must_use]
    pub fn leaves(self, occurred_at_us: i64) -> i64 {
        match self {
            Self::Last(length) => slice(length, occurred_at_us).saturating_add(length),
            Self::Calendar(period) => period.end(occurred_at_us),
            Self::AllTime => NEVER,
        }
    }

    /// The first instant of which an event still counts at `now_us`: an event has left if, and only if, it happened
    /// before.
    #[must_use]
    pub fn begins(self, now_us: i64) -> i64 {
        match self {
            Self::Last(length) => {
                let gone = slice(length, now_us.saturating_sub(length));
                gone.saturating_add(step_of(length))
            }
            Self::Calendar(period) => period.begin(now_us),
            Self::AllTime => i64::MIN,
        }
    }

    /// How long it is at most, in microseconds; none when it has no end.
    #[must_use]
    pub fn length_us(self) -> Option<i64> {
        match self {
            Self::Last(length) => Some(length),
            Self::Calendar(Period::Day) => Some(DAY),
            Self::Calendar(Period::Week) => Some(7 * DAY),
            Self::Calendar(Period::Month) => Some(31 * DAY),
            Self::AllTime => None,
        }
    }

    /// By how much the window's beginning moves at a time, in microseconds; one where it is exact.
    #[must_use]
    pub fn step_us(self) -> Option<i64> {
        match self {
            Self::Last(length) => Some(step_of(length)),
            Self::Calendar(_) | Self::AllTime => None,
        }
    }
}

/// Exact up to a day, by the hour up to a fortnight, by the day beyond.
const fn step_of(length: i64) -> i64 {
    if length <= DAY {
        return 1;
    }
    if length <= 14 * DAY { HOUR } else { DAY }
}

/// The beginning of the slice that an instant lies in. Each step stands by itself, because a machine divides by what
/// it knows beforehand much faster.
const fn slice(length: i64, at_us: i64) -> i64 {
    match step_of(length) {
        HOUR => at_us.div_euclid(HOUR).saturating_mul(HOUR),
        DAY => at_us.div_euclid(DAY).saturating_mul(DAY),
        _ => at_us,
    }
}

impl Period {
    /// The first instant after the period that `at_us` lies in.
    fn end(self, at_us: i64) -> i64 {
        let day = at_us.div_euclid(DAY);
        let next = match self {
            Self::Day => day + 1,
            // 1970-01-01 was a Thursday.
            Self::Week => day + 7 - (day + 3).rem_euclid(7),
            Self::Month => first_of_next_month(day),
        };
        next.saturating_mul(DAY)
    }

    /// The first instant of the period that `at_us` lies in.
    fn begin(self, at_us: i64) -> i64 {
        let day = at_us.div_euclid(DAY);
        let first = match self {
            Self::Day => day,
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => first_of_month(civil(day)),
        };
        first.saturating_mul(DAY)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Days since the epoch to days since the epoch (H. Hinnant, «chrono-Compatible Low-Level Date Algorithms», 2013).
fn first_of_next_month(day: i64) -> i64 {
    let (year, month) = civil(day);
    first_of_month(if month == 12 { (year + 1, 1) } else { (year, month + 1) })
}

/// Year and month to days since the epoch, by the same algorithms.
fn first_of_month((year, month): (i64, i64)) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year and month of a day, by the same algorithms.
fn civil(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = ((5 * of_year + 2) / 153 + 2) % 12 + 1;
    (year + era * 400 + i64::from(month <= 2), month)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(length) => write_length(f, *length),
            Self::Calendar(period) => write!(f, "this {}", period.name()),
            Self::AllTime => f.write_str("all time"),
        }
    }
}

/// Writes a stretch of time in the largest unit that divides it.
fn write_length(f: &mut fmt::Formatter<'_>, length: i64) -> fmt::Result {
    let units = [(DAY, "d"), (HOUR, "h"), (SECOND, "s")];
    // People say 24 h, and mean more than a day by days.
    let fitting = units.iter().find(|(unit, _)| length % unit == 0 && (*unit < DAY || DAY < length));
    let (unit, name) = fitting.copied().unwrap_or((1, "µs"));
    write!(f, "{} {name}", length / unit)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, Days, Months, NaiveTime};
    use proptest::prelude::*;

    use super::*;

    fn check(window: Window, occurred_at: &str, leaves: &str) {
        let at = occurred_at.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros();
        let found = DateTime::from_timestamp_micros(window.leaves(at)).unwrap();
        assert_eq!(found, leaves.parse::<DateTime<chrono::Utc>>().unwrap(), "{window} of {occurred_at}");
    }

    #[test]
    fn a_day_is_exact_and_longer_windows_leave_by_slices() {
        check(Window::Last(HOUR), "2026-02-01T12:34:56.789Z", "2026-02-01T13:34:56.789Z");
        check(Window::Last(DAY), "2026-02-01T12:34:56.789Z", "2026-02-02T12:34:56.789Z");
        check(Window::Last(7 * DAY), "2026-02-01T12:34:56.789Z", "2026-02-08T12:00:00Z");
        check(Window::Last(90 * DAY), "2026-02-01T12:34:56.789Z", "2026-05-02T00:00:00Z");
    }

    #[test]
    fn the_calendar_ends_at_its_own_midnights() {
        check(Window::Calendar(Period::Day), "2026-02-28T23:59:59.999999Z", "2026-03-01T00:00:00Z");
        check(Window::Calendar(Period::Week), "2026-02-01T12:00:00Z", "2026-02-02T00:00:00Z");
        check(Window::Calendar(Period::Week), "2026-02-02T00:00:00Z", "2026-02-09T00:00:00Z");
        check(Window::Calendar(Period::Month), "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z");
        check(Window::Calendar(Period::Month), "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z");
    }

    #[test]
    fn windows_are_called_as_people_call_them() {
        let windows = [
            Window::Last(HOUR),
            Window::Last(DAY),
            Window::Last(90 * DAY),
            Window::Last(90 * SECOND),
            Window::Last(5),
            Window::Calendar(Period::Week),
            Window::AllTime,
        ];
        let names: Vec<String> = windows.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["1 h", "24 h", "90 d", "90 s", "5 µs", "this week", "all time"]);
    }

    proptest! {
        #[test]
        fn months_and_weeks_are_those_of_the_calendar(seconds in -10_000_000_000_i64..10_000_000_000) {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let date = at.date_naive();
            let month = date.with_day(1).unwrap() + Months::new(1);
            let week = date - Days::new(date.weekday().num_days_from_monday().into()) + Days::new(7);
            for (period, end) in [(Period::Month, month), (Period::Week, week)] {
                let expected = end.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
                prop_assert_eq!(Window::Calendar(period).leaves(seconds * SECOND), expected);
            }
        }

        #[test]
        fn a_window_begins_where_events_have_not_left(
            now in -4_000_000_000_000_000_i64..4_000_000_000_000_000,
            ago in 0_i64..100 * DAY,
            at_a_border: bool,
        ) {
            let now = if at_a_border { now.div_euclid(HOUR) * HOUR } else { now };
            let spans = [1, HOUR, DAY, DAY + 1, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY].map(Window::Last);
            let calendar = [Period::Day, Period::Week, Period::Month].map(Window::Calendar);
            for window in spans.into_iter().chain(calendar).chain([Window::AllTime]) {
                let begins = window.begins(now);
                for at in [now, now - ago, begins, begins.saturating_sub(1), begins.saturating_add(1)] {
                    if at <= now {
                        prop_assert_eq!(now < window.leaves(at), begins <= at, "{} at {}", window, at);
                    }
                }
            }
        }

        #[test]
        fn what_happens_later_never_leaves_earlier(at in -9_000_000_000_000_000_i64.., by in 0_i64..100 * DAY) {
            for length in [1, HOUR, DAY, 7 * DAY, 90 * DAY] {
                let window = Window::Last(length);
                prop_assert!(window.leaves(at) <= window.leaves(at.saturating_add(by)));
            }
        }
    }
}
