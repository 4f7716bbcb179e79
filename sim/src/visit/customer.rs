//! Customers come back at their own pace until they stop: repeat buying and silent churn after Schmittlein, Morrison and
//! Colombo («Counting your customers», Management Science 1987), an order's time being exponential at a rate that is
//! gamma-distributed among customers, and a customer's life exponential.

use domain::{Money, campaign::EventKind};

use super::{
    actor::{Actor, Play},
    case::{Case, Origin, Returns},
    course::{Part, key_of},
    journey::{Journey, Sale},
    order::{Channel, Order, Trace, customer_name},
    told::Stage,
};
use crate::{
    dice::{Dice, exp, micros, mixed, real, whole},
    rhythm::DAY,
    truth::{self, Truth},
    world::{World, campaign::Vertical},
};

/// For how long the value of a customer is counted.
const YEAR: i64 = 365 * DAY;

/// How unlike each other customers are in their pace: the shape of the gamma distribution, 1.5 (chosen).
const ALIKE: f64 = 1.5;

/// Somebody who may buy again; what they are like follows from the journey that won them.
#[derive(Debug)]
pub(crate) struct Customer {
    won_by: Journey,
    /// How many orders they have made.
    orders: u32,
    /// Whether they were one before anything here began.
    was_there: bool,
}

/// How somebody orders.
struct Habit {
    key: u64,
    until_us: i64,
    pause_us: f64,
}

/// One more order.
struct Again {
    /// How long after the order before it.
    pause_us: i64,
    amount: Money,
    /// What follows from it.
    key: u64,
}

impl Habit {
    /// The order behind the `number`-th.
    fn again(&self, number: u32, world: &World, campaign: u32) -> Again {
        let mut dice = Dice::of(mixed(self.key ^ u64::from(number)));
        let pause_us = micros(dice.exponential(self.pause_us) / 1e6).max(1);
        Again { pause_us, amount: world.campaign(campaign).order(&mut dice), key: dice.bits() }
    }

    /// When the order behind the `number`-th is, which was at `at_us`; none when the customer leaves before.
    fn due(&self, number: u32, at_us: i64, world: &World, campaign: u32) -> Option<i64> {
        let due_us = at_us.saturating_add(self.again(number, world, campaign).pause_us);
        (due_us < self.until_us).then_some(due_us)
    }
}

impl Customer {
    /// Tells what a new customer is worth, and lets them come back.
    pub(super) fn won(won_by: Journey, sale: &Sale, world: &World, stage: &mut Stage) {
        let customer = Self { won_by, orders: 1, was_there: false };
        let habit = customer.habit(sale, world);
        let truth = customer.foretold(&habit, sale, world);
        stage.reveal(sale.order.at_us, sale.credit.conversion.uuid(), Truth::Customer(truth));
        if let Some(first_us) = habit.due(1, sale.order.at_us, world, sale.order.campaign) {
            stage.call(first_us, Actor::Customer(customer));
        }
    }

    /// Somebody who was a customer already when all began, at `began_us`; none when their first order was not yet.
    pub(crate) fn from_before(won_by: Journey, began_us: i64, world: &World, stage: &mut Stage) {
        let sale = won_by.sale(world);
        if began_us <= sale.order.at_us {
            return;
        }
        let mut customer = Self { won_by, orders: 1, was_there: true };
        let habit = customer.habit(&sale, world);
        let truth = customer.foretold(&habit, &sale, world);
        stage.reveal(began_us, sale.credit.conversion.uuid(), Truth::Customer(truth));
        let mut at_us = sale.order.at_us;
        while let Some(due_us) = habit.due(customer.orders, at_us, world, sale.order.campaign) {
            at_us = due_us;
            if began_us <= at_us {
                stage.call(at_us, Actor::Customer(customer));
                return;
            }
            customer.orders += 1;
        }
    }

    fn habit(&self, sale: &Sale, world: &World) -> Habit {
        let campaign = world.campaign(sale.order.campaign);
        let key = key_of(self.won_by.key, Part::Customer);
        let mut dice = Dice::of(key);
        let worth = sale.through.map_or(1.0, |link| world.affiliate_of(link).worth(campaign));
        let stays_us = campaign.vertical.stays_days * real(DAY.unsigned_abs());
        // Who has stayed until now stays as long again as anybody: an exponential life has no memory.
        let from_us = if self.was_there { world.began_us() } else { sale.order.at_us };
        let until_us = from_us + micros(dice.exponential(stays_us) / 1e6);
        let monthly = dice.gamma(ALIKE, campaign.vertical.orders_per_month * worth / ALIKE).max(1e-6);
        Habit { key, until_us, pause_us: real((30 * DAY).unsigned_abs()) / monthly }
    }

