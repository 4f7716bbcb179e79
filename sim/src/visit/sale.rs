//! The events of a visit and of an order, put together from who does it, where, and through which link.

use domain::{
    AffiliateId, ClickId, ConversionId, LinkId, Money, SessionId,
    campaign::EventKind,
    click::{Click, Tags},
    event::{Conversion, Event, Impression, Visit},
};

use super::{
    person::{Mailbox, Whereabouts},
    script::Referral,
    told::{Way, known_at},
};
use crate::{
    dice::Dice,
    rhythm::{COUNTRIES, SECOND},
    world::World,
};

/// A click through this link.
pub(crate) fn click(
    world: &World,
    at_us: i64,
    link: u32,
    (here, session, referral): (&Whereabouts, SessionId, Referral),
    dice: &mut Dice,
) -> Event {
    let (place, affiliate) = (world.link(link), world.affiliate_of(link));
    let campaign = world.campaign_of(link);
    let mut tags = Tags::default();
    tags.subs[0].clone_from(&place.sub1);
    if referral == Referral::BrandSearch {
        tags.utm[0].push_str("search");
        tags.utm[3].push_str("brand");
    }
    let refers = affiliate.source.traffic().refers;
    Event::Click(Visit {
        seen: Click {
            id: dice.id(at_us),
            occurred_at_us: at_us,
            link: place.id,
            affiliate: place.affiliate_id,
            campaign: place.campaign_id,
            advertiser: campaign.advertiser_id,
            session,
            tags,
            address_hash: here.address.hash,
            network: here.address.network,
            country: COUNTRIES[here.country].code.to_owned(),
            device: here.handset.kind,
            user_agent: here.handset.agent.to_owned(),
            referrer: match referral {
                Referral::Page if refers => place.page.clone(),
                Referral::Page | Referral::Hidden => String::new(),
                Referral::Elsewhere(page) => page.to_owned(),
                Referral::BrandSearch => "https://search.example/".to_owned(),
            },
        },
        device_id: device_id(campaign.takes_fingerprints, here),
    })
}

/// An impression of this link's advertisement.
pub(crate) fn impression(
    world: &World,
    at_us: i64,
    link: u32,
    (here, session): (&Whereabouts, Option<SessionId>),
    dice: &mut Dice,
) -> Event {
    let (place, campaign) = (world.link(link), world.campaign_of(link));
    Event::Impression(Visit {
        seen: Impression {
            id: dice.id(at_us),
            occurred_at_us: at_us,
            link: place.id,
            affiliate: place.affiliate_id,
            campaign: place.campaign_id,
            advertiser: campaign.advertiser_id,
            session,
            address_hash: here.address.hash,
            network: here.address.network,
            country: COUNTRIES[here.country].code.to_owned(),
            device: here.handset.kind,
            user_agent: here.handset.agent.to_owned(),
            referrer: place.page.clone(),
        },
        device_id: device_id(campaign.takes_fingerprints, here),
    })
}

/// What an order's report says besides who ordered what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) click: Option<ClickId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) link: Option<LinkId>,
    pub(crate) affiliate: Option<AffiliateId>,
    pub(crate) coupon: &'static str,
}

/// An order, as its advertiser reports it.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) at_us: i64,
    /// A position.
    pub(crate) campaign: u32,
    pub(crate) kind: EventKind,
    pub(crate) amount: Money,
    pub(crate) order_id: String,
    pub(crate) customer: String,
    pub(crate) trace: Trace,
    pub(crate) mailbox: Mailbox,
    /// Where it was ordered; none when a machine did it (a subscription that goes on).
    pub(crate) here: Option<Whereabouts>,
    pub(crate) country: usize,
    /// Whether the buyer lets devices be told apart.
    pub(crate) consents: bool,
}

impl Order {
    /// The event, its id, and when we learn of it.
    pub(crate) fn event(&self, world: &World, dice: &mut Dice) -> (Event, ConversionId, i64) {
        let campaign = world.campaign(self.campaign);
        let advertiser = world.advertiser(campaign.advertiser);
        // A clock of whole seconds never shows a time before the click that led here: it is rounded up.
        let whole = (self.at_us + SECOND - 1).div_euclid(SECOND) * SECOND;
        let at_us = if advertiser.whole_seconds { whole } else { self.at_us };
        let way = if advertiser.reports_nightly { Way::NightlyReport } else { Way::Report };
        let known_at_us = known_at(world, at_us, way, dice);
        let id: ConversionId = dice.id(known_at_us);
        let here = self.here.filter(|_| advertiser.tells_buyer);
        let device = self.here.filter(|_| campaign.takes_fingerprints && self.consents);
        let event = Event::Conversion(Conversion {
            id,
            occurred_at_us: at_us,
            campaign: campaign.id,
            advertiser: campaign.advertiser_id,
            name: self.kind.name().to_owned(),
            kind: self.kind,
            amount: self.amount,
            click: self.trace.click,
            session: self.trace.session,
            link: self.trace.link,
            affiliate: self.trace.affiliate,
            order_id: self.order_id.clone(),
            customer: self.customer.clone(),
            coupon: self.trace.coupon.to_owned(),
            address_hash: here.map(|here| here.address.hash),
            network: here.map(|here| here.address.network),
            country: COUNTRIES[here.map_or(self.country, |here| here.country)].code.to_owned(),
            device: self.here.map_or(domain::click::Device::Unknown, |here| here.handset.kind),
            device_id: device.map_or_else(String::new, |here| here.handset.fingerprint()),
            email_hash: advertiser.tells_buyer.then_some(self.mailbox.hash),
            email_domain: if advertiser.tells_buyer { self.mailbox.domain.to_owned() } else { String::new() },
        });
        (event, id, known_at_us)
    }
}

fn device_id(taken: bool, here: &Whereabouts) -> String {
    if taken { here.handset.fingerprint() } else { String::new() }
}
