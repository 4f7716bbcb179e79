//! What the log has counted: everything that was offered is durable, refused or still on its way.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
    time::Duration,
};

use super::{AppendError, lanes::Lanes};
use crate::meters::{Distribution, Histogram};

/// What the log's writer counts; what callers bring is counted in their lanes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    durable: AtomicU64,
    refused: [AtomicU64; AppendError::NAMES.len()],
    syncs: Histogram,
    segments: AtomicU64,
}

/// The counters at one moment, since the log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Records that callers brought to the log.
    pub accepted: u64,
    /// Records that a power cut cannot take any more.
    pub durable: u64,
    /// Records that are not kept; in commit mode their callers were told so.
    pub refused: u64,
    /// The same by reason, in the order of [`AppendError::NAMES`].
    pub refused_by: [u64; AppendError::NAMES.len()],
    /// Records that are neither yet: `accepted = durable + refused + in_flight`, always.
    pub in_flight: u64,
    /// Those of them that the writer has not taken yet.
    pub waiting: u64,
    /// How often the disk was asked to make writes last.
    pub syncs: u64,
    /// Segments begun.
    pub segments: u64,
}

impl Counters {
    pub(super) fn refuse(&self, error: AppendError, records: u64) {
        self.refused[error as usize].fetch_add(records, Release);
    }

    pub(super) fn make_durable(&self, records: u64) {
        self.durable.fetch_add(records, Release);
    }

    pub(super) fn count_sync(&self, took: Duration) {
        self.syncs.record(took);
    }

    pub(super) fn count_segment(&self) {
        self.segments.fetch_add(1, Relaxed);
    }

    /// How long the disk took to make writes last.
    pub(super) fn sync_times(&self) -> Distribution {
        self.syncs.read()
    }

    /// The counters together with those of the lanes.
    pub(super) fn read(&self, lanes: &Lanes) -> Counts {
        // Outcomes are read first, and each was counted after its record was accepted: the difference
        // cannot be negative.
        let durable = self.durable.load(Acquire);
        let mut refused_by = self.refused.each_ref().map(|refused| refused.load(Acquire));
        let offered = lanes.offered();
        refused_by.iter_mut().zip(offered.refused).for_each(|(all, at_once)| *all += at_once);
        let refused = refused_by.iter().sum::<u64>();
        Counts {
            accepted: offered.accepted,
            durable,
            refused,
            refused_by,
            in_flight: offered.accepted - durable - refused,
            waiting: offered.waiting,
            syncs: self.syncs.read().count,
            segments: self.segments.load(Relaxed),
        }
    }
}
