//! How what happens is told: when we learn of it, and whether we are told twice.

use std::collections::BinaryHeap;

use domain::event::{Event, Known};
use uuid::Uuid;

use crate::{
    dice::{Dice, micros},
    rhythm::{DAY, HOUR},
    run::Record,
    truth::{EventName, Label, Truth},
    world::World,
};

/// Something that happens in its own time: it is woken when its time has come, tells what happens then, and says when
/// it wants to be woken again. Actors share nothing, so that none changes what another does.
pub(crate) trait Actor: Send {
    /// Does what is due at `at_us`, and says when there is more to do.
    fn wake(&mut self, at_us: i64, world: &World, stage: &mut Stage) -> Option<i64>;
}

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

/// What is happening in the minute that is being made, and what will be known later.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// The minute's end.
    pub(crate) until_us: i64,
    /// The world's end.
    pub(crate) end_us: i64,
    /// Told in this minute, in no order yet.
    pub(crate) now: Vec<Told>,
    /// Told after it.
    pub(crate) later: BinaryHeap<Box<Told>>,
    /// Actors who were called and wait for their first cue.
    pub(crate) called: Vec<(i64, Box<dyn Actor>)>,
}

/// Something that is told at a moment.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) at_us: i64,
    /// Decides between things that are told in the same microsecond: truth first, then by id.
    pub(crate) order: (bool, u128),
    pub(crate) record: Record,
}

impl std::fmt::Debug for dyn Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Actor")
    }
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
    /// Tells an event that becomes known at `known_at_us`, and now and then a second time, as deliveries «at least
    /// once» do. False when the world ends before anybody learns of it.
    pub(crate) fn tell(&mut self, world: &World, event: Event, known_at_us: i64, dice: &mut Dice) -> bool {
        if dice.happens(world.settings.told_twice) {
            let again_us = known_at_us + micros(dice.log_normal(30.0, 1.5));
            self.put(Known { event: event.clone(), known_at_us: again_us });
        }
        self.put(Known { event, known_at_us });
        known_at_us < self.end_us
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
    pub(crate) fn call(&mut self, at_us: i64, actor: impl Actor + 'static) {
        if at_us < self.end_us {
            self.called.push((at_us, Box::new(actor)));
        }
    }

    fn put(&mut self, known: Known<Event>) {
        let (at_us, id) = (known.known_at_us, name(&known.event).id.as_u128());
        if self.end_us <= at_us {
            return;
        }
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
