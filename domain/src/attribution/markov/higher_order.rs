//! The counts of chains that remember several channels.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::{Chain, Effects};
use crate::attribution::{Chunk, Credit, Statistics};

/// The last channels and the next one, 16 bits each: the newest in the lowest bits, each raised by one, 0 where a short
/// walk has none.
pub(super) type Window = u128;

pub(super) const BITS: u32 = 16;
const MOST_CHANNELS: usize = (1 << BITS) - 1;
const HIGHEST_ORDER: u32 = Window::BITS / BITS - 1;

/// Why there is no such chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The memory is too long or none.
    #[error("a chain remembers 1 to {HIGHEST_ORDER} channels, not {0}")]
    Order(u32),
}

/// How often which channel follows the last `order` channels.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct HigherOrderStatistics {
    pub(super) order: u32,
    pub(super) channels: usize,
    /// By the first channels of a walk: as many as are remembered, or all of a shorter walk.
    pub(super) begins: HashMap<Window, f64, FixedState>,
    pub(super) steps: HashMap<Window, f64, FixedState>,
    /// By the last channels.
    pub(super) ends: HashMap<Window, End, FixedState>,
}

/// What happened after the last touch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) conversions: f64,
    pub(super) value: f64,
    pub(super) nulls: f64,
}

/// The part of a window that a chain of this order remembers as its state.
pub(super) fn state(order: u32, window: Window) -> Window {
    window & ((1 << (BITS * order)) - 1)
}

impl HigherOrderStatistics {
    /// Of no journeys yet.
    ///
    /// # Errors
    /// When `order` is 0 or more than 7.
    pub fn new(order: u32) -> Result<Self, OrderError> {
        if !(1..=HIGHEST_ORDER).contains(&order) {
            return Err(OrderError::Order(order));
        }
        Ok(Self {
            order,
            channels: 0,
            begins: HashMap::default(),
            steps: HashMap::default(),
            ends: HashMap::default(),
        })
    }

    /// One more than the highest number of a channel.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The chain that these counts make. Its effects may be computed in parts, by several threads.
    #[must_use]
    pub fn chain(&self) -> Chain {
        Chain::new(self)
    }

    /// The removal effect of every channel, on this thread alone.
    #[must_use]
    pub fn effects(&self) -> Effects {
        let chain = self.chain();
        let all = 0..u32::try_from(self.channels).expect("there are fewer channels than 16 bits can number");
        let channels = chain.effects(all);
        chain.complete(channels)
    }

    /// The credit of each channel by [`super::Definition::Global`].
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        self.effects().credit()
    }
}

impl Statistics for HigherOrderStatistics {
    /// # Panics
    /// With more than 65,535 channels.
    fn add(&mut self, journeys: &Chunk<'_>) {
        self.channels = self.channels.max(journeys.channels());
        assert!(
            self.channels <= MOST_CHANNELS,
            "a chain of higher order has at most {MOST_CHANNELS} channels"
        );
        for row in journeys.iter().filter(|row| 0.0 < row.conversions + row.nulls) {
            let count = row.conversions + row.nulls;
            let touches = row.journey.touches;
            let (first, later) = touches.split_at(touches.len().min(self.order as usize));
            let grown = |window: Window, channel: &u32| window << BITS | Window::from(channel + 1);
            let mut window = first.iter().fold(0, grown);
            *self.begins.entry(window).or_default() += count;
            for channel in later {
                window = grown(state(self.order, window), channel);
                *self.steps.entry(window).or_default() += count;
            }
            let end = self.ends.entry(state(self.order, window)).or_default();
            end.conversions += row.conversions;
            end.value += row.value;
            end.nulls += row.nulls;
        }
    }

    fn merge(&mut self, other: Self) {
        assert!(self.order == other.order, "chains of two orders are not to be merged");
        self.channels = self.channels.max(other.channels);
        for (window, count) in other.begins {
            *self.begins.entry(window).or_default() += count;
        }
        for (window, count) in other.steps {
            *self.steps.entry(window).or_default() += count;
        }
        for (window, more) in other.ends {
            let end = self.ends.entry(window).or_default();
            end.conversions += more.conversions;
            end.value += more.value;
            end.nulls += more.nulls;
        }
    }
}

/// The counts as they are stored: sorted, and windows in two halves, because JSON has no numbers of 128 bits.
#[derive(Serialize, Deserialize)]
struct Stored {
    order: u32,
    channels: usize,
    begins: Vec<(u64, u64, f64)>,
    steps: Vec<(u64, u64, f64)>,
    ends: Vec<(u64, u64, End)>,
}

fn sorted<T>(counts: HashMap<Window, T, FixedState>) -> Vec<(u64, u64, T)> {
    let halved = |(window, count): (Window, T)| ((window >> 64) as u64, window as u64, count);
    let mut rows: Vec<_> = counts.into_iter().map(halved).collect();
    rows.sort_by_key(|(high, low, _)| (*high, *low));
    rows
}

fn by_window<T>(rows: Vec<(u64, u64, T)>) -> HashMap<Window, T, FixedState> {
    let whole = |(high, low, count): (u64, u64, T)| (Window::from(high) << 64 | Window::from(low), count);
    rows.into_iter().map(whole).collect()
}

impl From<HigherOrderStatistics> for Stored {
    fn from(statistics: HigherOrderStatistics) -> Self {
        let HigherOrderStatistics { order, channels, begins, steps, ends } = statistics;
        Self { order, channels, begins: sorted(begins), steps: sorted(steps), ends: sorted(ends) }
    }
}

impl TryFrom<Stored> for HigherOrderStatistics {
    type Error = OrderError;
    fn try_from(stored: Stored) -> Result<Self, OrderError> {
        let Stored { order, channels, begins, steps, ends } = stored;
        let (begins, steps, ends) = (by_window(begins), by_window(steps), by_window(ends));
        Ok(Self { channels, begins, steps, ends, ..Self::new(order)? })
    }
}
