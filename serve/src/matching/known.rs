//! Everybody who may be recommended, as they were when last looked at, each at a place of its own for good.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use domain::{AffiliateId, CampaignId};
use sqlx::{PgConnection, types::Uuid};

use crate::store::recommendations::{self, AffiliateCard, CampaignCard};

/// Everybody.
#[derive(Debug, Default)]
pub struct Known {
    /// What transactions before this one changed is in here.
    cursor: AtomicI64,
    affiliates: Vec<Arc<AffiliateCard>>,
    campaigns: Vec<Arc<CampaignCard>>,
    /// Where each is: affiliates, and campaigns.
    places: [HashMap<Uuid, u32>; 2],
}

impl Known {
    /// Reads everybody.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(db: &mut PgConnection) -> sqlx::Result<Self> {
        // Asked first: what is changed meanwhile is then read again.
        let cursor = recommendations::oldest_open(db).await?;
        let affiliates = recommendations::affiliates(db, None).await?;
        let campaigns = recommendations::campaigns(db, None).await?;
        let mut known = Self { cursor: AtomicI64::new(cursor), ..Self::default() };
        known.take(affiliates, campaigns);
        Ok(known)
    }

    /// The first transaction whose changes are yet to be read.
    pub fn cursor(&self) -> i64 {
        self.cursor.load(Relaxed)
    }

    /// There is nothing to be read of transactions before this one.
    pub fn is_whole_up_to(&self, transaction: i64) {
        self.cursor.fetch_max(transaction, Relaxed);
    }

    /// The same with these as they are now; none when all of them were known so.
    pub fn with(&self, affiliates: Vec<AffiliateCard>, campaigns: Vec<CampaignCard>) -> Option<Self> {
        let mut next = Self {
            cursor: AtomicI64::new(self.cursor()),
            affiliates: self.affiliates.clone(),
            campaigns: self.campaigns.clone(),
            places: self.places.clone(),
        };
        next.take(affiliates, campaigns).then_some(next)
    }

    /// Says whether anything is new.
    fn take(&mut self, affiliates: Vec<AffiliateCard>, campaigns: Vec<CampaignCard>) -> bool {
        let mut is_new = false;
        let [of_affiliates, of_campaigns] = &mut self.places;
        for card in affiliates {
            is_new |= put(&mut self.affiliates, of_affiliates, card.id.uuid(), card);
        }
        for card in campaigns {
            is_new |= put(&mut self.campaigns, of_campaigns, card.id.uuid(), card);
        }
        is_new
    }

    /// All affiliates.
    pub fn affiliates(&self) -> &[Arc<AffiliateCard>] {
        &self.affiliates
    }

    /// All campaigns.
    pub fn campaigns(&self) -> &[Arc<CampaignCard>] {
        &self.campaigns
    }

    /// Where an affiliate is.
    pub fn affiliate(&self, id: AffiliateId) -> Option<usize> {
        self.places[0].get(&id.uuid()).map(|place| *place as usize)
    }

    /// Where a campaign is.
    pub fn campaign(&self, id: CampaignId) -> Option<usize> {
        self.places[1].get(&id.uuid()).map(|place| *place as usize)
    }

    /// Where affiliates, or campaigns, are.
    pub fn places(&self, are_campaigns: bool) -> &HashMap<Uuid, u32> {
        &self.places[usize::from(are_campaigns)]
    }
}

fn put<T: PartialEq>(all: &mut Vec<Arc<T>>, places: &mut HashMap<Uuid, u32>, id: Uuid, card: T) -> bool {
    let Some(place) = places.get(&id) else {
        places.insert(id, all.len() as u32);
        all.push(Arc::new(card));
        return true;
    };
    let held = &mut all[*place as usize];
    let is_new = **held != card;
    if is_new {
        *held = Arc::new(card);
    }
    is_new
}
