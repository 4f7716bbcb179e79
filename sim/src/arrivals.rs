//! Who and what begins in a minute: visitors, orders that nobody led to, impressions, patterns, and changes of rates.

use domain::{
    Rate,
    event::{Event, RateChange},
};

use crate::{
    dice::{Dice, Lots, Part, mixed},
    patterns::{self, Cast, Hours, Nature, Way as Coming},
    rhythm::{DAY, MINUTE},
    visit::{
        actor::Actor,
        journey::Journey,
        person, sale,
        told::{Stage, Way, known_at},
    },
    world::World,
};

/// How many orders nobody leads to, for each that visits lead to (chosen).
pub(crate) const UNLED: f64 = 0.2;

/// How often a campaign changes its rate, and how often one of its links gets another: once in so many days.
const CAMPAIGN_RATE_LASTS: f64 = 60.0;
const LINK_RATE_LASTS: f64 = 400.0;

/// One day, and who sends how many visitors on it.
pub(crate) struct Day {
    /// Counted from the world's first.
    pub(crate) number: i64,
    affiliates: Lots,
}

impl Day {
    pub(crate) fn of(world: &World, number: i64) -> Self {
        let begins_us = world.settings.start_us + number * DAY;
        let weights = world.affiliates.iter().zip(0_u64..).map(|(affiliate, place)| {
            let there = affiliate.joined_at_us <= begins_us;
            if there { affiliate.traffic_on(world.settings.seed, place, number.cast_unsigned()) } else { 0.0 }
        });
        Self { number, affiliates: Lots::new(weights) }
    }
}

/// The visitors of a minute: those who come through a link, those who come by themselves, and those who only look.
pub(crate) fn visitors(world: &World, day: &Day, from_us: i64, stage: &mut Stage) {
    let minute = minute_number(from_us);
    // As many as at the busiest hour, of whom each campaign's region lets through as many as are awake there.
    let peak = world.peak();
    let mut dice = world.settings.seed.dice(Part::Arrivals, minute);
    for _ in 0..dice.poisson(world.pace.journeys * peak) {
        let at_us = from_us + dice.span(0, MINUTE);
        let link = world.link_by(day.affiliates.draw(&mut dice), &mut dice);
        let campaign = world.link(link).campaign;
        if world.comes(campaign, at_us, &mut dice) {
            let person = world.visitor(campaign, at_us, &mut dice);
            stage.call(at_us, Actor::Journey(Journey::honest(at_us, person, link, dice.bits())));
        }
    }
    for _ in 0..dice.poisson(world.pace.orders * UNLED * peak) {
        let at_us = from_us + dice.span(0, MINUTE);
        let campaign = u32::try_from(dice.index(world.campaigns.len())).unwrap_or(0);
        if world.comes(campaign, at_us, &mut dice) {
            let person = world.visitor(campaign, at_us, &mut dice);
            stage.call(at_us, Actor::Journey(Journey::organic(at_us, person, campaign, dice.bits())));
        }
    }
    if from_us < stage.begin_us {
        // Who only looks leaves nothing behind for the time that is told of.
        return;
    }
    let mut dice = world.settings.seed.dice(Part::Views, minute);
    for _ in 0..dice.poisson(world.settings.impressions_per_click * world.pace.clicks * peak) {
        let at_us = from_us + dice.span(0, MINUTE);
        let link = world.link_by(day.affiliates.draw(&mut dice), &mut dice);
        let campaign = world.link(link).campaign;
        if world.comes(campaign, at_us, &mut dice) && !stage.till.is_closed(campaign, at_us) {
            view(world, at_us, link, &mut dice, stage);
        }
    }
}

/// Somebody is shown an advertisement and does nothing.
fn view(world: &World, at_us: i64, link: u32, dice: &mut Dice, stage: &mut Stage) {
    let person = world.visitor(world.link(link).campaign, at_us, dice);
    let device = person::device(dice);
    let here = world.people.whereabouts(&person, device, at_us, dice);
    let session = dice.happens(0.6).then(|| dice.id(at_us));
    let event = sale::impression(world, (dice.id(at_us), at_us), link, (&here, session));
    let known_at_us = known_at(world, at_us, Way::Tracker, dice);
    stage.tell(world, event, known_at_us, dice);
}

