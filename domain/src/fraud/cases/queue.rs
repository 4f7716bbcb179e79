//! What is worth most to be looked at comes first, what waits grows, and what is late goes before everything.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};

use crate::{CaseId, Money, fraud::LogOdds};

/// A case that has waited for so long is worth twice what it was: a day, in microseconds.
const DOUBLING_US: f64 = 86_400e6;
const MILLION: f64 = 1e6;

/// An amount in hundredths of a unit, at what a unit of its currency is worth in millionths of the others'; nothing for
/// less than nothing.
#[must_use]
pub fn at_par(stake: Money, par_ppm: u32) -> i64 {
    let units = 10_i128.pow(stake.currency.places().into());
    let hundredths = i128::from(stake.minor.max(0)) * 100 * i128::from(par_ppm) / (units * 1_000_000);
    i64::try_from(hundredths).unwrap_or(i64::MAX)
}

/// What a right decision is expected to save, in the unit of the stake: the stake, times the chance that whoever decides
/// blindly is wrong, which is the smaller of the probabilities of fraud and of honesty. It is the value of perfect
/// information (Howard 1966) where approving fraud and turning down somebody honest both cost the commission: nothing
/// for what is certain, half the stake at even odds.
#[must_use]
pub fn value(stake: i64, score: LogOdds) -> i64 {
    let fraud = score.probability();
    #[expect(
        clippy::cast_precision_loss,
        reason = "an order in a queue needs no more than 53 bits of a stake"
    )]
    let stake = stake.max(0) as f64;
    libm::round(stake * fraud.min(1.0 - fraud)) as i64
}

/// A case's place among those that are not late, the greatest first: millionths of the binary logarithm of its value, plus
/// one for each day that it has been open. Waiting for a day counts as much as twice the value, and two cases keep their
/// order for as long as both wait, so that a list can be read page by page.
#[must_use]
pub fn rank(value: i64, opened_at: DateTime<Utc>) -> i64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of our times are below 2⁵³")]
    let (value, opened_us) = (value.max(0) as f64, opened_at.timestamp_micros() as f64);
    libm::round(MILLION * libm::log2(1.0 + value)) as i64
        - libm::round(MILLION * opened_us / DOUBLING_US) as i64
}

/// A place in the queue at a moment; the greatest is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whether its deadline has passed.
    pub is_late: bool,
    /// Its [`rank`].
    pub rank: i64,
    /// Which case.
    pub id: CaseId,
    /// When it was looked for, in microseconds since the Unix epoch: whether others are late is asked as of then.
    pub at_us: i64,
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no place in the queue")]
pub struct PlaceError;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", u8::from(self.is_late), self.rank, self.id, self.at_us)
    }
}

impl FromStr for Place {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(PlaceError);
        let (late, rank, id, at) = (next()?, next()?, next()?, next()?);
        let at_us = at.parse().map_err(|_| PlaceError)?;
        let is_time = DateTime::from_timestamp_micros(at_us).is_some();
        if parts.next().is_some() || !matches!(late, "0" | "1") || !is_time {
            return Err(PlaceError);
        }
        Ok(Self {
            is_late: late == "1",
            rank: rank.parse().map_err(|_| PlaceError)?,
            id: id.parse().map_err(|_| PlaceError)?,
            at_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn moment(us: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(us).unwrap()
    }

    #[test]
    fn what_is_certain_is_worth_no_look_and_even_odds_half_the_stake() {
        for (log_odds, expected) in [(0.0, 5_000), (10.0, 0), (-10.0, 0), (1.0986, 2_500), (-1.0986, 2_500)] {
            assert_eq!(value(10_000, LogOdds::new(log_odds).unwrap()), expected, "{log_odds}");
        }
        assert_eq!(value(-5, LogOdds::EVEN), 0);
    }

    #[test]
    fn currencies_meet_at_par() {
        let amount = |minor, currency: &str, ppm| at_par(Money::new(minor, currency.parse().unwrap()), ppm);
        assert_eq!(amount(1_234, "EUR", 1_000_000), 1_234);
        assert_eq!(amount(1_234, "JPY", 6_000), 740, "7.404 units");
        assert_eq!(amount(1_234, "KWD", 1_000_000), 123);
        assert_eq!(amount(-1, "EUR", 1_000_000), 0);
        assert_eq!(amount(i64::MAX, "JPY", u32::MAX), i64::MAX);
    }

    #[test]
    fn a_day_of_waiting_counts_as_much_as_twice_the_value() {
        let now = moment(1_769_947_200_000_000);
        let day = TimeDelta::days(1);
        assert_eq!(rank(1_023, now - day), rank(2_047, now));
    }

    proptest! {
        #[test]
        fn more_to_save_or_more_waiting_never_comes_later(
            (value, more) in (0..1_i64 << 40, 0..1_i64 << 40),
            (opened, earlier) in (0..4_000_000_000_000_000_i64, 0..1_000_000_000_000_000_i64),
        ) {
            let before = rank(value, moment(opened));
            prop_assert!(before <= rank(value + more, moment(opened)));
            prop_assert!(before <= rank(value, moment(opened - earlier.min(opened))));
        }

        #[test]
        fn the_surer_a_score_the_less_there_is_to_save(stake in 0..1_i64 << 40, sure in 0.0..10.0_f64, surer in 0.0..5.0_f64) {
            let at = |odds: f64| value(stake, LogOdds::new(odds).unwrap());
            prop_assert!(at(sure + surer) <= at(sure));
            prop_assert!(2 * at(sure) <= stake + 1);
            prop_assert!((at(sure) - at(-sure)).abs() <= 1, "guilt and honesty count alike");
        }

        #[test]
        fn what_is_late_goes_first_and_a_place_is_read_back(
            ranks in (any::<i64>(), any::<i64>()), ids in (any::<u128>(), any::<u128>()), at_us in 0..4_000_000_000_000_000_i64,
        ) {
            let id = |bits| CaseId::from(uuid::Uuid::from_u128(bits));
            let late = Place { is_late: true, rank: ranks.0, id: id(ids.0), at_us };
            let early = Place { is_late: false, rank: ranks.1, id: id(ids.1), at_us };
            prop_assert!(early < late);
            prop_assert_eq!(late.to_string().parse(), Ok(late));
            prop_assert_eq!(early.to_string().parse(), Ok(early));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            drop(text.parse::<Place>());
        }
    }
}
