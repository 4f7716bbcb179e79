//! Aggregates that follow a stream: adding an event and giving it back when it leaves take constant time on average,
//! and what they say is a function of the events that count alone, whatever the order in which they came.
//!
//! An aggregate is one file here, its variant of [`Cell`] and of [`Measure`].

pub mod count;
pub mod counts;
pub mod departures;
pub mod distinct;
pub mod entropy;
pub mod gap;
pub mod hyperloglog;
pub mod last;
pub mod least;
pub mod members;
pub mod quantile;
pub mod slots;
pub mod sum;

use serde::{Deserialize, Serialize};

use count::Count;
use distinct::Distinct;
use entropy::Entropy;
use gap::Gap;
use last::Last;
use least::Least;
use quantile::Sketch;
use sum::Sum;

/// When something happened, and its id, which decides between things of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Occurrence {
    /// When, in microseconds since the epoch.
    pub at_us: i64,
    /// What.
    pub id: u128,
}

/// What a cell measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// How many.
    Count,
    /// The sum.
    Sum,
    /// The smallest.
    Least,
    /// The largest.
    Greatest,
    /// That of the latest event, and when that was.
    Last,
    /// How many different ones.
    Distinct,
    /// How evenly they fall into categories.
    Entropy,
    /// Any quantile.
    Quantile,
    /// The least time between two of different categories.
    Gap,
}

/// One measure of one thing over one window, kept event by event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Cell {
    /// See [`Count`].
    Count(Count),
    /// See [`Sum`].
    Sum(Box<Sum>),
    /// See [`Least`].
    Least(Least),
    /// See [`Least`], of numbers turned over.
    Greatest(Least),
    /// See [`Last`].
    Last(Box<Last>),
    /// See [`Distinct`].
    Distinct(Distinct),
    /// See [`Entropy`].
    Entropy(Box<Entropy>),
    /// See [`Sketch`].
    Quantile(Box<Sketch>),
    /// See [`Gap`].
    Gap(Box<Gap>),
}

impl Cell {
    /// Nothing yet.
    #[must_use]
    pub fn new(measure: Measure) -> Self {
        match measure {
            Measure::Count => Self::Count(Count::default()),
            Measure::Sum => Self::Sum(Box::default()),
            Measure::Least => Self::Least(Least::default()),
            Measure::Greatest => Self::Greatest(Least::default()),
            Measure::Last => Self::Last(Box::default()),
            Measure::Distinct => Self::Distinct(Distinct::default()),
            Measure::Entropy => Self::Entropy(Box::default()),
            Measure::Quantile => Self::Quantile(Box::default()),
            Measure::Gap => Self::Gap(Box::default()),
        }
    }

    /// One more event that says `input`, which is a number or a category's bits, until it leaves.
    pub fn add(&mut self, leaves_us: i64, occurrence: Occurrence, input: i64) {
        match self {
            Self::Count(cell) => cell.add(leaves_us),
            Self::Sum(cell) => cell.add(leaves_us, input),
            Self::Least(cell) => cell.add(leaves_us, input),
            // Turned over, the largest is the smallest: !x = −x − 1 exists for every x.
            Self::Greatest(cell) => cell.add(leaves_us, !input),
            Self::Last(cell) => cell.add(leaves_us, occurrence, input),
            Self::Distinct(cell) => cell.add(leaves_us, input.cast_unsigned()),
            Self::Entropy(cell) => cell.add(leaves_us, input.cast_unsigned()),
            Self::Quantile(cell) => cell.add(leaves_us, input),
            Self::Gap(cell) => cell.add(leaves_us, occurrence.at_us, input),
        }
    }

    /// Takes away what has left by `now_us`.
    pub fn expire(&mut self, now_us: i64) {
        match self {
            Self::Count(cell) => cell.expire(now_us),
            Self::Sum(cell) => cell.expire(now_us),
            Self::Least(cell) | Self::Greatest(cell) => cell.expire(now_us),
            Self::Last(cell) => cell.expire(now_us),
            Self::Distinct(cell) => cell.expire(now_us),
            Self::Entropy(cell) => cell.expire(now_us),
            Self::Quantile(cell) => cell.expire(now_us),
            Self::Gap(cell) => cell.expire(now_us),
        }
    }

    /// The instant before which nothing leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        match self {
            Self::Count(cell) => cell.due_us(),
            Self::Sum(cell) => cell.due_us(),
            Self::Least(cell) | Self::Greatest(cell) => cell.due_us(),
            Self::Last(cell) => cell.due_us(),
            Self::Distinct(cell) => cell.due_us(),
            Self::Entropy(cell) => cell.due_us(),
            Self::Quantile(cell) => cell.due_us(),
            Self::Gap(cell) => cell.due_us(),
        }
    }

    /// Gives memory back that a busier time needed.
    pub fn shrink(&mut self) {
        match self {
            Self::Count(cell) => cell.shrink(),
            Self::Sum(cell) => cell.shrink(),
            Self::Least(cell) | Self::Greatest(cell) => cell.shrink(),
            Self::Last(_) => {}
            Self::Distinct(cell) => cell.shrink(),
            Self::Entropy(cell) => cell.shrink(),
            Self::Quantile(cell) => cell.shrink(),
            Self::Gap(cell) => cell.shrink(),
        }
    }
}
