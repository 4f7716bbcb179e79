//! The world as it passes, minute by minute: a stream in the order in which things become known. What waits is one
//! actor for each journey, customer and open conversion; nothing that has passed is kept. Time begins some weeks before
//! the first midnight, so that the network is in its rhythm when the first event is told.

use std::collections::VecDeque;

use domain::event::{Event, Known};

use crate::{
    arrivals::{self, Day},
    rhythm::{DAY, MINUTE},
    till::Till,
    truth::Truth,
    visit::{
        actor::{Actor, Play},
        told::{Stage, Telling, Told},
    },
    wheel::Wheel,
    world::{World, regulars::Regulars},
};

/// What the stream consists of.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all records are events, and a box for each would cost more"
)]
pub enum Record {
    /// What anybody may know.
    Event(Known<Event>),
    /// What only evaluation may know; it comes before the first event that it is about.
    Truth(Box<Truth>),
}

/// The world's stream; see [`World::run`].
pub struct Run<'a> {
    world: &'a World,
    minute_us: i64,
    day: Option<Day>,
    /// Who was a customer before time began, and has not been called yet.
    regulars: Regulars,
    waiting: Wheel,
    stage: Stage,
    catalogue: Box<dyn Iterator<Item = Truth> + 'a>,
    ready: VecDeque<Record>,
    order: Vec<(i64, (bool, u128), usize)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: &'a World, telling: Telling) -> Self {
        let (begin_us, end_us, began_us) =
            (world.settings.start_us, world.settings.end_us(), world.began_us());
        let stage = Stage {
            begin_us,
            end_us,
            telling,
            until_us: began_us,
            till: Till::new(world),
            ..Stage::default()
        };
        Self {
            world,
            minute_us: began_us,
            day: None,
            regulars: Regulars::of(world),
            waiting: Wheel::new(began_us, end_us),
            stage,
            catalogue: Box::new(world.truth()),
            ready: VecDeque::new(),
            order: Vec::new(),
        }
    }

    /// How many things wait to happen or to be told: what the memory of a run is made of.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.stage.later.len() + self.ready.len()
    }

    /// The events alone.
    pub fn events(self) -> impl Iterator<Item = Known<Event>> + use<'a> {
        self.filter_map(|record| match record {
            Record::Event(known) => Some(known),
            Record::Truth(_) => None,
        })
    }

    /// Makes the next minute, once all who were there before have come.
    fn pass(&mut self) {
        let from_us = self.minute_us;
        if self.regulars.come(self.world, from_us, &mut self.stage) {
            self.act();
            self.tell();
            return;
        }
        self.stage.until_us = from_us + MINUTE;
        let number = (from_us - self.world.settings.start_us).div_euclid(DAY);
        let day = match self.day.take() {
            Some(day) if day.number == number => day,
            _ => {
                let day = Day::of(self.world, number);
                if 0 <= number {
                    arrivals::rates(self.world, &day, &mut self.stage);
                }
                day
            }
        };
        arrivals::visitors(self.world, &day, from_us, &mut self.stage);
        arrivals::patterns(self.world, from_us, &mut self.stage);
        self.day = Some(day);
        self.act();
        for pause in self.stage.till.settle(self.world, self.stage.until_us) {
            self.stage.reveal(from_us, uuid::Uuid::nil(), pause);
        }
        self.tell();
        self.minute_us += MINUTE;
    }

    /// Lets everybody act whose cue is within the minute.
    fn act(&mut self) {
        loop {
            while let Some((at_us, actor)) = self.stage.called.pop() {
                self.play(at_us, actor);
            }
            let Some((at_us, actor)) = self.waiting.pop(self.stage.until_us) else { return };
            self.play(at_us, actor);
        }
    }

    /// Lets one actor act until their next cue is after this minute.
    fn play(&mut self, mut at_us: i64, mut actor: Actor) {
        while at_us < self.stage.until_us {
            match actor.wake(at_us, self.world, &mut self.stage) {
                Some(next_us) => at_us = next_us,
                None => return,
            }
        }
        if at_us < self.stage.end_us {
            self.waiting.push(at_us, actor);
        }
    }

    /// Puts what is told in this minute in order.
    fn tell(&mut self) {
        while self.stage.later.peek().is_some_and(|told| told.at_us < self.stage.until_us) {
            self.stage.now.extend(self.stage.later.pop().map(|told| *told));
        }
        self.order.clear();
        let keys = self.stage.now.iter().enumerate();
        self.order.extend(keys.map(|(place, told)| (told.at_us, told.order, place)));
        self.order.sort_unstable();
        let mut records: Vec<Option<Told>> = self.stage.now.drain(..).map(Some).collect();
        let told = self.order.iter().filter_map(|(_, _, place)| records[*place].take());
        self.ready.extend(told.map(|told| told.record));
    }
}

impl Iterator for Run<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if let Some(truth) = self.catalogue.next() {
            return Some(Record::Truth(Box::new(truth)));
        }
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            if self.stage.end_us <= self.minute_us {
                return None;
            }
            self.pass();
        }
    }
}
