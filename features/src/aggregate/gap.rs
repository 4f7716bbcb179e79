//! The least time between two events of different categories.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::least::Least;
use crate::window::NEVER;

/// Events in the order in which they happened, and the times between neighbours of different categories: of all pairs
/// the closest is one of neighbours, because between two events of different categories somewhere the category changes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Gap {
    events: VecDeque<Event>,
    gaps: Least,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Event {
    at_us: i64,
    leaves_us: i64,
    category: i64,
}

impl Gap {
    /// One more event. Something late is put between two others; the time between those stays a time between two
    /// events, and leaves with the earlier of them.
    pub fn add(&mut self, leaves_us: i64, at_us: i64, category: i64) {
        let event = Event { at_us, leaves_us, category };
        let is_latest = self.events.back().is_none_or(|last| last.at_us <= at_us);
        let place = if is_latest {
            self.events.len()
        } else {
            self.events.partition_point(|other| other.at_us <= at_us)
        };
        let before = place.checked_sub(1).and_then(|place| self.events.get(place)).copied();
        let after = self.events.get(place).copied();
        let pairs = [before.map(|before| (before, event)), after.map(|after| (event, after))];
        for (one, other) in pairs.into_iter().flatten() {
            if one.category != other.category {
                self.gaps.add(one.leaves_us, other.at_us.saturating_sub(one.at_us));
            }
        }
        self.events.insert(place, event);
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while self.events.front().is_some_and(|first| first.leaves_us <= now_us) {
            self.events.pop_front();
        }
        self.gaps.expire(now_us);
    }

    /// When the next one leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.events.front().map_or(NEVER, |first| first.leaves_us)
    }

    /// The least time in microseconds, where there are two events of different categories.
    #[must_use]
    pub fn least_us(&self) -> Option<i64> {
        self.gaps.number()
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.events.shrink_to_fit();
        self.gaps.shrink();
    }
}

/// The same of a few events, each when it happened and its category; puts them in order.
#[must_use]
pub fn of(events: &mut [(i64, i64)]) -> Option<i64> {
    events.sort_unstable();
    let differ = events.array_windows().filter(|[one, other]| one.1 != other.1);
    differ.map(|[one, other]| other.0.saturating_sub(one.0)).min()
}
