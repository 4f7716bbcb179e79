//! A journey: visits one after the other, and perhaps an order at the end, which somebody may try to seize.

use domain::{ConversionId, SessionId, click::Device};
use uuid::Uuid;

use super::{
    case::Case,
    credit::{Credit, Game, SEEING},
    customer::{Customer, Won},
    handset::Handset,
    loss::Cause,
    path::{MOST, Path},
    person::{Person, Whereabouts},
    sale::{self, Order, Trace},
    script::{Ending, Pace, Referral, Script},
    told::{self, Actor, Stage, Way, known_at},
};
use crate::{
    dice::Dice,
    fraud::replayed_postback::Replay,
    patterns::{self, Nature, Seizure},
    rhythm::{HOUR, MINUTE, awake},
    truth::{self, EventName, Label, Part, Truth},
    world::World,
};

/// Somebody on their way to an order, or to nothing.
pub(crate) struct Journey {
    dice: Dice,
    person: Person,
    campaign: u32,
    path: Path,
    /// What was told of each visit so far: its id, unless it was never recorded, and when it was.
    seen: [(Option<EventName>, i64); MOST],
    visited: usize,
    session: SessionId,
    /// Where the last visit was made from.
    here: Option<Whereabouts>,
    lost: Option<Cause>,
    next: Next,
    script: Option<Box<Script>>,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Visit,
    /// Somebody pushes in before the order.
    Seized(Seizure),
    Order(Option<Taken>),
}

/// The click by which somebody pushed in.
#[derive(Clone, Copy, Debug)]
struct Taken {
    by: Seizure,
    click: EventName,
    at_us: i64,
}

impl Journey {
    /// An ordinary journey that begins with this link.
    pub(crate) fn honest(world: &World, person: Person, link: u32, key: u64) -> Self {
        let mut dice = Dice::of(key);
        let path = Path::planned(world, link, &mut dice);
        let lost = world.settings.losses.draw(&mut dice);
        Self { lost, ..Self::bare(person, world.link(link).campaign, path, dice) }
    }

    /// A journey that a pattern prescribes: one click through this link, seen by us.
    pub(crate) fn scripted(world: &World, person: Person, link: u32, script: Script, key: u64) -> Self {
        let mut bare = Self::bare(person, world.link(link).campaign, Path::single(link), Dice::of(key));
        bare.script = Some(Box::new(script));
        bare
    }

    /// The order of somebody whom nobody sent.
    pub(crate) fn organic(person: Person, campaign: u32, key: u64) -> Self {
        let journey = Self::bare(person, campaign, Path::default(), Dice::of(key));
        Self { next: Next::Order(None), ..journey }
    }

    fn bare(person: Person, campaign: u32, path: Path, dice: Dice) -> Self {
        Self {
            dice,
            person,
            campaign,
            path,
            seen: [(None, 0); MOST],
            visited: 0,
            session: SessionId::from(Uuid::nil()),
            here: None,
            lost: None,
            next: Next::Visit,
            script: None,
        }
    }

    /// The visits as a game.
    fn game(&self, world: &World) -> Game {
        let factor = self.script.as_ref().map_or(1.0, |script| script.persuades);
        game(world, self.campaign, &self.path, factor)
    }

    fn place(&mut self, world: &World, at_us: i64) -> Whereabouts {
        let mut here = world.people.whereabouts(&self.person, at_us, &mut self.dice);
        if let Some((address, handset)) = self.script.as_ref().and_then(|script| script.place) {
            here = Whereabouts { address, handset, country: self.person.country };
        }
        here
    }

    /// Makes the next visit, and says when what follows is due.
    fn visit(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        let step = self.path.steps()[self.visited];
        let here = self.place(world, at_us);
        if self.visited == 0 || self.lost == Some(Cause::Prevention) {
            self.session = self.dice.id(at_us);
        }
        self.here = Some(here);
        self.seen[self.visited] = (None, at_us);
        if self.lost != Some(Cause::Blocker) {
            let event = if step.view_only {
                let session = self.lost.is_none().then_some(self.session);
                sale::impression(world, at_us, step.link, (&here, session), &mut self.dice)
            } else {
                let referral = self.script.as_ref().map_or(Referral::Page, |script| script.referral);
                sale::click(world, at_us, step.link, (&here, self.session, referral), &mut self.dice)
            };
            let name = told::name(&event);
            self.seen[self.visited].0 = Some(name);
            let known_at_us = known_at(world, at_us, Way::Tracker, &mut self.dice);
            if stage.tell(world, event, known_at_us, &mut self.dice) {
                self.label(world, at_us, name, step.link, stage);
            }
        }
        self.visited += 1;
        match self.path.steps().get(self.visited) {
            Some(step) => Some(awake(self.person.country, at_us + step.after_us, &mut self.dice)),
            None => self.decide(at_us, world),
        }
    }

