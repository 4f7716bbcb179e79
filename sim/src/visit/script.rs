//! What is different about a journey that belongs to a pattern.

use super::{address::Address, handset::Handset, person::Mailbox};
use crate::{
    dice::{Dice, micros},
    rhythm::DAY,
};

/// What a pattern prescribes for one journey.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Which pattern: a position in the list of patterns.
    pub(crate) pattern: usize,
    /// Which attack or crowd.
    pub(crate) group: u64,
    /// By how much its visits persuade more or less than they usually would.
    pub(crate) persuades: f64,
    /// How it ends.
    pub(crate) ending: Ending,
    /// How long an order takes.
    pub(crate) pace: Pace,
    /// Where it happens, if not where the visitor happens to be.
    pub(crate) place: Option<(Address, Handset)>,
    /// Under which e-mail address something is ordered, if not the visitor's.
    pub(crate) mailbox: Option<Mailbox>,
    /// What the browser says about where the visitor comes from.
    pub(crate) referral: Referral,
    /// How many times an order's report is told again as if it were another.
    pub(crate) replays: u32,
}

/// How a journey ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As its visits persuade: a real customer, if any.
    AsPersuaded,
    /// In an order that somebody makes for the commission's sake.
    Staged,
    /// In the report of an order that nobody made.
    Invented,
    /// In a real order that no visit caused.
    Organic,
    /// In nothing.
    Nothing,
}

/// How long an order takes after the last visit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As people decide in this line of business.
    Human,
    /// So many seconds: from, to.
    Seconds(f64, f64),
    /// Any time within so many days, each moment as likely.
    Flat(f64),
}

/// What the browser says about where the visitor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Referral {
    /// The affiliate's page, where the kind of traffic has one.
    Page,
    /// Nothing.
    Hidden,
    /// A page of somebody else.
    Elsewhere(&'static str),
    /// A search for the advertiser's own name.
    BrandSearch,
}

impl Script {
    /// Nothing is different but that it belongs to this pattern.
    pub(crate) fn plain(pattern: usize, group: u64) -> Self {
        Self {
            pattern,
            group,
            persuades: 1.0,
            ending: Ending::AsPersuaded,
            pace: Pace::Human,
            place: None,
            mailbox: None,
            referral: Referral::Page,
            replays: 0,
        }
    }
}

/// How much of the buyers decides within minutes, and the median and spread of both kinds' times (chosen). With a median
/// of 3.5 days for the slow, 34 % order within an hour, 52 % within a day and 13 % after two weeks: a long tail, such as
/// Chapelle describes («Modeling delayed feedback in display advertising», KDD 2014).
const QUICK: f64 = 0.38;
const QUICK_SECONDS: f64 = 12.0 * 60.0;
const QUICK_SPREAD: f64 = 1.3;
const SLOW_SPREAD: f64 = 1.7;

/// Nobody decides later.
const LATEST: i64 = 60 * DAY;

impl Pace {
    /// The time from the last visit to the order, where the slow need `decides_days` in the middle.
    pub(crate) fn delay_us(self, decides_days: f64, dice: &mut Dice) -> i64 {
        let us = match self {
            Self::Human if dice.happens(QUICK) => micros(dice.log_normal(QUICK_SECONDS, QUICK_SPREAD)),
            Self::Human => micros(dice.log_normal(decides_days * 86_400.0, SLOW_SPREAD)),
            Self::Seconds(least, most) => micros(dice.between(least, most)),
            Self::Flat(days) => micros(dice.between(0.0, days * 86_400.0)),
        };
        us.clamp(1, LATEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rhythm::HOUR, test_counts::agrees};

    #[test]
    fn people_decide_as_the_manual_says() {
        let mut dice = Dice::of(3);
        let delays: Vec<i64> = (0..50_000).map(|_| Pace::Human.delay_us(3.5, &mut dice)).collect();
        let within = |limit: i64| delays.iter().filter(|delay| **delay < limit).count() as u64;
        agrees(within(HOUR), 50_000, 0.342);
        agrees(within(DAY), 50_000, 0.523);
        agrees(within(14 * DAY), 50_000, 1.0 - 0.129);
    }
}
