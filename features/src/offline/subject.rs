//! Whom a row of labels is about, as its columns and its event say it.

use domain::{
    event::Event,
    id::{AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, SessionId},
};

use crate::entity::{self, Entity, Key, Keys};

/// The columns that say whom a row is about, as the lake calls them.
pub const COLUMNS: [&str; 9] = [
    "conversion_id",
    "click_id",
    "session_id",
    "address_hash",
    "device_id",
    "affiliate_id",
    "campaign_id",
    "advertiser_id",
    "customer_id",
];

/// Whom a row is about, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub conversion: Option<ConversionId>,
    pub click: Option<ClickId>,
    session: Option<SessionId>,
    address: Option<[u8; 16]>,
    device: Option<String>,
    affiliate: Option<AffiliateId>,
    campaign: Option<CampaignId>,
    advertiser: Option<AdvertiserId>,
    customer: Option<String>,
    /// Only an event says what was bought.
    purchase: Option<Key>,
}

impl Subject {
    /// Whom an event is about.
    pub(super) fn of(event: &Event) -> Self {
        let mut subject = Self {
            session: entity::journey(event).map(Into::into),
            address: entity::address(event).copied(),
            device: entity::device(event).map(str::to_owned),
            affiliate: entity::affiliate(event).map(Into::into),
            campaign: event.campaign(),
            purchase: entity::purchase(event),
            ..Self::default()
        };
        let named = |customer: &str| (!customer.is_empty()).then(|| customer.to_owned());
        match event {
            Event::Click(visit) => {
                (subject.click, subject.advertiser) = (Some(visit.seen.id), Some(visit.seen.advertiser));
            }
            Event::Impression(visit) => subject.advertiser = Some(visit.seen.advertiser),
            Event::Conversion(event) => {
                (subject.conversion, subject.click) = (Some(event.id), event.click);
                (subject.advertiser, subject.customer) = (Some(event.advertiser), named(&event.customer));
            }
            Event::Refund(event) => {
                subject.conversion = Some(event.conversion);
                (subject.advertiser, subject.customer) = (Some(event.advertiser), named(&event.customer));
            }
            Event::StatusChange(event) => subject.conversion = Some(event.conversion),
            Event::Review(event) => subject.conversion = Some(event.conversion),
            Event::Decision(event) => subject.conversion = event.conversion,
            Event::RateChange(_) => {}
        }
        subject
    }

    /// The same; where it says nothing, what the other says.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            conversion: self.conversion.or(other.conversion),
            click: self.click.or(other.click),
            session: self.session.or(other.session),
            address: self.address.or(other.address),
            device: self.device.or(other.device),
            affiliate: self.affiliate.or(other.affiliate),
            campaign: self.campaign.or(other.campaign),
            advertiser: self.advertiser.or(other.advertiser),
            customer: self.customer.or(other.customer),
            purchase: self.purchase.or(other.purchase),
        }
    }

    /// The same, as features know them.
    pub(super) fn keys(&self) -> Keys {
        let bits = |bits: Option<u128>| bits.map(Key::one);
        let pair = self.affiliate.zip(self.campaign);
        let customer = self.advertiser.zip(self.customer.as_deref());
        let keys = [
            (Entity::Conversion, bits(self.conversion.map(|id| id.uuid().as_u128()))),
            (Entity::Click, bits(self.click.map(|id| id.uuid().as_u128()))),
            (Entity::Journey, bits(self.session.map(|id| id.uuid().as_u128()))),
            (Entity::Address, bits(self.address.map(u128::from_be_bytes))),
            (Entity::Device, self.device.as_ref().map(|device| Key::named(&[device.as_bytes()]))),
            (Entity::Affiliate, bits(self.affiliate.map(|id| id.uuid().as_u128()))),
            (Entity::Campaign, bits(self.campaign.map(|id| id.uuid().as_u128()))),
            (
                Entity::AffiliateCampaign,
                pair.map(|(one, other)| Key::pair(one.uuid().as_u128(), other.uuid().as_u128())),
            ),
            (
                Entity::Customer,
                customer.map(|(whose, name)| Key::named(&[whose.uuid().as_bytes(), name.as_bytes()])),
            ),
            (Entity::Purchase, self.purchase),
        ];
        keys.into_iter()
            .filter_map(|(entity, key)| Some((entity, key?)))
            .fold(Keys::default(), |keys, (entity, key)| keys.with(entity, key))
    }

    /// What one of the [`COLUMNS`] says; none where it says nothing, or there is no such column.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        match column {
            "conversion_id" => self.conversion.map(|id| id.to_string()),
            "click_id" => self.click.map(|id| id.to_string()),
            "session_id" => self.session.map(|id| id.to_string()),
            "address_hash" => self.address.map(|hash| format!("{:032x}", u128::from_be_bytes(hash))),
            "device_id" => self.device.clone(),
            "affiliate_id" => self.affiliate.map(|id| id.to_string()),
            "campaign_id" => self.campaign.map(|id| id.to_string()),
            "advertiser_id" => self.advertiser.map(|id| id.to_string()),
            "customer_id" => self.customer.clone(),
            _ => None,
        }
    }

    /// Takes what one of the [`COLUMNS`] says in; says what is wrong with it otherwise.
    pub(super) fn read(&mut self, column: &str, text: &str) -> Result<(), String> {
        fn id<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<Option<T>, String> {
            text.parse().map(Some).map_err(|error: T::Err| error.to_string())
        }
        match column {
            "conversion_id" => self.conversion = id(text)?,
            "click_id" => self.click = id(text)?,
            "session_id" => self.session = id(text)?,
            "address_hash" => self.address = Some(hash(text)?),
            "device_id" => self.device = Some(text.to_owned()),
            "affiliate_id" => self.affiliate = id(text)?,
            "campaign_id" => self.campaign = id(text)?,
            "advertiser_id" => self.advertiser = id(text)?,
            "customer_id" => self.customer = Some(text.to_owned()),
            _ => {}
        }
        Ok(())
    }
}

fn hash(text: &str) -> Result<[u8; 16], String> {
    let is_hash = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bits = is_hash.then(|| u128::from_str_radix(text, 16).ok()).flatten();
    bits.map(u128::to_be_bytes).ok_or_else(|| {
        let short: String = text.chars().take(64).collect();
        format!("{short:?} is not 32 hexadecimal digits")
    })
}

/// The columns that say which one of a kind is meant.
pub(super) fn of_entity(entity: Entity) -> &'static [&'static str] {
    match entity {
        Entity::Conversion | Entity::Purchase => &["conversion_id"],
        Entity::Click => &["click_id"],
        Entity::Journey => &["session_id"],
        Entity::Address => &["address_hash"],
        Entity::Device => &["device_id"],
        Entity::Affiliate => &["affiliate_id"],
        Entity::Campaign => &["campaign_id"],
        Entity::AffiliateCampaign => &["affiliate_id", "campaign_id"],
        Entity::Customer => &["advertiser_id", "customer_id"],
    }
}
