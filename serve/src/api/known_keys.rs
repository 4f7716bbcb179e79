//! Keys that were looked up lately: what is asked thousands of times a second does not ask the database each time, and
//! goes on being answered while the database is away.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ApiKeyId;
use quick_cache::sync::Cache;

use crate::store::api_keys::Kept;

/// For so long a key is believed without asking again: a revocation takes effect within it.
const FRESH: TimeDelta = TimeDelta::seconds(5);
/// For so long it is believed while the database cannot be asked.
const STALE: TimeDelta = TimeDelta::minutes(15);
/// More keys are not in use at once anywhere.
const MOST: usize = 10_000;

/// The keys.
pub struct KnownKeys {
    known: Cache<ApiKeyId, Known>,
    /// When the database last said nothing in time, in microseconds.
    away_us: AtomicI64,
    /// When the use of each was last written down.
    touched: Cache<ApiKeyId, DateTime<Utc>>,
}

#[derive(Clone)]
struct Known {
    kept: Arc<Kept>,
    looked_up_at: DateTime<Utc>,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self { known: Cache::new(MOST), away_us: AtomicI64::new(i64::MIN), touched: Cache::new(MOST) }
    }
}

impl KnownKeys {
    /// A key that was looked up a moment ago.
    pub fn fresh(&self, id: ApiKeyId, now: DateTime<Utc>) -> Option<Arc<Kept>> {
        self.within(FRESH, id, now)
    }

    /// A key that was looked up not long ago, for when nobody else can be asked.
    pub fn stale(&self, id: ApiKeyId, now: DateTime<Utc>) -> Option<Arc<Kept>> {
        self.within(STALE, id, now)
    }

    /// Remembers a key as the database has it.
    pub fn remember(&self, id: ApiKeyId, kept: &Arc<Kept>, now: DateTime<Utc>) {
        self.known.insert(id, Known { kept: Arc::clone(kept), looked_up_at: now });
    }

    /// Forgets a key that was revoked, or that is none.
    pub fn forget(&self, id: ApiKeyId) {
        self.known.remove(&id);
    }

    /// Nothing was heard of the database in time: for a while nobody waits for it.
    pub fn database_is_away(&self, now: DateTime<Utc>) {
        self.away_us.store(now.timestamp_micros(), Ordering::Relaxed);
    }

    /// Whether nobody should wait for it now.
    pub fn is_database_away(&self, now: DateTime<Utc>) -> bool {
        now.timestamp_micros()
            < self.away_us.load(Ordering::Relaxed).saturating_add(FRESH.num_microseconds().unwrap_or(0))
    }

    /// Whether the use of a key is to be written down: once a minute.
    pub fn is_to_be_touched(&self, id: ApiKeyId, now: DateTime<Utc>) -> bool {
        let is_due = self.touched.get(&id).is_none_or(|last| last + TimeDelta::minutes(1) <= now);
        if is_due {
            self.touched.insert(id, now);
        }
        is_due
    }

    fn within(&self, span: TimeDelta, id: ApiKeyId, now: DateTime<Utc>) -> Option<Arc<Kept>> {
        let known = self.known.get(&id)?;
        (now < known.looked_up_at + span).then_some(known.kept)
    }
}
