//! Customers come back at their own pace until they stop: repeat buying and silent churn after Schmittlein, Morrison and
//! Colombo («Counting your customers», Management Science 1987), an order's time being exponential at a rate that is
//! gamma-distributed among customers, and a customer's life exponential.

use domain::{ClickId, LinkId, Money, campaign::EventKind};

use super::{
    case::{Case, GivenBack},
    person::Person,
    sale::{Order, Trace},
    told::{Actor, Stage},
};
use crate::{
    dice::{Dice, micros, real, whole},
    rhythm::DAY,
    truth::{self, Truth},
    world::World,
};

/// For how long the value of a customer is counted.
const YEAR: i64 = 365 * DAY;

/// How unlike each other customers are in their pace: the shape of the gamma distribution, 1.5 (chosen).
const ALIKE: f64 = 1.5;

/// What a customer begins with.
pub(crate) struct Won {
    pub(crate) order: Order,
    pub(crate) credit: truth::Credit,
    pub(crate) refund: Option<GivenBack>,
    /// The last visit's link.
    pub(crate) through: Option<u32>,
    pub(crate) person: Person,
}

/// Somebody who may buy again.
pub(crate) struct Customer {
    name: String,
    person: Person,
    campaign: u32,
    credit: Box<truth::Credit>,
    /// What the first order's report said of where the customer came from; it goes on for subscriptions.
    subscribed: Option<(Option<ClickId>, Option<LinkId>, Option<domain::AffiliateId>)>,
    rest: Rest,
    next: Option<Again>,
}

/// The orders that a customer still makes; a copy of it foretells them.
#[derive(Clone, Debug)]
struct Rest {
    dice: Dice,
    at_us: i64,
    until_us: i64,
    pause_us: f64,
}

/// One more order.
#[derive(Clone, Copy, Debug)]
struct Again {
    at_us: i64,
    amount: Money,
    refund: Option<GivenBack>,
    key: u64,
}

impl Rest {
    fn next(&mut self, world: &World, campaign: u32) -> Option<Again> {
        let campaign = world.campaign(campaign);
        self.at_us = self.at_us.saturating_add(micros(self.dice.exponential(self.pause_us) / 1e6).max(1));
        let (amount, key) = (campaign.order(&mut self.dice), self.dice.bits());
        let refund = Case::refund(campaign.vertical.refunded, &mut self.dice);
        (self.at_us < self.until_us).then_some(Again { at_us: self.at_us, amount, refund, key })
    }
}

impl Customer {
    /// Tells what a new customer is worth, and lets them come back.
    pub(crate) fn won(won: Won, key: u64, world: &World, stage: &mut Stage) {
        let Won { order, credit, refund, through, person } = won;
        let (campaign, mut dice) = (world.campaign(order.campaign), Dice::of(key));
        let worth = through.map_or(1.0, |link| world.affiliate_of(link).worth(campaign));
        let stays_us = campaign.vertical.stays_days * real(DAY.unsigned_abs());
        let until_us = order.at_us + micros(dice.exponential(stays_us) / 1e6);
        let monthly = dice.gamma(ALIKE, campaign.vertical.orders_per_month * worth / ALIKE).max(1e-6);
        let pause_us = real((30 * DAY).unsigned_abs()) / monthly;
        let mut rest = Rest { dice, at_us: order.at_us, until_us, pause_us };
        let truth = foretold(world, &order, refund, through, &rest);
        stage.reveal(order.at_us, credit.conversion.uuid(), Truth::Customer(truth));
        let Some(first) = rest.next(world, order.campaign) else { return };
        let goes_on = matches!(campaign.vertical.kind, EventKind::Trial | EventKind::Recurring);
        let Trace { click, link, affiliate, .. } = order.trace;
        let customer = Self {
            name: order.customer,
            person,
            campaign: order.campaign,
            credit: Box::new(credit),
            subscribed: goes_on.then_some((click, link, affiliate)),
            rest,
            next: Some(first),
        };
        stage.call(first.at_us, customer);
    }

