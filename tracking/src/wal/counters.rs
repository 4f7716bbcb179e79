//! What the log has counted: everything that was offered is durable, refused or still on its way.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use super::lanes::Lanes;

/// What the log's writer counts; what callers bring is counted in their lanes.
#[derive(Debug, Default)]
pub(super) struct Counters {
    durable: AtomicU64,
    refused: AtomicU64,
    syncs: AtomicU64,
    sync_us: AtomicU64,
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
    /// Records that are neither yet: `accepted = durable + refused + in_flight`, always.
    pub in_flight: u64,
    /// Those of them that the writer has not taken yet.
    pub waiting: u64,
    /// How often the disk was asked to make writes last.
    pub syncs: u64,
    /// How long that took, all in all, in microseconds.
    pub sync_us: u64,
    /// Segments begun.
    pub segments: u64,
}

impl Counters {
    pub(super) fn refuse(&self, records: u64) {
        self.refused.fetch_add(records, Release);
    }

    pub(super) fn make_durable(&self, records: u64) {
        self.durable.fetch_add(records, Release);
    }

    pub(super) fn count_sync(&self, took_us: u64) {
        self.syncs.fetch_add(1, Relaxed);
        self.sync_us.fetch_add(took_us, Relaxed);
    }

    pub(super) fn count_segment(&self) {
        self.segments.fetch_add(1, Relaxed);
    }

    /// The counters together with those of the lanes.
    pub(super) fn read(&self, lanes: &Lanes) -> Counts {
        // Outcomes are read first, and each was counted after its record was accepted: the difference
        // cannot be negative.
        let (durable, refused) = (self.durable.load(Acquire), self.refused.load(Acquire));
        let offered = lanes.offered();
        let refused = refused + offered.refused;
        Counts {
            accepted: offered.accepted,
            durable,
            refused,
            in_flight: offered.accepted - durable - refused,
            waiting: offered.waiting,
            syncs: self.syncs.load(Relaxed),
            sync_us: self.sync_us.load(Relaxed),
            segments: self.segments.load(Relaxed),
        }
    }
}
