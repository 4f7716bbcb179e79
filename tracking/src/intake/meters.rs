//! How many postbacks this process has answered, by what became of them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Outcome;

/// What became of a postback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Recorded,
    Changed,
    Repeated,
    Quarantined,
    Replayed,
    Refused,
    Failed,
}

/// Every fate, in the order of declaration, with its name in the numbers.
const FATES: [(Fate, &str); 7] = [
    (Fate::Recorded, "recorded"),
    (Fate::Changed, "changed"),
    (Fate::Repeated, "repeated"),
    (Fate::Quarantined, "quarantined"),
    (Fate::Replayed, "replayed"),
    (Fate::Refused, "refused"),
    (Fate::Failed, "failed"),
];

/// Counts of postbacks.
pub(crate) struct Postbacks([AtomicU64; FATES.len()]);

/// The counts of this process, wherever in it postbacks are taken.
pub(crate) static POSTBACKS: Postbacks = Postbacks([const { AtomicU64::new(0) }; FATES.len()]);

impl Postbacks {
    /// A postback was answered.
    pub(super) fn count(&self, fate: Fate) {
        self.0[fate as usize].fetch_add(1, Relaxed);
    }

    /// How many had which fate.
    pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
        FATES.iter().zip(&self.0).map(|((_, name), count)| (*name, count.load(Relaxed))).collect()
    }
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Recorded => Self::Recorded,
            Outcome::Changed => Self::Changed,
            Outcome::Repeated => Self::Repeated,
            Outcome::Quarantined => Self::Quarantined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_stands_at_its_place() {
        assert!(FATES.iter().enumerate().all(|(position, (fate, _))| *fate as usize == position));
    }
}
