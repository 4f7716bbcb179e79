//! What the rows of a file say happened: one event for each, with ids made from the source's own names.

use std::net::{IpAddr, Ipv4Addr};

use domain::{
    AdvertiserId, AffiliateId, CampaignId, ClickId, ConversionId, LinkId, SessionId,
    campaign::EventKind,
    click::{Asked, Click, Device, Tags, UTM, network_of},
    conversion::ReversalReason,
    event::{Checks, Conversion, Event, Impression, Known, Refund, Visit},
    fraud::mailbox,
    id::Id,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    fields::Rows,
    record::{Names, Record, Rejection, short},
};
use crate::lake::Partition;

/// How what identifies people is hidden: with the installation's secret, so that a file and the trackers say the same.
pub struct Hiding {
    /// Keyed hash of an address.
    pub address: Box<dyn Fn(IpAddr) -> [u8; 16] + Send>,
    /// Keyed hash of a mailbox, of which the SHA-256 is given.
    pub mailbox: Box<dyn Fn([u8; 32]) -> [u8; 16] + Send>,
    /// Keyed hash of a device's id, in hexadecimal digits.
    pub device: Box<dyn Fn(&str) -> String + Send>,
}

/// The fields that cannot be read without [`Hiding`].
pub(super) const HIDDEN: [&str; 4] = ["address", "device_id", "email", "email_sha256"];

/// Makes events of records.
pub(super) struct Reading<'a> {
    pub(super) rows: Rows,
    pub(super) names: Names,
    pub(super) hiding: Option<&'a Hiding>,
}