    fn buy(&mut self, again: Again, world: &World, stage: &mut Stage) {
        let mut dice = Dice::of(again.key);
        let here = world.people.whereabouts(&self.person, again.at_us, &mut dice);
        let (click, link, affiliate) = self.subscribed.unwrap_or_default();
        let order = Order {
            at_us: again.at_us,
            campaign: self.campaign,
            kind: if self.subscribed.is_some() {
                EventKind::Recurring
            } else {
                world.campaign(self.campaign).vertical.kind
            },
            amount: again.amount,
            order_id: format!("{:012X}", dice.bits() >> 16),
            customer: self.name.clone(),
            trace: Trace { click, link, affiliate, ..Trace::default() },
            mailbox: world.people.mailbox(&self.person),
            here: self.subscribed.is_none().then_some(here),
            country: self.person.country,
            consents: self.credit.lost != Some(super::loss::Cause::Consent),
        };
        let (event, id, known_at_us) = order.event(world, &mut dice);
        if !stage.tell(world, event, known_at_us, &mut dice) {
            return;
        }
        let credit =
            truth::Credit { conversion: id, won_by: Some(self.credit.conversion), ..(*self.credit).clone() };
        stage.reveal(again.at_us, id.uuid(), Truth::Credit(credit));
        stage.call(known_at_us + 1, Case::opened(world, &order, id, again.refund, false, dice.bits()));
    }
}

impl Actor for Customer {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        if let Some(again) = self.next.take_if(|again| again.at_us <= at_us) {
            self.buy(again, world, stage);
            self.next = self.rest.next(world, self.campaign);
        }
        self.next.map(|again| again.at_us)
    }
}

/// What a customer will have bought a year from now.
fn foretold(
    world: &World,
    order: &Order,
    refund: Option<GivenBack>,
    through: Option<u32>,
    rest: &Rest,
) -> truth::Customer {
    let campaign = world.campaign(order.campaign);
    let margin = campaign.vertical.margin;
    let left = |amount: Money, refund: Option<GivenBack>| {
        margin * real(amount.minor.unsigned_abs()) * (1.0 - refund.map_or(0.0, |refund| refund.part))
    };
    let (mut orders, mut revenue) = (1, order.amount.minor);
    let mut value = left(order.amount, refund);
    let mut coming = rest.clone();
    while let Some(again) = coming.next(world, order.campaign).filter(|it| it.at_us < order.at_us + YEAR) {
        orders += 1;
        revenue += again.amount.minor;
        value += left(again.amount, again.refund);
    }
    let worth = through.map_or(1.0, |link| world.affiliate_of(link).worth(campaign));
    let money =
        |minor: f64| Money::new(i64::try_from(whole(minor.round())).unwrap_or(i64::MAX), campaign.currency());
    truth::Customer {
        customer: order.customer.clone(),
        campaign: campaign.id,
        affiliate: through.map(|link| world.affiliate_of(link).id),
        since_us: order.at_us,
        until_us: rest.until_us,
        orders_in_a_year: orders,
        revenue_in_a_year: Money::new(revenue, campaign.currency()),
        value_in_a_year: money(value),
        expected_value: money(expected_value(campaign, worth)),
    }
}

/// The value of a customer in a year that is to be expected of a campaign whose partner's customers are worth so much
/// more than ordinary ones: the first order and those that follow while the customer stays.
pub(crate) fn expected_value(campaign: &crate::world::campaign::Campaign, worth: f64) -> f64 {
    let stays = campaign.vertical.stays_days;
    let days = stays * (1.0 - (-365.0 / stays).exp());
    let orders = 1.0 + campaign.vertical.orders_per_month * worth / 30.0 * days;
    // Four in five refunds are whole, the others half on average; a log-normal's mean is above its median.
    let kept = 1.0 - campaign.vertical.refunded * (0.8 + 0.2 * 0.5);
    let order = real(campaign.price.minor.unsigned_abs()) * (0.5_f64 * 0.5 / 2.0).exp();
    orders * order * kept * campaign.vertical.margin
}
