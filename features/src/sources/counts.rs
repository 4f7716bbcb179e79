//! Clicks and sales counted: of four weeks by day, country and hour, of the last day by five minutes.

use std::collections::BTreeMap;

use crate::window::{DAY, HOUR, SECOND};

/// So long an event of the recent past is not told apart from others.
const SLOT: i64 = 300 * SECOND;

/// An ISO 3166 code; zeros where none is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Country([u8; 2]);

impl Country {
    pub(super) fn of(code: &str) -> Self {
        Self(code.as_bytes().try_into().unwrap_or_default())
    }
}

/// Clicks of each country in each hour of the day in UTC.
pub(super) type Hours = BTreeMap<Country, [u64; 24]>;

/// Clicks of a country in an hour of the day.
type Cell = ((Country, u8), u32);

/// Clicks by day, and of a day by country and hour.
#[derive(Debug, Default)]
pub(super) struct Days(BTreeMap<i64, Vec<Cell>>);

impl Days {
    pub(super) fn count(&mut self, known_us: i64, country: Country) {
        let hour = (known_us.rem_euclid(DAY) / HOUR) as u8;
        let day = self.0.entry(known_us.div_euclid(DAY)).or_default();
        match day.binary_search_by_key(&(country, hour), |it| it.0) {
            Ok(place) => day[place].1 = day[place].1.saturating_add(1),
            Err(place) => day.insert(place, ((country, hour), 1)),
        }
    }

    /// Of the days from one midnight to another.
    pub(super) fn hours(&self, begin_us: i64, end_us: i64) -> Hours {
        let mut hours = Hours::new();
        let days = self.0.range(begin_us.div_euclid(DAY)..end_us.div_euclid(DAY));
        for ((country, hour), clicks) in days.flat_map(|(_, day)| day) {
            hours.entry(*country).or_default()[usize::from(*hour)] += u64::from(*clicks);
        }
        hours
    }

    /// How many in the days from one midnight to another.
    pub(super) fn clicks(&self, begin_us: i64, end_us: i64) -> u64 {
        let days = self.0.range(begin_us.div_euclid(DAY)..end_us.div_euclid(DAY));
        days.flat_map(|(_, day)| day).map(|(_, clicks)| u64::from(*clicks)).sum()
    }

    pub(super) fn forget(&mut self, before_us: i64) {
        self.0 = self.0.split_off(&before_us.div_euclid(DAY));
    }
}

/// What happened just now.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) clicks: Slots,
    /// Sales that came of clicks.
    pub(super) sales: Slots,
}

impl Recent {
    pub(super) fn forget(&mut self, before_us: i64) {
        self.clicks.forget(before_us);
        self.sales.forget(before_us);
    }
}

/// Events by five minutes.
#[derive(Debug, Default)]
pub(super) struct Slots(BTreeMap<i64, u32>);

impl Slots {
    pub(super) fn count(&mut self, known_us: i64) {
        let slot = self.0.entry(known_us.div_euclid(SLOT)).or_default();
        *slot = slot.saturating_add(1);
    }

    /// From an instant on, or from up to five minutes before it.
    pub(super) fn since(&self, begin_us: i64) -> u64 {
        self.0.range(begin_us.div_euclid(SLOT)..).map(|(_, events)| u64::from(*events)).sum()
    }

    fn forget(&mut self, before_us: i64) {
        self.0 = self.0.split_off(&before_us.div_euclid(SLOT));
    }
}
