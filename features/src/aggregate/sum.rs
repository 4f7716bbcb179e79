//! The exact sum of whole numbers.

use serde::{Deserialize, Serialize};

use super::departures::Departures;

/// A sum in 128 bits, which no stream of 64-bit numbers can overflow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    total: i128,
    departures: Departures<i128>,
}

impl Sum {
    /// Adds a number.
    pub fn add(&mut self, leaves_us: i64, number: i64) {
        let number = i128::from(number);
        self.total += number;
        self.departures.add(leaves_us, number, |there, more| {
            *there += more;
            true
        });
    }

    /// Takes away those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while let Some(gone) = self.departures.next_gone(now_us) {
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
        self.departures.due_us()
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.departures.shrink();
    }
}
