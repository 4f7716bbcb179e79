//! Impressions as they are stored, and as events.

use std::net::IpAddr;

use anyhow::Context;
use domain::event::{Event, Impression, Known, Visit};
use sqlx::{PgConnection, types::Uuid};

use super::{clicks::address_hash, visits::Row};
use crate::store::lake::{StoredImpression, impressions};

impl Row for StoredImpression {
    const TABLE: &'static str = "impressions";
    const KIND: &'static str = "impression";

    async fn page(db: &mut PgConnection, after: Uuid, last: Uuid, limit: i64) -> sqlx::Result<Vec<Self>> {
        impressions(db, after, last, limit).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    /// An impression is known from when it was stored; of one that an older release stored, only its time is known.
    fn event(self) -> anyhow::Result<Known<Event>> {
        let unreadable = || format!("the impression {} cannot be read", self.id);
        let network: IpAddr = self.network.parse().with_context(unreadable)?;
        let device = self.device.parse().with_context(unreadable)?;
        let address_hash = address_hash(&self.address_hash).with_context(unreadable)?;
        let known_at = self.stored_at.unwrap_or(self.occurred_at);
        let seen = Impression {
            id: self.id,
            occurred_at_us: self.occurred_at.timestamp_micros(),
            link: self.link_id,
            affiliate: self.affiliate_id,
            campaign: self.campaign_id,
            advertiser: self.advertiser_id,
            session: self.session_id,
            address_hash,
            network,
            country: self.country,
            device,
            user_agent: self.user_agent,
            referrer: self.referrer,
        };
        let event = Event::Impression(Visit { seen, device_id: String::new() });
        Ok(Known { event, known_at_us: known_at.timestamp_micros() })
    }
}
