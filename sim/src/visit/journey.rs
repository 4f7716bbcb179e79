//! A journey: visits one after the other, and perhaps an order at the end, which somebody may try to seize. What waits
//! is only what the journey follows from; what it is going to be is its [`Course`].

use domain::{ConversionId, SessionId, click::Device, event::Kind};
use uuid::Uuid;

use super::{
    actor::{Actor, Play},
    case::{Case, Origin},
    course::{Course, End, Part, key_of},
    credit::Credit,
    customer::Customer,
    loss::Cause,
    order::{Booked, Channel, Order, Trace},
    path::Touch,
    person::{Person, Whereabouts},
    sale,
    script::{Ending, Referral, Script},
    told::{Stage, Way, known_at},
};
use crate::{
    dice::Dice,
    fraud::replayed_postback::Replay,
    patterns::{self, Nature},
    rhythm::MINUTE,
    truth::{self, EventName, Label, Truth},
    world::World,
};

/// Somebody on their way to an order, or to nothing.
#[derive(Clone, Debug)]
pub(crate) struct Journey {
    pub(super) key: u64,
    /// When the first visit is, or the order of somebody whom nobody sent.
    pub(super) begun_us: i64,
    pub(super) person: Person,
    pub(super) script: Option<Box<Script>>,
    start: Start,
    next: Next,
}

/// What a journey begins with: a position among the links, or among the campaigns where nobody sent the customer.
#[derive(Clone, Copy, Debug)]
enum Start {
    Link(u32),
    Campaign(u32),
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Visit(u8),
    /// Somebody pushes in before the order.
    PushIn,
    Order,
    /// An order before which somebody has pushed in.
    SeizedOrder,
}

/// What is ordered at the end of a journey, and what is true about it.
pub(super) struct Sale {
    pub(super) order: Order,
    pub(super) booked: Booked,
    pub(super) credit: truth::Credit,
    /// The last visit's link.
    pub(super) through: Option<u32>,
}

/// A click that pushes in, and its stream.
struct Pushed {
    click: EventName,
    known_at_us: i64,
    session: SessionId,
    here: Whereabouts,
    dice: Dice,
}

impl Journey {
    /// An ordinary journey that begins with this link.
    pub(crate) fn honest(at_us: i64, person: Person, link: u32, key: u64) -> Self {
        Self { key, begun_us: at_us, person, script: None, start: Start::Link(link), next: Next::Visit(0) }
    }

    /// A journey that a pattern prescribes: one click through this link, seen by us.
    pub(crate) fn scripted(at_us: i64, person: Person, link: u32, script: Script, key: u64) -> Self {
        Self { script: Some(Box::new(script)), ..Self::honest(at_us, person, link, key) }
    }

    /// The order of somebody whom nobody sent.
    pub(crate) fn organic(at_us: i64, person: Person, campaign: u32, key: u64) -> Self {
        let journey = Self::honest(at_us, person, 0, key);
        Self { start: Start::Campaign(campaign), next: Next::Order, ..journey }
    }

    /// The same journey, of which it is known already that it ends in an order that nobody seizes.
    pub(crate) fn that_orders(self) -> Self {
        Self { next: Next::Order, ..self }
    }

    /// The link that it begins with.
    pub(super) fn link(&self) -> Option<u32> {
        match self.start {
            Start::Link(link) => Some(link),
            Start::Campaign(_) => None,
        }
    }

    pub(crate) fn campaign(&self, world: &World) -> u32 {
        match self.start {
            Start::Link(link) => world.link(link).campaign,
            Start::Campaign(campaign) => campaign,
        }
    }

    /// Whether an affiliate sent somebody without any pattern.
    pub(super) fn is_honest(&self) -> bool {
        self.script.is_none() && self.link().is_some()
    }

    pub(super) fn ending(&self) -> Ending {
        self.script.as_ref().map_or(Ending::AsPersuaded, |script| script.ending)
    }

    /// Where a visit is made from, or (one beyond the last visit) an order.
    fn place(
        &self,
        course: &Course,
        number: usize,
        at_us: i64,
        world: &World,
        dice: &mut Dice,
    ) -> Whereabouts {
        if let Some((address, handset)) = self.script.as_ref().and_then(|script| script.place) {
            return Whereabouts { address, handset, country: self.person.country() };
        }
        world.people.whereabouts(&self.person, course.device(number), at_us, dice)
    }