    fn buy(&self, at_us: i64, again: &Again, sale: Sale, world: &World, stage: &mut Stage) {
        let (mut dice, person) = (Dice::of(again.key), self.won_by.person);
        let subscribed = matches!(
            world.campaign(sale.order.campaign).vertical.kind,
            EventKind::Trial | EventKind::Recurring
        );
        let order = Order::drawn_up(at_us, sale.order.campaign, person, Channel::Web, world, &mut dice);
        let device = super::person::device(&mut dice);
        let here = world.people.whereabouts(&person, device, at_us, &mut dice);
        // What the first order's report said of where the customer came from goes on for subscriptions.
        let Trace { click, link, .. } = sale.order.trace;
        let order = Order {
            kind: if subscribed { EventKind::Recurring } else { order.kind },
            amount: again.amount,
            customer: sale.order.customer,
            trace: if subscribed { Trace { click, link, ..Trace::default() } } else { Trace::default() },
            here: (!subscribed).then_some(here),
            consents: sale.order.consents,
            ..order
        };
        let booked = order.booked(world, &mut dice);
        if order.tell(world, booked, stage) {
            let credit = truth::Credit {
                conversion: booked.id,
                channel: Channel::Web,
                won_by: Some(sale.credit.conversion),
                ..sale.credit
            };
            stage.reveal(at_us, booked.id.uuid(), Truth::Credit(credit));
        }
        let paid = order.pay(world, stage);
        let case = Case::opened(&order, booked.id, key_of(again.key, Part::Case), Origin::Honest, paid);
        stage.call(booked.known_at_us + 1, Actor::Case(case));
    }

    /// What a customer will have bought within a year of the first order.
    fn foretold(&self, habit: &Habit, sale: &Sale, world: &World) -> truth::Customer {
        let (order, campaign) = (&sale.order, world.campaign(sale.order.campaign));
        let left = |amount: Money, key: u64| {
            let returns = Returns::of(campaign.vertical.refunded, key_of(key, Part::Case));
            let kept = 1.0 - returns.map_or(0.0, |returns| returns.part);
            campaign.vertical.margin * real(amount.minor.unsigned_abs()) * kept
        };
        let (mut orders, mut revenue) = (1, order.amount.minor);
        let mut value = left(order.amount, self.won_by.key);
        let mut at_us = order.at_us;
        while let Some(due_us) = habit.due(orders, at_us, world, order.campaign)
            && due_us < order.at_us + YEAR
        {
            let again = habit.again(orders, world, order.campaign);
            at_us = due_us;
            orders += 1;
            revenue += again.amount.minor;
            value += left(again.amount, again.key);
        }
        let worth = sale.through.map_or(1.0, |link| world.affiliate_of(link).worth(campaign));
        let money = |minor: f64| {
            Money::new(i64::try_from(whole(minor.round())).unwrap_or(i64::MAX), campaign.currency())
        };
        truth::Customer {
            customer: customer_name(order.customer),
            person: self.won_by.person.bits(),
            campaign: campaign.id,
            affiliate: sale.through.map(|link| world.affiliate_of(link).id),
            since_us: order.at_us,
            until_us: habit.until_us,
            orders_in_a_year: orders,
            revenue_in_a_year: Money::new(revenue, campaign.currency()),
            value_in_a_year: money(value),
            expected_value: money(expected_value(campaign, worth)),
        }
    }
}

impl Play for Customer {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        let sale = self.won_by.sale(world);
        let habit = self.habit(&sale, world);
        let campaign = sale.order.campaign;
        let again = habit.again(self.orders, world, campaign);
        self.orders += 1;
        self.buy(at_us, &again, sale, world, stage);
        habit.due(self.orders, at_us, world, campaign)
    }
}

/// The value of a customer in a year that is to be expected of a campaign whose partner's customers are worth so much
/// more than ordinary ones: the first order and those that follow while the customer stays.
pub(crate) fn expected_value(campaign: &crate::world::campaign::Campaign, worth: f64) -> f64 {
    let vertical = campaign.vertical;
    let orders = 1.0 + vertical.orders_per_month * worth / 30.0 * stays(vertical, 365.0);
    let (order, kept) = order_and_kept(vertical, real(campaign.price.minor.unsigned_abs()));
    orders * order * kept * vertical.margin
}

/// Of a customer whose [`expected_value`] that is, and whose campaign sells for `price`: what they are to be expected to leave
/// the advertiser before margins within so many days.
pub(crate) fn expected_left(vertical: &Vertical, price: f64, expected_value: f64, days: f64) -> f64 {
    let (order, kept) = order_and_kept(vertical, price);
    let again = expected_value / (order * kept * vertical.margin) - 1.0;
    order * kept * (1.0 + again * stays(vertical, days) / stays(vertical, 365.0))
}

/// On how many of the first days somebody is a customer.
fn stays(vertical: &Vertical, days: f64) -> f64 {
    vertical.stays_days * (1.0 - exp(-days / vertical.stays_days))
}

/// What an order is to be expected to cost where the median is `price`, and which part of it is left after refunds.
fn order_and_kept(vertical: &Vertical, price: f64) -> (f64, f64) {
    // Four in five refunds are whole, the others half on average; a log-normal's mean is above its median.
    (price * exp(0.5 * 0.5 / 2.0), 1.0 - vertical.refunded * (0.8 + 0.2 * 0.5))
}
