//! An order, and what its report says of it.

use domain::{
    ClickId, ConversionId, Money, SessionId,
    campaign::EventKind,
    click::Device,
    event::{Checks, Conversion, Event},
};
use serde::Serialize;

use super::{
    person::{Mailbox, Person, Whereabouts},
    script::Ending,
    told::{Stage, Way, known_at},
};
use crate::{
    dice::Dice,
    rhythm::{COUNTRIES, SECOND},
    world::World,
};

/// Where something is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// On the advertiser's site.
    Web,
    /// By telephone: reported in the next night, without a machine and an address.
    Phone,
    /// In a shop: the same, and without an e-mail address.
    Shop,
}

/// How many who were persuaded order by telephone, and how many in a shop (chosen).
const PHONE: f64 = 0.04;
const SHOP: f64 = 0.03;

impl Channel {
    pub(super) fn drawn(ending: Ending, seized: bool, dice: &mut Dice) -> Self {
        let luck = dice.unit();
        if ending != Ending::AsPersuaded || seized || PHONE + SHOP < luck {
            return Self::Web;
        }
        if luck < PHONE { Self::Phone } else { Self::Shop }
    }
}

/// What an order's report says of how the customer came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) click: Option<ClickId>,
    pub(crate) session: Option<SessionId>,
    /// Whose customer it is, by the click or by the coupon: a position.
    pub(crate) link: Option<u32>,
    /// Which link's coupon was used.
    pub(crate) coupon: Option<u32>,
}

/// An order, as its advertiser reports it.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) at_us: i64,
    /// A position.
    pub(crate) campaign: u32,
    pub(crate) kind: EventKind,
    pub(crate) amount: Money,
    pub(crate) number: u64,
    /// Behind the number of an order that is reported once more as if it were another.
    pub(crate) suffix: Option<u32>,
    /// The customer's number.
    pub(crate) customer: u64,
    pub(crate) trace: Trace,
    pub(crate) mailbox: Mailbox,
    pub(crate) channel: Channel,
    /// On which machine and where; none when it was no machine, or one of ours (a subscription that goes on).
    pub(crate) here: Option<Whereabouts>,
    pub(crate) country: usize,
    /// Whether the buyer lets machines be told apart.
    pub(crate) consents: bool,
}

/// How an order is entered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Booked {
    pub(crate) id: ConversionId,
    pub(crate) occurred_at_us: i64,
    pub(crate) known_at_us: i64,
    key: u64,
}

impl Order {
    /// An order of which nobody knows where it comes from.
    pub(super) fn drawn_up(
        at_us: i64,
        campaign: u32,
        person: Person,
        channel: Channel,
        world: &World,
        dice: &mut Dice,
    ) -> Self {
        let place = world.campaign(campaign);
        Self {
            at_us,
            campaign,
            kind: place.vertical.kind,
            amount: place.order(dice),
            number: dice.bits() >> 16,
            suffix: None,
            customer: dice.bits() >> 16,
            trace: Trace::default(),
            mailbox: world.people.mailbox(&person),
            channel,
            here: None,
            country: person.country(),
            consents: true,
        }
    }

    /// When it is said to have happened, when we learn of it, and under which id.
    pub(crate) fn booked(&self, world: &World, dice: &mut Dice) -> Booked {
        let advertiser = world.advertiser(world.campaign(self.campaign).advertiser);
        // A clock of whole seconds never shows a time before the click that led here: it is rounded up.
        let whole = (self.at_us + SECOND - 1).div_euclid(SECOND) * SECOND;
        let occurred_at_us = if advertiser.whole_seconds { whole } else { self.at_us };
        let nightly = advertiser.reports_nightly || self.channel != Channel::Web;
        let way = if nightly { Way::NightlyReport } else { Way::Report };
        let known_at_us = known_at(world, occurred_at_us, way, dice);
        Booked { id: dice.id(known_at_us), occurred_at_us, known_at_us, key: dice.bits() }
    }

    /// Tells of it, and says whether anybody hears that.
    pub(crate) fn tell(&self, world: &World, booked: Booked, stage: &mut Stage) -> bool {
        if stage.hears(booked.known_at_us) {
            let event = Event::Conversion(self.event(world, booked));
            stage.tell(world, event, booked.known_at_us, &mut Dice::of(booked.key));
            return true;
        }
        false
    }

    /// Takes the commission out of the campaign's budget, and says whether there was one left.
    pub(crate) fn pay(&self, world: &World, stage: &mut Stage) -> bool {
        let Some(link) = self.trace.link else { return true };
        let closed = stage.till.is_closed(self.campaign, self.at_us);
        if !closed {
            stage.till.pay(world, self.campaign, world.link(link).rate.of(self.amount).minor, stage.until_us);
        }
        !closed
    }

    fn event(&self, world: &World, booked: Booked) -> Conversion {
        let campaign = world.campaign(self.campaign);
        let tells_buyer = world.advertiser(campaign.advertiser).tells_buyer;
        let here = self.here.filter(|_| tells_buyer);
        let device = self.here.filter(|_| campaign.takes_fingerprints && self.consents);
        let mailbox = Some(self.mailbox).filter(|_| tells_buyer && self.channel != Channel::Shop);
        let link = self.trace.link.map(|link| world.link(link));
        let suffix = self.suffix.map_or_else(String::new, |suffix| format!("-{suffix}"));
        Conversion {
            id: booked.id,
            occurred_at_us: booked.occurred_at_us,
            campaign: campaign.id,
            advertiser: campaign.advertiser_id,
            name: self.kind.name().to_owned(),
            kind: self.kind,
            amount: self.amount,
            click: self.trace.click,
            session: self.trace.session,
            link: link.map(|link| link.id),
            affiliate: link.map(|link| link.affiliate_id),
            order_id: format!("{:012X}{suffix}", self.number),
            customer: customer_name(self.customer),
            coupon: self.trace.coupon.map_or_else(String::new, |link| world.link(link).coupon.clone()),
            address_hash: here.map(|here| here.address.hash),
            network: here.map(|here| here.address.network),
            country: COUNTRIES[here.map_or(self.country, |here| here.country)].code.to_owned(),
            device: self.here.map_or(Device::Unknown, |here| here.handset.kind),
            device_id: device.map_or_else(String::new, |here| here.handset.fingerprint()),
            email_hash: mailbox.map(|mailbox| mailbox.hash),
            email_domain: mailbox.map_or_else(String::new, |mailbox| mailbox.domain.to_owned()),
            account_hash: None,
            checks: Checks::default(),
        }
    }
}

/// The advertiser's name for a customer.
pub(super) fn customer_name(number: u64) -> String {
    format!("c-{number:012x}")
}
