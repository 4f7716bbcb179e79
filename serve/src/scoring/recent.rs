//! What many decisions look up within a moment: campaigns and partners, remembered for a second.

use std::{hash::Hash, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AffiliateId, CampaignId};
use quick_cache::sync::Cache;
use sqlx::PgConnection;

use crate::store::{
    campaigns::{self, Campaign},
    fraud::{self, Partner},
};

/// For so long what the database said is believed: as long as settings may be followed behind.
const FRESH: TimeDelta = TimeDelta::seconds(1);
/// So many of each are remembered.
const MOST: usize = 10_000;

/// Campaigns and partners that were looked up a moment ago.
pub struct Recent {
    campaigns: Cache<CampaignId, Found<Campaign>>,
    partners: Cache<AffiliateId, Found<Partner>>,
}

/// Something that the database had, and when.
struct Found<T> {
    it: Arc<T>,
    at: DateTime<Utc>,
}

impl<T> Clone for Found<T> {
    fn clone(&self) -> Self {
        Self { it: Arc::clone(&self.it), at: self.at }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { campaigns: Cache::new(MOST), partners: Cache::new(MOST) }
    }
}

impl Recent {
    /// A campaign, as it was within the last second.
    pub async fn campaign(
        &self,
        db: &mut PgConnection,
        id: CampaignId,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Option<Arc<Campaign>>> {
        if let Some(fresh) = fresh(&self.campaigns, id, now) {
            return Ok(Some(fresh));
        }
        Ok(remembered(&self.campaigns, (id, now), campaigns::find(db, id, None).await?))
    }

    /// A partner, as it was within the last second.
    pub async fn partner(
        &self,
        db: &mut PgConnection,
        id: AffiliateId,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Option<Arc<Partner>>> {
        if let Some(fresh) = fresh(&self.partners, id, now) {
            return Ok(Some(fresh));
        }
        Ok(remembered(&self.partners, (id, now), fraud::partner(db, id).await?))
    }
}

fn fresh<K: Hash + Eq, T>(of: &Cache<K, Found<T>>, id: K, now: DateTime<Utc>) -> Option<Arc<T>> {
    of.get(&id).filter(|found| found.at <= now && now < found.at + FRESH).map(|found| found.it)
}

fn remembered<K: Hash + Eq, T>(
    of: &Cache<K, Found<T>>,
    (id, at): (K, DateTime<Utc>),
    found: Option<T>,
) -> Option<Arc<T>> {
    let it = Arc::new(found?);
    of.insert(id, Found { it: Arc::clone(&it), at });
    Some(it)
}
