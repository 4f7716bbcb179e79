//! How what happens is told: when we learn of it, and whether we are told twice. What would have become known before
//! the world's first midnight is told to nobody.

use std::collections::BinaryHeap;

use domain::event::{Event, Known};
use uuid::Uuid;

use super::actor::Actor;
use crate::{
    dice::{Dice, micros},
    rhythm::{DAY, HOUR},
    run::Record,
    till::Till,
    truth::{EventName, Label, Truth},
    world::World,
};

/// How we learn of what happens elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Our tracker stores it within a second.
    Tracker,
    /// The advertiser reports it within seconds.
    Report,
    /// The advertiser reports it in the next night.
    NightlyReport,
}

/// In which order a world tells what happens in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As it becomes known.
    #[default]
    AsKnown,
    /// As it happens, with what will become known of it later.
    AsHappening,
}

/// What is happening in the minute that is being made, and what will be told later.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// The world's first midnight.
    pub(crate) begin_us: i64,
    /// The minute's end.
    pub(crate) until_us: i64,
    /// The world's end.
    pub(crate) end_us: i64,
    pub(crate) telling: Telling,
    /// Told in this minute, in no order yet.
    pub(crate) now: Vec<Told>,
    /// Told after it.
    pub(crate) later: BinaryHeap<Box<Told>>,
    /// Actors who were called and wait for their first cue.
    pub(crate) called: Vec<(i64, Actor)>,
    /// What campaigns have spent.
    pub(crate) till: Till,
}

/// Something that is told at a moment.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) at_us: i64,
    /// Decides between things that are told in the same microsecond: truth first, then by id.
    pub(crate) order: (bool, u128),
    pub(crate) record: Record,
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Told {}
impl PartialOrd for Told {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Told {
    /// What is told first is the greatest, because a heap gives the greatest first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.key().cmp(&self.key())
    }
}

impl Told {
    pub(crate) fn key(&self) -> (i64, (bool, u128)) {
        (self.at_us, self.order)
    }
}

impl Stage {
    /// Whether anybody hears what becomes known at this moment.
    pub(crate) fn hears(&self, known_at_us: i64) -> bool {
        (self.begin_us..self.end_us).contains(&known_at_us)
    }

    /// Tells an event that becomes known at `known_at_us`, and now and then a second time, as deliveries «at least
    /// once» do.
    pub(crate) fn tell(&mut self, world: &World, event: Event, known_at_us: i64, dice: &mut Dice) {
        if dice.happens(world.settings.told_twice) {
            let again_us = known_at_us + micros(dice.log_normal(30.0, 1.5));
            self.put(Known { event: event.clone(), known_at_us: again_us });
        }
        self.put(Known { event, known_at_us });
    }

    /// Tells what happens in our own books: known at once, and told once.
    pub(crate) fn enter(&mut self, event: Event) {
        let known_at_us = event.occurred_at_us();
        self.put(Known { event, known_at_us });
    }

    /// Tells what really happened, at the moment when it happens.
    pub(crate) fn reveal(&mut self, at_us: i64, about: Uuid, truth: Truth) {
        let record = Record::Truth(Box::new(truth));
        self.now.push(Told { at_us, order: (false, about.as_u128()), record });
    }

    /// Tells which pattern an event belongs to.
    pub(crate) fn label(&mut self, at_us: i64, label: Label) {
        self.reveal(at_us, label.event.id, Truth::Label(label));
    }

    /// Calls an actor for `at_us`, or for now if that is past; after the world's end nobody is called.
    pub(crate) fn call(&mut self, at_us: i64, actor: Actor) {
        if at_us < self.end_us {
            self.called.push((at_us, actor));
        }
    }

    fn put(&mut self, known: Known<Event>) {
        if !self.hears(known.known_at_us) {
            return;
        }
        let at_us = match self.telling {
            Telling::AsKnown => known.known_at_us,
            Telling::AsHappening => known.event.occurred_at_us(),
        };
        let id = name(&known.event).id.as_u128();
        let told = Told { at_us, order: (true, id), record: Record::Event(known) };
        if at_us < self.until_us { self.now.push(told) } else { self.later.push(Box::new(told)) }
    }
}

/// The kind and id of an event.
pub(crate) fn name(event: &Event) -> EventName {
    let id = match event {
        Event::Click(visit) => visit.seen.id.uuid(),
        Event::Impression(visit) => visit.seen.id.uuid(),
        Event::Conversion(event) => event.id.uuid(),
        Event::Refund(event) => event.id.uuid(),
        Event::StatusChange(event) => event.id.uuid(),
        Event::Review(event) => event.id.uuid(),
        Event::RateChange(event) => event.id.uuid(),
        Event::Decision(event) => event.id.uuid(),
    };
    EventName { kind: event.kind(), id }
}

/// When we learn of something that happened elsewhere: never before it happens. The delays are log-normal and chosen.
pub(crate) fn known_at(world: &World, occurred_at_us: i64, way: Way, dice: &mut Dice) -> i64 {
    let usual = match way {
        Way::Tracker => micros(dice.log_normal(0.25, 0.6)),
        Way::Report => micros(dice.log_normal(4.0, 1.5)),
        Way::NightlyReport => {
            let night = (occurred_at_us.div_euclid(DAY) + 1) * DAY + 2 * HOUR;
            night - occurred_at_us + micros(dice.between(0.0, 600.0))
        }
    };
    let late = dice.happens(world.settings.told_late);
    let more = if late { micros(dice.log_normal(2.0 * 3_600.0, 1.2)) } else { 0 };
    occurred_at_us + usual + more
}