    /// Whether something is ordered, when, and whether somebody pushes in before.
    fn decide(&mut self, at_us: i64, world: &World) -> Option<i64> {
        let ending = self.script.as_ref().map_or(Ending::AsPersuaded, |script| script.ending);
        let orders = match ending {
            Ending::AsPersuaded => {
                let probability = self.game(world).probability();
                self.dice.happens(probability)
            }
            Ending::Staged | Ending::Invented | Ending::Organic => true,
            Ending::Nothing => false,
        };
        if !orders {
            return None;
        }
        let pace = self.script.as_ref().map_or(Pace::Human, |script| script.pace);
        let decides_days = world.campaign(self.campaign).vertical.decides_days;
        let mut order_us = at_us + pace.delay_us(decides_days, &mut self.dice);
        if pace == Pace::Human && at_us + 2 * HOUR < order_us {
            order_us = awake(self.person.country, order_us, &mut self.dice);
        }
        let seizure = if self.script.is_none() { patterns::seizure(world, &mut self.dice) } else { None };
        self.next = seizure.map_or(Next::Order(None), Next::Seized);
        let lead_us = seizure.map_or(0, |seizure| seizure.lead_us.min(order_us - at_us));
        Some(order_us - lead_us)
    }

    /// A click that the visitor never meant, just before an order that was coming anyway.
    fn pushed_in(&mut self, at_us: i64, by: Seizure, world: &World, stage: &mut Stage) -> Option<i64> {
        let here = self.place(world, at_us);
        let session = self.dice.id(at_us);
        self.here = Some(here);
        let event = sale::click(world, at_us, by.link, (&here, session, by.referral), &mut self.dice);
        let click = told::name(&event);
        let known_at_us = known_at(world, at_us, Way::Tracker, &mut self.dice);
        if stage.tell(world, event, known_at_us, &mut self.dice) {
            stage.label(at_us, label(world, click, by.pattern, by.link, by.group));
        }
        self.next = Next::Order(Some(Taken { by, click, at_us }));
        Some(at_us + by.lead_us)
    }

    fn order(&mut self, at_us: i64, taken: Option<Taken>, world: &World, stage: &mut Stage) {
        let trace = self.trace(at_us, taken, world);
        let order = self.drawn_up(at_us, trace, taken.is_some(), world);
        let (event, id, known_at_us) = order.event(world, &mut self.dice);
        let name = told::name(&event);
        if !stage.tell(world, event, known_at_us, &mut self.dice) {
            return;
        }
        let last = self.path.steps().last().map(|step| step.link);
        match (taken, last) {
            (Some(taken), _) => {
                stage.label(at_us, label(world, name, taken.by.pattern, taken.by.link, taken.by.group));
            }
            (None, Some(link)) => self.label(world, at_us, name, link, stage),
            (None, None) => {}
        }
        let credit = self.credit(id, taken, world);
        stage.reveal(at_us, id.uuid(), Truth::Credit(credit.clone()));
        let fraud = taken.is_some() || self.is_fraud();
        let giving_back = world.campaign(self.campaign).vertical.refunded;
        let refund =
            Case::refund(if self.is_fraud() { 2.0 * giving_back } else { giving_back }, &mut self.dice);
        stage.call(known_at_us + 1, Case::opened(world, &order, id, refund, fraud, self.dice.bits()));
        self.replay(&order, last, stage);
        let ending = self.script.as_ref().map_or(Ending::AsPersuaded, |script| script.ending);
        if matches!(ending, Ending::AsPersuaded | Ending::Organic) {
            let won = Won { order, credit, refund, through: last, person: self.person };
            Customer::won(won, self.dice.bits(), world, stage);
        }
    }

    /// What the report can say about how the customer came: the last click, if tracking has not lost it.
    fn trace(&self, at_us: i64, taken: Option<Taken>, world: &World) -> Trace {
        let window_us = world.campaign(self.campaign).window_us();
        let clicks = self.path.steps().iter().zip(&self.seen).rev();
        let mut kept = clicks.filter(|(step, (_, seen_us))| !step.view_only && at_us - seen_us <= window_us);
        let own = kept
            .next()
            .filter(|_| self.lost.is_none())
            .and_then(|(step, (name, _))| Some((step.link, (*name)?)));
        let Some((link, click)) = taken.map(|taken| (taken.by.link, taken.click)).or(own) else {
            return Trace::default();
        };
        let affiliate = world.affiliate_of(link);
        let coupons = affiliate.source == crate::world::affiliate::Source::Coupon;
        Trace {
            click: Some(click.id.into()),
            session: taken.is_none().then_some(self.session),
            link: Some(world.link(link).id),
            affiliate: Some(affiliate.id),
            coupon: if coupons { "SAVE10" } else { "" },
        }
    }

