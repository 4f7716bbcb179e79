//! What visitors were told, and what that was worth.

use std::time::{Duration, Instant};

use domain::ClickId;

use super::plan::{Durability, Load};

/// What the syncs around an interval may take in any case, by threads that wait for a busy core.
const LATENESS: Duration = Duration::from_millis(300);

/// What one visitor saw. A visit has a number of its own, which the tracker is given as `sub1`.
#[derive(Debug, Default)]
pub(super) struct Diary {
    /// Redirected with a click's id.
    pub acknowledged: Vec<Acknowledged>,
    /// Answered with 503.
    pub refused: Vec<u64>,
    /// Sent, but the answer never came: stored or not, both is right.
    pub unanswered: Vec<u64>,
    /// The longest that an answer took.
    pub longest_wait: Duration,
}

/// A click that was promised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub visit: u64,
    pub click: ClickId,
    /// When the visitor had the answer.
    pub at: Instant,
}

/// What was promised by one tracker between a start and an end.
#[derive(Debug)]
pub(super) struct Page {
    pub round: u32,
    /// Which of the folders the tracker worked on.
    pub folder: usize,
    pub durability: Durability,
    pub promise: Promise,
    /// When its disk was filled by somebody else, if it was.
    pub filled: Option<Instant>,
    /// When it was killed, or its machine lost power.
    pub ended: Instant,
    pub diaries: Vec<Diary>,
}

/// What an acknowledgement was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The click is never lost.
    Kept,
    /// So many may be lost, because they had not been written. How old those are depends on how long the disk took for
    /// the sync before, for which there is no limit.
    KeptBut(u64),
    /// It may be lost if it had not been synced: it was written after at most one sync, and synced with the next one,
    /// which began within the interval. For a disk in memory, whose syncs take no time. What is answered when the disk
    /// turns out to be full is refused too late, once for each time that there seemed to be room again.
    KeptOnceSynced(Duration),
}

impl Promise {
    /// What a mode promises whose process is killed.
    pub(super) fn over_a_kill(load: Load) -> Self {
        match load.durability {
            Durability::Commit => Self::Kept,
            // As many wait as may, and as many may have been taken out and not have been written.
            Durability::Interval(_) => Self::KeptBut(2 * u64::from(load.log_queue)),
        }
    }

    /// What a mode promises whose machine loses power.
    pub(super) fn over_a_power_cut(load: Load) -> Self {
        match load.durability {
            Durability::Commit => Self::Kept,
            Durability::Interval(interval) => Self::KeptOnceSynced(interval),
        }
    }
}

/// How long syncs take on this machine today, for promises that depend on it: at most twice as long as visitors of
/// commit mode had to wait for theirs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Syncs {
    longest_wait: Duration,
}

impl Syncs {
    /// Takes into account what visitors have waited.
    pub(super) fn note(&mut self, page: &Page) {
        if page.durability == Durability::Commit {
            let waits = page.diaries.iter().map(|diary| diary.longest_wait);
            self.longest_wait = waits.fold(self.longest_wait, Duration::max);
        }
    }

    /// How much longer than an interval a click may take to the disk.
    pub(super) fn lateness(self) -> Duration {
        LATENESS.max(2 * self.longest_wait)
    }
}
