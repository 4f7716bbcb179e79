//! Keys that were looked up lately: what is asked thousands of times a second does not ask the database each time, and
//! goes on being answered while the database is away.

use std::sync::Arc;

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
}

#[derive(Clone)]
struct Known {
    kept: Arc<Kept>,
    looked_up_at: DateTime<Utc>,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self { known: Cache::new(MOST) }
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

    fn within(&self, span: TimeDelta, id: ApiKeyId, now: DateTime<Utc>) -> Option<Arc<Kept>> {
        let known = self.known.get(&id)?;
        (now < known.looked_up_at + span).then_some(known.kept)
    }
}