    /// What somebody has in their hands at a visit, or (one beyond the last visit) at an order.
    fn held(&self, course: &Course, number: usize) -> Device {
        let prescribed = self.script.as_ref().and_then(|script| script.place);
        prescribed.map_or_else(|| course.device(number), |(_, handset)| handset.kind)
    }

    /// Makes a visit, and says when what follows is due.
    fn visit(&mut self, number: usize, course: &Course, world: &World, stage: &mut Stage) -> Option<i64> {
        let (step, at_us) = (course.path.steps()[number], course.at_us(number));
        if stage.till.is_closed(self.campaign(world), at_us) {
            // The link leads nowhere: there is no click, and the visitor gives up.
            return None;
        }
        if course.is_seen(number) {
            self.tell_visit(number, course, step.link, world, stage);
        }
        let following = number + 1;
        if following < course.path.steps().len() {
            self.next = Next::Visit(u8::try_from(following).unwrap_or(u8::MAX));
            return Some(course.at_us(following));
        }
        let End { orders, order_us, seizure } = course.end(self, world);
        self.next = if seizure.is_some() { Next::PushIn } else { Next::Order };
        orders.then(|| order_us - seizure.map_or(0, |seizure| seizure.lead_us))
    }

    fn tell_visit(&self, number: usize, course: &Course, link: u32, world: &World, stage: &mut Stage) {
        let (touch, at_us) = (course.path.steps()[number].touch, course.at_us(number));
        let (id, mut dice) = course.visit(number);
        let known_at_us = known_at(world, at_us, Way::Tracker, &mut dice);
        if !stage.hears(known_at_us) {
            return;
        }
        let here = self.place(course, number, at_us, world, &mut dice);
        let event = if touch == Touch::Impression {
            let session = course.lost.is_none().then(|| course.session(number));
            sale::impression(world, (id, at_us), link, (&here, session))
        } else {
            let referral = self.script.as_ref().map_or(Referral::Page, |script| script.referral);
            sale::click(world, (id, at_us), link, &self.person, (&here, course.session(number), referral))
        };
        let name = EventName { kind: event.kind(), id };
        stage.tell(world, event, known_at_us, &mut dice);
        self.label(world, at_us, name, link, stage);
    }

    /// A click that the visitor never meant, just before an order that was coming anyway.
    fn pushed_in(&mut self, course: &Course, world: &World, stage: &mut Stage) -> Option<i64> {
        let End { order_us, seizure, .. } = course.end(self, world);
        let by = seizure?;
        let at_us = order_us - by.lead_us;
        self.next = Next::Order;
        if !stage.till.is_closed(self.campaign(world), at_us) {
            self.next = Next::SeizedOrder;
            let Pushed { click, known_at_us, session, here, mut dice } = self.pushed(course, at_us, world);
            if stage.hears(known_at_us) {
                let of = (&here, session, by.referral);
                let event = sale::click(world, (click.id, at_us), by.link, &self.person, of);
                stage.tell(world, event, known_at_us, &mut dice);
                stage.label(at_us, label(world, click, by.pattern, by.link, by.group));
            }
        }
        Some(order_us)
    }

    /// The click that pushes in at this moment.
    fn pushed(&self, course: &Course, at_us: i64, world: &World) -> Pushed {
        let mut dice = Dice::of(key_of(self.key, Part::PushedIn));
        let id: Uuid = dice.id(at_us);
        let known_at_us = known_at(world, at_us, Way::Tracker, &mut dice);
        let session = dice.id(at_us);
        let here = self.place(course, course.path.steps().len(), at_us, world, &mut dice);
        Pushed { click: EventName { kind: Kind::Click, id }, known_at_us, session, here, dice }
    }

