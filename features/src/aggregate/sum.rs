//! The exact sum of whole numbers.

use serde::{Deserialize, Serialize};

use super::slots::Slots;

/// A sum in 128 bits, which no stream of 64-bit numbers can overflow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    total: i128,
    slots: Slots<i128>,
}

impl Sum {
    /// Adds a number.
    pub fn add(&mut self, leaves_us: i64, number: i64) {
        let number = i128::from(number);
        self.total += number;
        self.slots.add(leaves_us, number);
    }

    /// Takes away those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while let Some(gone) = self.slots.next_gone(now_us) {
            self.total -= gone;
        }
    }

    /// The sum.
    #[must_use]
    pub fn total(&self) -> i128 {
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
