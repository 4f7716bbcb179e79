//! The latest event, and what it says.

use serde::{Deserialize, Serialize};

use super::Occurrence;
use crate::window::NEVER;

/// The event that happened last; of several at one instant, the one with the greatest id.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Last {
    latest: Option<Latest>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Latest {
    occurrence: Occurrence,
    leaves_us: i64,
    number: i64,
}

impl Last {
    /// One more event. A window gives up what happened earlier not later than what happened later, so that the
    /// earlier ones are never needed again.
    pub fn add(&mut self, leaves_us: i64, occurrence: Occurrence, number: i64) {
        if self.latest.is_none_or(|latest| latest.occurrence < occurrence) {
            self.latest = Some(Latest { occurrence, leaves_us, number });
        }
    }

    /// Forgets it when it has left.
    pub fn expire(&mut self, now_us: i64) {
        self.latest = self.latest.filter(|latest| now_us < latest.leaves_us);
    }

    /// When it leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.latest.map_or(NEVER, |latest| latest.leaves_us)
    }

    /// What the latest event says.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.latest.map(|latest| latest.number)
    }

    /// When the latest event happened.
    #[must_use]
    pub fn occurred_at_us(&self) -> Option<i64> {
        self.latest.map(|latest| latest.occurrence.at_us)
    }
}