/// The patterns that begin in a minute; each has a stream of its own, so that one's intensity moves no other.
pub(crate) fn patterns(world: &World, from_us: i64, stage: &mut Stage) {
    let (minute, level) = (minute_number(from_us), world.level(from_us));
    for (position, pattern) in patterns::all().enumerate() {
        let usual = patterns::beginnings(world, position);
        let Coming::Happens(happen) = pattern.way else { continue };
        if usual <= 0.0 {
            continue;
        }
        let level = if pattern.hours == Hours::Waking { level } else { 1.0 };
        let mut dice = Dice::of(world.settings.seed.key2(Part::Patterns, minute, position as u64));
        for _ in 0..dice.poisson(usual * level) {
            let at_us = from_us + dice.span(0, MINUTE);
            let affiliate = match pattern.nature {
                Nature::Fraud => dice.one(&world.perpetrators[position]) as usize,
                Nature::Honest => honest_affiliate(world, at_us, &mut dice),
            };
            let link = world.link_by(affiliate, &mut dice);
            let cast = Cast { world, pattern: position, group: dice.bits() >> 16, affiliate, link };
            happen(&cast, at_us, &mut dice, stage);
        }
    }
}

/// Somebody who follows no scheme and has joined.
fn honest_affiliate(world: &World, at_us: i64, dice: &mut Dice) -> usize {
    let honest = |it: &usize| {
        let affiliate = &world.affiliates[*it];
        affiliate.scheme.is_none() && affiliate.joined_at_us <= at_us
    };
    let tries: Vec<usize> = (0..64).map(|_| dice.index(world.affiliates.len())).collect();
    tries.into_iter().find(honest).unwrap_or(0)
}

/// The rates that begin to apply on a day: all of them on the first.
pub(crate) fn rates(world: &World, day: &Day, stage: &mut Stage) {
    let begins_us = world.settings.start_us + day.number * DAY;
    let dice_of = |part: u64, place: u64| {
        let key = world.settings.seed.key2(Part::Rates, day.number.cast_unsigned(), mixed(part) ^ place);
        Dice::of(key)
    };
    for (campaign, place) in world.campaigns.iter().zip(0_u64..) {
        let mut dice = dice_of(1, place);
        let changes = dice.happens(1.0 / CAMPAIGN_RATE_LASTS);
        let rate = if day.number == 0 { campaign.rate } else { moved(campaign.rate, &mut dice) };
        if changes || day.number == 0 {
            let at_us = if day.number == 0 { begins_us } else { begins_us + dice.span(0, DAY) };
            let id = dice.id(at_us);
            enter(
                RateChange { id, occurred_at_us: at_us, campaign: campaign.id, affiliate: None, rate },
                stage,
            );
        }
    }
    for (link, place) in world.links.iter().zip(0_u64..) {
        let mut dice = dice_of(2, place);
        let raised = day.number == 0 && link.rate != world.campaigns[link.campaign as usize].rate;
        if !dice.happens(1.0 / LINK_RATE_LASTS) && !raised {
            continue;
        }
        let rate = if day.number == 0 { link.rate } else { moved(link.rate, &mut dice) };
        let at_us = if day.number == 0 { begins_us } else { begins_us + dice.span(0, DAY) };
        let (campaign, affiliate) = (link.campaign_id, Some(link.affiliate_id));
        enter(RateChange { id: dice.id(at_us), occurred_at_us: at_us, campaign, affiliate, rate }, stage);
    }
}

fn enter(change: RateChange, stage: &mut Stage) {
    stage.enter(Event::RateChange(change));
}

/// A rate that is a fifth lower up to two fifths higher.
fn moved(rate: Rate, dice: &mut Dice) -> Rate {
    let percent = u32::try_from(dice.below(61)).unwrap_or(0) + 80;
    Rate { ppm: rate.ppm / 100 * percent }
}

/// Minutes have streams of their own.
fn minute_number(at_us: i64) -> u64 {
    at_us.div_euclid(MINUTE).unsigned_abs()
}