    fn order(&mut self, course: &Course, world: &World, stage: &mut Stage) {
        let (end, seized) = (course.end(self, world), self.next == Next::SeizedOrder);
        let Sale { order, booked, credit, through } = self.sold(course, &end, world);
        let by = end.seizure.filter(|_| seized);
        let origin = match (&self.script, by) {
            (Some(script), _) if self.is_fraud(script) => Origin::Staged,
            (_, Some(_)) => Origin::Seized,
            _ => Origin::Honest,
        };
        let name = EventName { kind: Kind::Conversion, id: booked.id.uuid() };
        if order.tell(world, booked, stage) {
            match (by, through) {
                (Some(by), _) => stage.label(order.at_us, label(world, name, by.pattern, by.link, by.group)),
                (None, Some(link)) => self.label(world, order.at_us, name, link, stage),
                (None, None) => {}
            }
            stage.reveal(order.at_us, name.id, Truth::Credit(credit.clone()));
        }
        let paid = order.pay(world, stage);
        let mut case = Case::opened(&order, booked.id, key_of(self.key, Part::Case), origin, paid);
        let pattern = by.map(|by| by.pattern).or(self.script.as_ref().map(|script| script.pattern));
        if let Some(pattern) = pattern {
            case = case.of_pattern(pattern, world);
        }
        stage.call(booked.known_at_us + 1, Actor::Case(case));
        self.replay(&order, through, stage);
        if matches!(self.ending(), Ending::AsPersuaded | Ending::Organic) {
            Customer::won(self.clone(), &Sale { order, booked, credit, through }, world, stage);
        }
    }

    /// What is ordered at the end of this journey.
    pub(super) fn sale(&self, world: &World) -> Sale {
        let course = Course::of(self, world);
        let end = course.end(self, world);
        self.sold(&course, &end, world)
    }

    fn sold(&self, course: &Course, end: &End, world: &World) -> Sale {
        let mut dice = Dice::of(key_of(self.key, Part::Order));
        let taken = end.seizure.filter(|_| self.next == Next::SeizedOrder).map(|by| {
            let at_us = end.order_us - by.lead_us;
            let Pushed { click, here, .. } = self.pushed(course, at_us, world);
            (here, (by.link, click, at_us))
        });
        let (pushed_from, taken) = taken.unzip();
        let channel = Channel::drawn(self.ending(), taken.is_some(), &mut dice);
        // Who pushes in does so where the order is just about to be made.
        let here = pushed_from.or_else(|| {
            (channel == Channel::Web).then(|| self.checkout(course, end.order_us, world, &mut dice))
        });
        let order = Order {
            trace: self.trace(
                course,
                end.order_us,
                taken.map(|(link, click, _)| (link, click)),
                channel,
                world,
                &mut dice,
            ),
            here,
            ..Order::drawn_up(end.order_us, self.campaign(world), self.person, channel, world, &mut dice)
        };
        let mailbox = self.script.as_ref().and_then(|script| script.mailbox);
        let order = Order {
            mailbox: mailbox.unwrap_or(order.mailbox),
            consents: course.lost != Some(Cause::Consent),
            ..order
        };
        let booked = order.booked(world, &mut dice);
        let credit = self.credit(booked.id, course, taken, channel, world);
        let through = course.last().map(|last| course.path.steps()[last].link);
        Sale { order, booked, credit, through }
    }

    /// Where an order on the web is made: where the last visit was, if that was just now on the same machine.
    fn checkout(&self, course: &Course, order_us: i64, world: &World, dice: &mut Dice) -> Whereabouts {
        let visits = course.path.steps().len();
        if let Some(last) = course.last().filter(|last| course.same_device(*last, visits))
            && order_us - course.at_us(last) < 30 * MINUTE
            && course.is_seen(last)
        {
            let (_, mut dice) = course.visit(last);
            // The visit's own draws before its place.
            known_at(world, course.at_us(last), Way::Tracker, &mut dice);
            return self.place(course, last, course.at_us(last), world, &mut dice);
        }
        self.place(course, visits, order_us, world, dice)
    }

