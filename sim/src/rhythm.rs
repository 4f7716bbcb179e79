//! Places and hours: when people of which country are about.

use crate::dice::{Dice, Lots};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
const HOURS_IN_WEEK: usize = 168;

/// A country that visitors come from.
#[derive(Debug)]
pub struct Country {
    /// ISO 3166 code.
    pub code: &'static str,
    /// Share of all visitors, in parts of the sum (chosen).
    pub weight: f64,
    /// Standard time ahead of UTC, in hours; summer time is left out (chosen).
    pub ahead_hours: i64,
    /// What people pay in.
    pub currency: &'static str,
}

const fn country(code: &'static str, weight: f64, ahead_hours: i64, currency: &'static str) -> Country {
    Country { code, weight, ahead_hours, currency }
}

/// Every country of the world.
pub static COUNTRIES: [Country; 16] = [
    country("US", 24.0, -6, "USD"),
    country("DE", 18.0, 1, "EUR"),
    country("GB", 12.0, 0, "GBP"),
    country("FR", 8.0, 1, "EUR"),
    country("CA", 5.0, -5, "CAD"),
    country("NL", 5.0, 1, "EUR"),
    country("IT", 4.0, 1, "EUR"),
    country("ES", 4.0, 1, "EUR"),
    country("PL", 3.0, 1, "PLN"),
    country("AT", 3.0, 1, "EUR"),
    country("CH", 2.0, 1, "CHF"),
    country("SE", 2.0, 1, "SEK"),
    country("AU", 3.0, 10, "AUD"),
    country("IN", 3.0, 5, "INR"),
    country("BR", 2.0, -3, "BRL"),
    country("JP", 2.0, 9, "JPY"),
];

/// How busy each hour of a day is where people live, relative to the mean hour (chosen: a trough at four in the
/// morning and a peak at nine in the evening, as web traffic has).
const BY_HOUR: [f64; 24] = [
    0.55, 0.36, 0.24, 0.18, 0.17, 0.24, 0.42, 0.68, 0.90, 1.05, 1.14, 1.18, 1.20, 1.18, 1.15, 1.15, 1.18,
    1.24, 1.34, 1.50, 1.66, 1.70, 1.42, 0.97,
];

/// How busy each day of a week is, Monday first (chosen: shops sell most on Sunday evening and Monday).
const BY_WEEKDAY: [f64; 7] = [1.08, 1.03, 1.00, 0.98, 0.94, 0.92, 1.05];

/// The hour of the week where it is `ahead` hours later than UTC: 0 is Monday, midnight to one.
pub(crate) fn hour_of_week(at_us: i64, ahead_hours: i64) -> usize {
    // The epoch began on a Thursday.
    let hours = at_us.div_euclid(HOUR) + ahead_hours + 3 * 24;
    usize::try_from(hours.rem_euclid(168)).unwrap_or(0)
}

/// How busy an hour of the week is.
pub(crate) fn busy(hour_of_week: usize) -> f64 {
    BY_WEEKDAY[hour_of_week / 24 % 7] * BY_HOUR[hour_of_week % 24]
}

/// Who is about in each hour of the week, and how many of them.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    /// For each hour in UTC, relative to the mean hour.
    level: Vec<f64>,
    /// The busiest hour's.
    peak: f64,
    /// For each hour, the lots of the countries.
    countries: Vec<Lots>,
}

impl Rhythm {
    /// The rhythm of visitors from `countries` (positions in [`COUNTRIES`]).
    pub(crate) fn of(countries: &[usize]) -> Self {
        let weights = |hour: usize| {
            let local =
                move |country: &Country| hour_of_week(MONDAY + HOUR * hour_span(hour), country.ahead_hours);
            countries.iter().map(move |&index| COUNTRIES[index].weight * busy(local(&COUNTRIES[index])))
        };
        let sums: Vec<f64> = (0..HOURS_IN_WEEK).map(|hour| weights(hour).sum()).collect();
        let mean = sums.iter().sum::<f64>() / crate::dice::size(HOURS_IN_WEEK);
        let level: Vec<f64> = sums.iter().map(|sum| sum / mean).collect();
        Self {
            peak: level.iter().copied().fold(0.0, f64::max),
            level,
            countries: (0..HOURS_IN_WEEK).map(|hour| Lots::new(weights(hour))).collect(),
        }
    }

    /// How busy this hour is, relative to the mean hour of a week.
    pub(crate) fn level(&self, at_us: i64) -> f64 {
        self.level[hour_of_week(at_us, 0)]
    }

    /// How busy the busiest hour is.
    pub(crate) fn peak(&self) -> f64 {
        self.peak
    }

    /// A country, by how many of its people are about at this hour: a position in the list of this rhythm.
    pub(crate) fn country(&self, at_us: i64, dice: &mut Dice) -> usize {
        self.countries[hour_of_week(at_us, 0)].draw(dice)
    }
}

/// When somebody who lives in this country does what they would do at `at_us`: hours at which fewer are about let
/// fewer things happen, and what does not happen waits an hour or two.
pub(crate) fn awake(country: usize, mut at_us: i64, dice: &mut Dice) -> i64 {
    for _ in 0..24 {
        let hour = hour_of_week(at_us, COUNTRIES[country].ahead_hours);
        if dice.happens(busy(hour)) {
            break;
        }
        at_us += dice.span(HOUR / 2, 2 * HOUR);
    }
    at_us
}

/// A Monday's midnight.
const MONDAY: i64 = 4 * DAY;

fn hour_span(hour: usize) -> i64 {
    i64::try_from(hour).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_began_on_a_thursday() {
        assert_eq!(hour_of_week(0, 0), 72);
        assert_eq!(hour_of_week(MONDAY, 0), 0);
        assert_eq!(hour_of_week(MONDAY, -1), 167);
        assert_eq!(hour_of_week(MONDAY - HOUR, 1), 0);
    }

    #[test]
    fn a_week_of_levels_has_the_mean_one() {
        let rhythm = Rhythm::of(&[0, 1, 2]);
        let mean = rhythm.level.iter().sum::<f64>() / 168.0;
        assert!((mean - 1.0).abs() < 1e-9);
    }

    #[test]
    fn germans_sleep_when_it_is_night_in_germany() {
        let rhythm = Rhythm::of(&[1]);
        let at = |hour: i64| rhythm.level(MONDAY + hour * HOUR);
        assert!(at(2) < 0.3 && 1.5 < at(19), "{} {}", at(2), at(19));
    }
}
