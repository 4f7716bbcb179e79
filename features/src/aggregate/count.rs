//! How many events count.

use serde::{Deserialize, Serialize};

use super::departures::Departures;

/// A number of events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    total: u64,
    departures: Departures<u64>,
}

impl Count {
    /// One more.
    pub fn add(&mut self, leaves_us: i64) {
        self.total += 1;
        self.departures.add(leaves_us, 1, |there, more| {
            *there += more;
            true
        });
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while let Some(gone) = self.departures.next_gone(now_us) {
            self.total -= gone;
        }
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// When the next one leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.departures.due_us()
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.departures.shrink();
    }
}
