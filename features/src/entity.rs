//! What a feature is about, and which of them an event is about.

use domain::event::{Event, Known};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{hash, named::named};

named! {
    /// What a feature describes.
    Entity {
        /// One conversion: what happened to it since it was reported.
        Conversion = "conversion",
        /// One click: what came of it.
        Click = "click",
        /// One browser's visit, by its first-party cookie: the touches that lead to a conversion.
        Journey = "journey",
        /// One address, by its keyed hash.
        Address = "address",
        /// One device, by its fingerprint's keyed hash.
        Device = "device",
        /// One partner.
        Affiliate = "affiliate",
        /// One offer.
        Campaign = "campaign",
        /// One partner in one offer.
        AffiliateCampaign = "affiliate_campaign",
        /// One customer of one advertiser, by the advertiser's name for them.
        Customer = "customer",
        /// One purchase, under whatever numbers it was reported: one customer (or else device), offer, click and amount.
        Purchase = "purchase",
    }
}

/// Which one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(u128, u128);

impl Key {
    /// Something that has an id, or a keyed hash, of its own.
    #[must_use]
    pub const fn one(bits: u128) -> Self {
        Self(bits, 0)
    }

    /// Two things together.
    #[must_use]
    pub const fn pair(first: u128, second: u128) -> Self {
        Self(first, second)
    }

    /// Something known by a text that strangers choose.
    #[must_use]
    pub fn named(parts: &[&[u8]]) -> Self {
        Self(hash::name(parts), 0)
    }
}

/// Of each kind of entity, the one that is meant, where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys([Option<Key>; Entity::ALL.len()]);

impl Keys {
    /// Everything that an event is about.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let mut keys = Self::default();
        for entity in Entity::ALL {
            keys.0[*entity as usize] = entity.key(event);
        }
        keys
    }

    /// The same, but about this one.
    #[must_use]
    pub fn with(mut self, entity: Entity, key: Key) -> Self {
        self.0[entity as usize] = Some(key);
        self
    }

    /// Which one of this kind.
    #[must_use]
    pub fn get(&self, entity: Entity) -> Option<Key> {
        self.0[entity as usize]
    }
}

impl Entity {
    /// Which one of this kind an event is about.
    #[must_use]
    pub fn key(self, event: &Event) -> Option<Key> {
        match self {
            Self::Conversion => conversion(event).map(id),
            Self::Click => click(event).map(id),
            Self::Journey => journey(event).map(id),
            Self::Address => address(event).map(|hash| Key::one(u128::from_be_bytes(*hash))),
            Self::Device => device(event).and_then(device_key),
            Self::Affiliate => affiliate(event).map(id),
            Self::Campaign => event.campaign().map(|campaign| id(campaign.uuid())),
            Self::AffiliateCampaign => {
                let affiliate = affiliate(event)?;
                Some(Key::pair(affiliate.as_u128(), event.campaign()?.uuid().as_u128()))
            }
            Self::Customer => customer(event),
            Self::Purchase => purchase(event),
        }
    }
}

fn id(uuid: Uuid) -> Key {
    Key::one(uuid.as_u128())
}

/// The id under which an event happened once.
#[must_use]
pub fn event_id(event: &Event) -> u128 {
    let uuid = match event {
        Event::Click(visit) => visit.seen.id.uuid(),
        Event::Impression(visit) => visit.seen.id.uuid(),
        Event::Conversion(event) => event.id.uuid(),
        Event::Refund(event) => event.id.uuid(),
        Event::StatusChange(event) => event.id.uuid(),
        Event::Review(event) => event.id.uuid(),
        Event::RateChange(event) => event.id.uuid(),
        Event::Decision(event) => event.id.uuid(),
    };
    uuid.as_u128()
}

/// From when on an event counts: it happened and was known.
#[must_use]
pub fn visible_at_us(known: &Known<Event>) -> i64 {
    known.known_at_us.max(known.event.occurred_at_us())
}

