//! Who is recommended to whom: by the champion of `match` where it serves, and by what the records say where it does not.
//!
//! All that a request needs of a version and of everybody is in memory. A request asks the database once: for what is
//! true of the one who gets the list at this moment, and for what has changed of all others since they were read.

mod joined;
mod journal;
mod known;
mod lists;
mod records;
mod served;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use domain::{AffiliateId, CampaignId};
use sqlx::PgConnection;
use tokio::sync::Mutex;

pub use self::{
    joined::Joined,
    journal::{Journal, METERS},
    known::Known,
    lists::{Asked, Basis, Listed, Place},
    records::Records,
    served::{MODEL, Served, ServedVersion},
};
use crate::{
    app::App,
    store::recommendations::{self, Around},
};

/// For whom a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Campaigns for an affiliate.
    Affiliate(AffiliateId),
    /// Affiliates for a campaign.
    Campaign(CampaignId),
}

/// What lists are made with.
pub struct Matching {
    /// The rate at which chance fills places.
    pub exploring: f64,
    /// Where lists wait to be written down.
    pub journal: Journal,
    known: ArcSwapOption<Known>,
    /// Held by whoever reads what changed.
    reading: Mutex<()>,
    joined: ArcSwapOption<Joined>,
    records: ArcSwapOption<Records>,
}

impl Matching {
    /// Nobody is known before the first request.
    #[must_use]
    pub fn new(exploring: f64) -> Self {
        Self {
            exploring,
            journal: Journal::default(),
            known: ArcSwapOption::empty(),
            reading: Mutex::default(),
            joined: ArcSwapOption::empty(),
            records: ArcSwapOption::empty(),
        }
    }

    /// Everybody as they are now, and what is true of the one who gets a list.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(&self, db: &mut PgConnection, whose: For) -> sqlx::Result<(Arc<Known>, Around)> {
        let known = match self.known.load_full() {
            Some(known) => known,
            None => self.read(db).await?,
        };
        let since = known.cursor();
        let around = match whose {
            For::Affiliate(id) => recommendations::around_affiliate(db, id, since).await?,
            For::Campaign(id) => recommendations::around_campaign(db, id, since).await?,
        };
        if recommendations::MEMORY < around.oldest_open - since {
            return Ok((self.read(db).await?, around));
        }
        if around.affiliates.is_empty() && around.campaigns.is_empty() {
            known.is_whole_up_to(around.oldest_open);
            return Ok((known, around));
        }
        let _one = self.reading.lock().await;
        let affiliates = recommendations::affiliates(db, Some(&around.affiliates)).await?;
        let campaigns = recommendations::campaigns(db, Some(&around.campaigns)).await?;
        let known = self.known.load_full().unwrap_or(known);
        known.is_whole_up_to(around.oldest_open);
        let Some(changed) = known.with(affiliates, campaigns) else { return Ok((known, around)) };
        let changed = Arc::new(changed);
        self.known.store(Some(Arc::clone(&changed)));
        Ok((changed, around))
    }

    async fn read(&self, db: &mut PgConnection) -> sqlx::Result<Arc<Known>> {
        let _one = self.reading.lock().await;
        let known = Arc::new(Known::read(db).await?);
        self.known.store(Some(Arc::clone(&known)));
        // They are by the places of those who were known before.
        self.records.store(None);
        Ok(known)
    }

    /// Everybody as a version knows them.
    #[must_use]
    pub fn joined(&self, version: &Arc<ServedVersion>, known: &Arc<Known>) -> Arc<Joined> {
        let before = self.joined.load_full();
        if let Some(joined) = before.as_ref().filter(|it| it.is_of(version, known)) {
            return Arc::clone(joined);
        }
        let joined = Arc::new(Joined::new(version, known, before.as_deref()));
        self.joined.store(Some(Arc::clone(&joined)));
        joined
    }

    /// What links have come to, read anew when that is some time ago.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn records(&self, app: &App, known: &Known) -> sqlx::Result<Arc<Records>> {
        let now = app.clock.now();
        if let Some(records) = self.records.load_full().filter(|it| it.is_fresh(now)) {
            return Ok(records);
        }
        let earned = recommendations::earned(&mut *app.db.acquire().await?).await?;
        let records = Arc::new(Records::new(&earned, known, now));
        self.records.store(Some(Arc::clone(&records)));
        Ok(records)
    }
}
