//! Events that happened by a clock that is ahead: they count when their time has come.

use std::collections::{BTreeMap, VecDeque};

use domain::event::Event;
use serde::{Deserialize, Serialize};

/// Events by the instant from which they count.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Pending {
    due: BTreeMap<i64, VecDeque<Event>>,
}

impl Pending {
    pub(super) fn add(&mut self, counts_from_us: i64, event: Event) {
        self.due.entry(counts_from_us).or_default().push_back(event);
    }

    /// The first whose time has come by `now_us`, and when that was.
    pub(super) fn next_due(&mut self, now_us: i64) -> Option<(i64, Event)> {
        loop {
            let mut first = self.due.first_entry()?;
            let counts_from_us = *first.key();
            if now_us < counts_from_us {
                return None;
            }
            match first.get_mut().pop_front() {
                Some(event) => return Some((counts_from_us, event)),
                None => drop(first.remove()),
            }
        }
    }
}
