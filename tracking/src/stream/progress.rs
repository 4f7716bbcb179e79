//! What others can see of the way of clicks into the database.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use chrono::{DateTime, Utc};
use domain::{ClickId, SessionId, click::Click};
use tokio::sync::broadcast;

/// How many batches a slow listener may be behind before it is told that it missed some.
const BACKLOG: usize = 32;

/// A click that is now in the database, and the visit it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// Which click.
    pub click: ClickId,
    /// Which visit.
    pub session: SessionId,
}

/// What has been counted since the tracker was opened, and who wants to hear of stored clicks.
#[derive(Debug)]
pub(crate) struct Progress {
    announcements: broadcast::Sender<Arc<[Shipped]>>,
    /// Events that this tracker is done with: known to be in the database, or rejected.
    pub shipped: Count,
    /// Events that were not there before: fewer than shipped where the same ones came again.
    pub stored: Count,
    /// Events that the database will never take, and that were set aside.
    pub rejected: Count,
    /// Attempts to store that failed and were made again.
    pub failures: Count,
    /// Places in the log that the disk did not give back.
    pub damaged: Count,
    /// Events in the log from before it was opened, as far as they have been read.
    pub inherited: Count,
    /// Events of this log that the stream has taken; with the local stream, that are stored.
    pub published: Count,
    /// Events of this log that the database has: the log may forget them.
    pub confirmed: Count,
    /// Events sent to the stream once more, because they had got lost behind its acknowledgement.
    pub republished: Count,
    /// Events that the stream delivered more than once.
    pub redelivered: Count,
    /// Attempts to publish that failed and were made again.
    pub publish_failures: Count,
    /// When the oldest event that is being stored happened, in microseconds; 0 when none is.
    storing_us: AtomicI64,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            announcements: broadcast::channel(BACKLOG).0,
            shipped: Count::default(),
            stored: Count::default(),
            rejected: Count::default(),
            failures: Count::default(),
            damaged: Count::default(),
            inherited: Count::default(),
            published: Count::default(),
            confirmed: Count::default(),
            republished: Count::default(),
            redelivered: Count::default(),
            publish_failures: Count::default(),
            storing_us: AtomicI64::new(0),
        }
    }
}

impl Progress {
    /// Batches of clicks as they are stored; a receiver that is told it lagged should look at everything.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<[Shipped]>> {
        self.announcements.subscribe()
    }

    /// The oldest event that is being stored until the next call happened then, in microseconds.
    pub(super) fn storing(&self, oldest_us: Option<i64>) {
        self.storing_us.store(oldest_us.unwrap_or(0), Relaxed);
    }

    /// How old the oldest click is that is being stored, in seconds; 0 when none is.
    pub(crate) fn lag_s(&self, now: DateTime<Utc>) -> f64 {
        match self.storing_us.load(Relaxed) {
            0 => 0.0,
            oldest_us => (now.timestamp_micros() - oldest_us).max(0) as f64 / 1e6,
        }
    }

    /// Tells whoever listens that these clicks are in the database.
    pub(super) fn announce(&self, clicks: &[Click]) {
        if clicks.is_empty() {
            return;
        }
        let shipped =
            clicks.iter().map(|click| Shipped { click: click.id, session: click.session }).collect();
        // An error says that nobody listens.
        let _ = self.announcements.send(shipped);
    }
}