fn conversion(event: &Event) -> Option<Uuid> {
    match event {
        Event::Conversion(event) => Some(event.id.uuid()),
        Event::Refund(event) => Some(event.conversion.uuid()),
        Event::StatusChange(event) => Some(event.conversion.uuid()),
        Event::Review(event) => Some(event.conversion.uuid()),
        Event::Decision(event) => event.conversion.map(|id| id.uuid()),
        Event::Click(_) | Event::Impression(_) | Event::RateChange(_) => None,
    }
}

fn click(event: &Event) -> Option<Uuid> {
    match event {
        Event::Click(visit) => Some(visit.seen.id.uuid()),
        Event::Conversion(event) => Some(event.click?.uuid()),
        _ => None,
    }
}

/// The browser's visit.
pub(crate) fn journey(event: &Event) -> Option<Uuid> {
    match event {
        Event::Click(visit) => Some(visit.seen.session.uuid()),
        Event::Impression(visit) => Some(visit.seen.session?.uuid()),
        Event::Conversion(event) => Some(event.session?.uuid()),
        _ => None,
    }
}

/// The keyed hash of the address.
pub(crate) fn address(event: &Event) -> Option<&[u8; 16]> {
    match event {
        Event::Click(visit) => Some(&visit.seen.address_hash),
        Event::Impression(visit) => Some(&visit.seen.address_hash),
        Event::Conversion(event) => event.address_hash.as_ref(),
        _ => None,
    }
}

/// The keyed hash of the device's fingerprint.
pub(crate) fn device(event: &Event) -> Option<&str> {
    let device = match event {
        Event::Click(visit) => &visit.device_id,
        Event::Impression(visit) => &visit.device_id,
        Event::Conversion(event) => &event.device_id,
        _ => return None,
    };
    (!device.is_empty()).then_some(device)
}

/// The key of a device; none where none was told.
pub(crate) fn device_key(device: &str) -> Option<Key> {
    (!device.is_empty()).then(|| Key::named(&[device.as_bytes()]))
}

/// The partner.
pub(crate) fn affiliate(event: &Event) -> Option<Uuid> {
    match event {
        Event::Click(visit) => Some(visit.seen.affiliate.uuid()),
        Event::Impression(visit) => Some(visit.seen.affiliate.uuid()),
        Event::Conversion(event) => Some(event.affiliate?.uuid()),
        Event::Refund(event) => Some(event.affiliate?.uuid()),
        Event::StatusChange(event) => Some(event.affiliate?.uuid()),
        Event::Review(event) => Some(event.affiliate?.uuid()),
        Event::RateChange(event) => Some(event.affiliate?.uuid()),
        Event::Decision(event) => Some(event.affiliate?.uuid()),
    }
}

fn customer(event: &Event) -> Option<Key> {
    let (advertiser, customer) = match event {
        Event::Conversion(event) => (event.advertiser, &event.customer),
        Event::Refund(event) => (event.advertiser, &event.customer),
        _ => return None,
    };
    (!customer.is_empty()).then(|| Key::named(&[advertiser.uuid().as_bytes(), customer.as_bytes()]))
}

/// Of a report that says neither who nor after which click, nobody can tell whether another is its like.
pub(crate) fn purchase(event: &Event) -> Option<Key> {
    let Event::Conversion(event) = event else { return None };
    let who = if event.customer.is_empty() { &event.device_id } else { &event.customer };
    let is_told = event.click.is_some() || !who.is_empty();
    let (campaign, click) = (event.campaign.uuid(), event.click.map(|click| click.uuid()));
    let amount = event.amount.minor.to_be_bytes();
    let click = click.as_ref().map_or(&[][..], |click| click.as_bytes());
    let parts = [campaign.as_bytes(), click, who.as_bytes(), &amount];
    is_told.then(|| Key::named(&parts))
}
