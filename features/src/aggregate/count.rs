//! How many events count.

use serde::{Deserialize, Serialize};

use super::slots::Slots;

/// A number of events.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    total: u64,
    slots: Slots<u64>,
}

impl Count {
    /// One more.
    pub fn add(&mut self, leaves_us: i64) {
        self.total += 1;
        self.slots.add(leaves_us, 1);
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while let Some(gone) = self.slots.next_gone(now_us) {
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
        self.slots.due_us()
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.slots.shrink();
    }
}