    fn drawn_up(&mut self, at_us: i64, trace: Trace, taken: bool, world: &World) -> Order {
        let campaign = world.campaign(self.campaign);
        let soon = self.here.filter(|_| {
            let last_us = self.visited.checked_sub(1).map_or(0, |last| self.seen[last].1);
            taken || at_us - last_us < 30 * MINUTE
        });
        let mut here = soon.unwrap_or_else(|| self.place(world, at_us));
        if self.lost == Some(Cause::CrossDevice) {
            here.handset = other_device(world, &self.person, here.handset);
        }
        let mailbox = self.script.as_ref().and_then(|script| script.mailbox);
        Order {
            at_us,
            campaign: self.campaign,
            kind: campaign.vertical.kind,
            amount: campaign.order(&mut self.dice),
            order_id: format!("{:012X}", self.dice.bits() >> 16),
            customer: format!("c-{:012x}", self.dice.bits() >> 16),
            trace,
            mailbox: mailbox.unwrap_or_else(|| world.people.mailbox(&self.person)),
            here: Some(here),
            country: self.person.country,
            consents: self.lost != Some(Cause::Consent),
        }
    }

    fn credit(&self, conversion: ConversionId, taken: Option<Taken>, world: &World) -> truth::Credit {
        let ending = self.script.as_ref().map_or(Ending::AsPersuaded, |script| script.ending);
        let steps = self.path.steps();
        let shares = match ending {
            Ending::AsPersuaded => self.game(world).credit(),
            _ => Credit::of_nobody(steps.len()),
        };
        let part = |((step, (visit, occurred_at_us)), ppm): ((&super::path::Step, &(_, _)), &u32)| Part {
            visit: *visit,
            affiliate: world.link(step.link).affiliate_id,
            occurred_at_us: *occurred_at_us,
            ppm: *ppm,
        };
        let mut visits: Vec<Part> = steps.iter().zip(&self.seen).zip(&shares.visits_ppm).map(part).collect();
        visits.extend(taken.map(|taken| Part {
            visit: Some(taken.click),
            affiliate: world.link(taken.by.link).affiliate_id,
            occurred_at_us: taken.at_us,
            ppm: 0,
        }));
        truth::Credit {
            conversion,
            real: ending != Ending::Invented,
            organic_ppm: shares.organic_ppm,
            visits,
            together: world.campaign(self.campaign).together,
            lost: self.lost,
            won_by: None,
        }
    }

    /// Has the report told again as if it were another order's, where the script says so.
    fn replay(&mut self, order: &Order, link: Option<u32>, stage: &mut Stage) {
        let (Some(script), Some(link)) = (&self.script, link) else { return };
        for number in 0..script.replays {
            let replay = Replay::of(order, (script.pattern, link, script.group), number, self.dice.bits());
            stage.call(order.at_us + replay.after_us(), replay);
        }
    }

    fn is_fraud(&self) -> bool {
        self.script.as_ref().is_some_and(|script| {
            script.replays == 0 && patterns::get(script.pattern).nature() == Nature::Fraud
        })
    }

    fn label(&self, world: &World, at_us: i64, event: EventName, link: u32, stage: &mut Stage) {
        // The order whose report is replayed later is an honest one.
        if let Some(script) = self.script.as_ref().filter(|script| script.replays == 0) {
            stage.label(at_us, label(world, event, script.pattern, link, script.group));
        }
    }
}

impl Actor for Journey {
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64> {
        match self.next {
            Next::Visit => self.visit(at_us, world, stage),
            Next::Seized(by) => self.pushed_in(at_us, by, world, stage),
            Next::Order(taken) => {
                self.order(at_us, taken, world, stage);
                None
            }
        }
    }
}

/// What the visits of a path do together, each by `factor` as much as usual.
pub(crate) fn game(world: &World, campaign: u32, path: &Path, factor: f64) -> Game {
    let campaign = world.campaign(campaign);
    let visits = path.steps().iter().map(|step| {
        let seeing = if step.view_only { SEEING } else { 1.0 };
        (world.link(step.link).effect * seeing * factor, world.affiliate_of(step.link).source)
    });
    Game { together: campaign.together, organic: campaign.vertical.organic, visits: visits.collect() }
}

/// That an event belongs to a pattern.
pub(crate) fn label(world: &World, event: EventName, pattern: usize, link: u32, group: u64) -> Label {
    let (name, nature) = (patterns::get(pattern).name(), patterns::get(pattern).nature());
    let affiliate = world.link(link).affiliate_id;
    Label { event, kind: event.kind, pattern: name, nature, affiliate, group }
}

/// Who clicked on a telephone buys at a computer, and the other way round.
fn other_device(world: &World, person: &Person, held: Handset) -> Handset {
    let kind = if held.kind == Device::Mobile { Device::Desktop } else { Device::Mobile };
    world.people.handset(person, kind)
}
