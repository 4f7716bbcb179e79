//! Clicks as they are stored, and as events.

use std::net::IpAddr;

use anyhow::{Context, anyhow};
use domain::{
    click::{Asked, Click, Tags},
    event::{Event, Known, Visit},
};
use sqlx::{PgConnection, types::Uuid};

use super::visits::Row;
use crate::store::lake::{StoredClick, clicks};

impl Row for StoredClick {
    const TABLE: &'static str = "clicks";
    const KIND: &'static str = "click";

    async fn page(db: &mut PgConnection, after: Uuid, last: Uuid, limit: i64) -> sqlx::Result<Vec<Self>> {
        clicks(db, after, last, limit).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    /// A click is known from when it was stored; of one that an older release stored, only its time is known.
    fn event(self) -> anyhow::Result<Known<Event>> {
        let unreadable = || format!("the click {} cannot be read", self.id);
        let network: IpAddr = self.network.parse().with_context(unreadable)?;
        let device = self.device.parse().with_context(unreadable)?;
        let address_hash = address_hash(&self.address_hash).with_context(unreadable)?;
        let known_at = self.stored_at.unwrap_or(self.occurred_at);
        let seen = Click {
            id: self.id,
            occurred_at_us: self.occurred_at.timestamp_micros(),
            link: self.link_id,
            affiliate: self.affiliate_id,
            campaign: self.campaign_id,
            advertiser: self.advertiser_id,
            session: self.session_id,
            tags: Tags {
                subs: filled(self.subs),
                source: self.source,
                uid: self.uid,
                external_click_id: self.external_click_id,
                utm: filled(self.utm),
            },
            address_hash,
            network,
            country: self.country,
            device,
            user_agent: self.user_agent,
            referrer: self.referrer,
            asked: Asked {
                destination: self.fetch_destination,
                by_user: self.fetch_by_user,
                hints_match: self.client_hints_match,
            },
        };
        let event = Event::Click(Visit { seen, device_id: String::new() });
        Ok(Known { event, known_at_us: known_at.timestamp_micros() })
    }
}

/// A keyed hash of an address as it is stored.
pub(super) fn address_hash(stored: &[u8]) -> anyhow::Result<[u8; 16]> {
    stored.try_into().map_err(|_| anyhow!("its address hash has {} bytes instead of 16", stored.len()))
}

/// Texts by position, where those at the end are left out when they are empty.
fn filled<const LENGTH: usize>(texts: Vec<String>) -> [String; LENGTH] {
    let mut texts = texts.into_iter();
    std::array::from_fn(|_| texts.next().unwrap_or_default())
}