    /// What the report can say about how the customer came: the last click on the machine that the order is made on, if
    /// tracking has not lost it, and the coupon of whoever was heard last.
    fn trace(
        &self,
        course: &Course,
        order_us: i64,
        taken: Option<(u32, EventName)>,
        channel: Channel,
        world: &World,
        dice: &mut Dice,
    ) -> Trace {
        let (window_us, visits) =
            (world.campaign(self.campaign(world)).window_us(), course.path.steps().len());
        let mut clicks = (0..visits).rev().filter(|&number| {
            let touch = course.path.steps()[number].touch;
            touch == Touch::Click
                && order_us - course.at_us(number) <= window_us
                && course.same_device(number, visits)
        });
        let own = clicks.next().filter(|_| course.lost.is_none() && channel == Channel::Web);
        let own = own.map(|number| {
            (course.path.steps()[number].link, course.visit(number).0, Some(course.session(number)))
        });
        let clicked = taken.map(|(link, click)| (link, click.id, None)).or(own);
        let remembers = dice.happens(REMEMBERS_COUPON);
        let last = course.last().map(|last| course.path.steps()[last].link);
        let given = |link: &u32| !world.link(*link).coupon.is_empty();
        match clicked {
            Some((link, click, session)) => {
                let coupon = Some(link).filter(|link| given(link) && (remembers || Some(*link) == last));
                Trace { click: Some(click.into()), session, link: Some(link), coupon }
            }
            None => {
                // A coupon names its partner also where no click does.
                let coupon = last.filter(given).filter(|_| remembers);
                Trace { link: coupon, coupon, ..Trace::default() }
            }
        }
    }

    fn credit(
        &self,
        conversion: ConversionId,
        course: &Course,
        taken: Option<(u32, EventName, i64)>,
        channel: Channel,
        world: &World,
    ) -> truth::Credit {
        let steps = course.path.steps();
        let shares = match self.ending() {
            Ending::AsPersuaded => course.game(self, world).credit(),
            _ => Credit::of_nobody(steps.len()),
        };
        let part = |(number, ppm): (usize, &u32)| {
            let kind = if steps[number].touch == Touch::Click { Kind::Click } else { Kind::Impression };
            truth::Part {
                visit: course.is_seen(number).then(|| EventName { kind, id: course.visit(number).0 }),
                touch: steps[number].touch,
                device: self.held(course, number),
                affiliate: world.link(steps[number].link).affiliate_id,
                occurred_at_us: course.at_us(number),
                ppm: *ppm,
            }
        };
        let mut visits: Vec<truth::Part> = shares.visits_ppm.iter().enumerate().map(part).collect();
        visits.extend(taken.map(|(link, click, occurred_at_us)| truth::Part {
            visit: Some(click),
            touch: Touch::Click,
            device: self.held(course, steps.len()),
            affiliate: world.link(link).affiliate_id,
            occurred_at_us,
            ppm: 0,
        }));
        truth::Credit {
            conversion,
            real: self.ending() != Ending::Invented,
            person: self.person.bits(),
            channel,
            organic_ppm: shares.organic_ppm,
            visits,
            together: world.campaign(self.campaign(world)).together,
            lost: course.lost,
            won_by: None,
        }
    }

    /// Has the report told again as if it were another order's, where the script says so.
    fn replay(&self, order: &Order, link: Option<u32>, stage: &mut Stage) {
        let (Some(script), Some(link)) = (&self.script, link) else { return };
        let mut dice = Dice::of(key_of(self.key, Part::Replay));
        for number in 0..script.replays {
            let replay = Replay::of(order, (script.pattern, link, script.group), number, dice.bits());
            stage.call(order.at_us + replay.after_us(), Actor::Replay(Box::new(replay)));
        }
    }

    fn is_fraud(&self, script: &Script) -> bool {
        script.replays == 0 && patterns::get(script.pattern).nature == Nature::Fraud
    }

    fn label(&self, world: &World, at_us: i64, event: EventName, link: u32, stage: &mut Stage) {
        // The order whose report is replayed later is an honest one.
        if let Some(script) = self.script.as_ref().filter(|script| script.replays == 0) {
            stage.label(at_us, label(world, event, script.pattern, link, script.group));
        }
    }
}

/// How many who were given a coupon type it in though no click brings it along (chosen).
const REMEMBERS_COUPON: f64 = 0.5;

impl Play for Journey {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        let course = Course::of(self, world);
        match self.next {
            Next::Visit(number) => self.visit(usize::from(number), &course, world, stage),
            Next::PushIn => self.pushed_in(&course, world, stage),
            Next::Order | Next::SeizedOrder => {
                self.order(&course, world, stage);
                None
            }
        }
        .map(|next_us| next_us.max(at_us))
    }
}

/// That an event belongs to a pattern.
pub(crate) fn label(world: &World, event: EventName, pattern: usize, link: u32, group: u64) -> Label {
    let (name, nature) = (patterns::get(pattern).name, patterns::get(pattern).nature);
    let affiliate = world.link(link).affiliate_id;
    Label { event, kind: event.kind, pattern: name, nature, affiliate, group }
}