impl Reading<'_> {
    /// The event of a record.
    pub(super) fn event(&self, record: &Record) -> Result<Known<Event>, Rejection> {
        record.must("occurred_at")?;
        let occurred_at_us = record.moment("occurred_at")?.unwrap_or_default();
        let known_at_us = record.moment("known_at")?.unwrap_or(occurred_at_us);
        let event = match self.rows {
            Rows::Clicks => self.click(record, occurred_at_us)?,
            Rows::Conversions => Event::Conversion(self.conversion(record, occurred_at_us)?),
            Rows::Transactions => self.transaction(record, occurred_at_us)?,
            Rows::Journeys => self.step(record, occurred_at_us)?,
        };
        for (field, moment_us) in [("occurred_at", occurred_at_us), ("known_at", known_at_us)] {
            let within = Partition::of(event.kind(), moment_us);
            within.map_err(|_| Rejection::of(field, "is not within the years 1970 to 9999"))?;
        }
        Ok(Known { event, known_at_us })
    }

    fn campaign(&self, record: &Record) -> Result<(CampaignId, AdvertiserId), Rejection> {
        let campaign = self.names.id("campaign", record.must("campaign")?);
        Ok((campaign, self.names.id("advertiser", record.get("advertiser").unwrap_or_default())))
    }

    fn maybe<T: Id + From<Uuid>>(&self, record: &Record, field: &str) -> Option<T> {
        record.get(field).map(|name| self.names.id(field, name))
    }

    /// The link that is named, or the one of the affiliate in the campaign.
    fn link(&self, record: &Record, affiliate: AffiliateId, campaign: CampaignId) -> LinkId {
        let between = || self.names.made("link", &[&affiliate.to_string(), &campaign.to_string()]).into();
        self.maybe(record, "link").unwrap_or_else(between)
    }

    fn click(&self, record: &Record, occurred_at_us: i64) -> Result<Event, Rejection> {
        let (campaign, advertiser) = self.campaign(record)?;
        let affiliate = self.names.id("affiliate", record.must("affiliate")?);
        // Conversions name a click in their field `click`: both come to the same id.
        let named = record.get("id").map(|name| self.names.id::<ClickId>("click", name).uuid());
        let id = named.unwrap_or_else(|| self.names.made("click of row", &record.whole()));
        let (address_hash, network) = match self.address(record)? {
            Some(address) => address,
            // What is not known is equal to nothing else.
            None => {
                (self.names.made("address", &[&id.to_string()]).into_bytes(), Ipv4Addr::UNSPECIFIED.into())
            }
        };
        let click = Click {
            id: id.into(),
            occurred_at_us,
            link: self.link(record, affiliate, campaign),
            affiliate,
            campaign,
            advertiser,
            session: self.maybe(record, "session").unwrap_or_else(|| id.into()),
            tags: tags(record),
            address_hash,
            network,
            country: record.country()?,
            device: record.name("device", Device::Unknown)?,
            user_agent: record.text("user_agent"),
            referrer: record.text("referrer"),
            asked: Asked::default(),
        };
        Ok(Event::Click(Visit { seen: click, device_id: self.device_id(record) }))
    }

    fn address(&self, record: &Record) -> Result<Option<([u8; 16], IpAddr)>, Rejection> {
        let (Some(text), Some(hiding)) = (record.get("address"), self.hiding) else { return Ok(None) };
        let wrong = |_| Rejection::of("address", format!("{:?} is not an IP address", short(text)));
        let address: IpAddr = text.parse().map_err(wrong)?;
        Ok(Some(((hiding.address)(address.to_canonical()), network_of(address))))
    }

    fn device_id(&self, record: &Record) -> String {
        let hidden = record.get("device_id").zip(self.hiding).map(|(id, hiding)| (hiding.device)(id));
        hidden.unwrap_or_default()
    }

    /// The hash of the mailbox, and where it is if that is told.
    fn email(&self, record: &Record) -> Result<(Option<[u8; 16]>, String), Rejection> {
        let Some(hiding) = self.hiding else { return Ok((None, String::new())) };
        let Some(text) = record.get("email") else {
            let digest = record.get("email_sha256").map(digest).transpose()?;
            return Ok((digest.map(|digest| (hiding.mailbox)(digest)), String::new()));
        };
        // The address itself is not repeated: the report of rejected rows is a file like any other.
        let wrong = || Rejection::of("email", "is not an e-mail address");
        let mailbox = mailbox::normalised(text).ok_or_else(wrong)?;
        let (_, domain) = mailbox.rsplit_once('@').ok_or_else(wrong)?;
        Ok((Some((hiding.mailbox)(Sha256::digest(&mailbox).into())), domain.to_owned()))
    }

    fn conversion(&self, record: &Record, occurred_at_us: i64) -> Result<Conversion, Rejection> {
        let (campaign, advertiser) = self.campaign(record)?;
        let name = record.get("event").unwrap_or("sale").to_owned();
        let (email_hash, email_domain) = self.email(record)?;
        let address = self.address(record)?;
        Ok(Conversion {
            id: self.conversion_id(record, advertiser, &name).into(),
            occurred_at_us,
            campaign,
            advertiser,
            name,
            kind: record.name("kind", EventKind::Sale)?,
            amount: record.money()?,
            click: self.maybe(record, "click"),
            session: self.maybe(record, "session"),
            link: self.maybe(record, "link"),
            affiliate: self.maybe(record, "affiliate"),
            order_id: record.text("order_id"),
            customer: record.text("customer"),
            coupon: record.text("coupon"),
            address_hash: address.map(|(hash, _)| hash),
            network: address.map(|(_, network)| network),
            country: record.country()?,
            device: record.name("device", Device::Unknown)?,
            device_id: self.device_id(record),
            email_hash,
            email_domain,
            account_hash: None,
            checks: Checks {
                time_on_site_seconds: record.maybe("time_on_site_seconds")?,
                email: record.maybe("email_check")?,
                captcha: record.maybe("captcha_check")?,
            },
        })
    }

    /// The same conversion is the same id: by its own name, else by its order, else by all that its row says.
    fn conversion_id(&self, record: &Record, advertiser: AdvertiserId, event: &str) -> Uuid {
        if let Some(name) = record.get("id") {
            return self.names.id::<ConversionId>("conversion", name).uuid();
        }
        match record.get("order_id") {
            Some(order) => self.names.made("order", &[&advertiser.to_string(), event, order]),
            None => self.names.made("conversion of row", &record.whole()),
        }
    }

    fn transaction(&self, record: &Record, occurred_at_us: i64) -> Result<Event, Rejection> {
        record.must("customer")?;
        let bought = self.conversion(record, occurred_at_us)?;
        if 0 <= bought.amount.minor {
            return Ok(Event::Conversion(bought));
        }
        let nameless = "is missing: what is given back names the order that was paid";
        record.get("order_id").ok_or_else(|| Rejection::of("order_id", nameless))?;
        let mut amount = bought.amount;
        amount.minor = amount.minor.checked_neg().ok_or_else(|| Rejection::of("amount", "is too large"))?;
        Ok(Event::Refund(Refund {
            id: self.names.made("refund of row", &record.whole()).into(),
            occurred_at_us,
            conversion: bought.id,
            campaign: bought.campaign,
            advertiser: bought.advertiser,
            affiliate: bought.affiliate,
            customer: bought.customer,
            amount,
            reason: ReversalReason::Refund,
        }))
    }

    fn step(&self, record: &Record, occurred_at_us: i64) -> Result<Event, Rejection> {
        let session: SessionId = self.names.id("journey", record.must("journey")?);
        match record.get("step").unwrap_or("click").to_lowercase().as_str() {
            "click" => {
                let Event::Click(mut visit) = self.click(record, occurred_at_us)? else {
                    return Err(Rejection::of("step", "is no click"));
                };
                visit.seen.session = session;
                Ok(Event::Click(visit))
            }
            "impression" => self.impression(record, session, occurred_at_us),
            "conversion" => {
                let conversion = self.conversion(record, occurred_at_us)?;
                Ok(Event::Conversion(Conversion { session: Some(session), ..conversion }))
            }
            other => {
                let reason =
                    format!("{:?} is not a step: expected click, impression or conversion", short(other));
                Err(Rejection::of("step", reason))
            }
        }
    }

    fn impression(
        &self,
        record: &Record,
        session: SessionId,
        occurred_at_us: i64,
    ) -> Result<Event, Rejection> {
        let (campaign, advertiser) = self.campaign(record)?;
        let affiliate = self.names.id("affiliate", record.must("affiliate")?);
        let id = self.names.made("impression of row", &record.whole());
        let shown = Impression {
            id: id.into(),
            occurred_at_us,
            link: self.link(record, affiliate, campaign),
            affiliate,
            campaign,
            advertiser,
            session: Some(session),
            address_hash: self.names.made("address", &[&id.to_string()]).into_bytes(),
            network: Ipv4Addr::UNSPECIFIED.into(),
            country: record.country()?,
            device: record.name("device", Device::Unknown)?,
            user_agent: String::new(),
            referrer: String::new(),
        };
        Ok(Event::Impression(Visit { seen: shown, device_id: String::new() }))
    }
}

/// What an e-mail address was hashed to before it came here.
fn digest(text: &str) -> Result<[u8; 32], Rejection> {
    let wrong = || Rejection::of("email_sha256", "is not a SHA-256 of 64 hexadecimal digits");
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

fn tags(record: &Record) -> Tags {
    Tags {
        subs: std::array::from_fn(|place| record.text(&format!("sub{}", place + 1))),
        source: record.text("source"),
        uid: record.text("uid"),
        external_click_id: record.text("external_click_id"),
        utm: UTM.map(|name| record.text(name)),
    }
}
