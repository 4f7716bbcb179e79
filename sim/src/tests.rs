//! What is planted is found again by counting, and what must not depend on anything does not.

mod determinism;
mod honest;
mod offline;
mod planted;
mod sinks;
mod stream;
mod warm;

use std::collections::BTreeMap;

use domain::event::{Event, Kind, Known};

use crate::{
    Record, Settings, World,
    truth::{Credit, EventName, Label, Pause, Truth},
    visit::told,
};

/// A whole world's stream, kept.
struct Passed {
    world: World,
    /// In the order in which they were told, those that were told twice twice.
    told: Vec<Known<Event>>,
    /// By id, each once.
    events: BTreeMap<EventName, Known<Event>>,
    labels: BTreeMap<EventName, Label>,
    credits: Vec<Credit>,
    customers: Vec<crate::truth::Customer>,
    pauses: Vec<Pause>,
}

impl Passed {
    fn of(settings: Settings) -> Self {
        let world = World::new(settings).expect("the test's settings are good");
        let (mut told, mut events) = (Vec::new(), BTreeMap::new());
        let (mut labels, mut credits) = (BTreeMap::new(), Vec::new());
        let (mut customers, mut pauses) = (Vec::new(), Vec::new());
        for record in world.run() {
            match record {
                Record::Event(known) => {
                    events.entry(told::name(&known.event)).or_insert_with(|| known.clone());
                    told.push(known);
                }
                Record::Truth(truth) => match *truth {
                    Truth::Label(label) => assert_eq!(labels.insert(label.event, label), None, "{label:?}"),
                    Truth::Credit(credit) => credits.push(credit),
                    Truth::Customer(customer) => customers.push(customer),
                    Truth::Pause(pause) => pauses.push(pause),
                    Truth::Affiliate(_) | Truth::Campaign(_) | Truth::Match(_) => {}
                },
            }
        }
        Self { world, told, events, labels, credits, customers, pauses }
    }

    fn count(&self, kind: Kind) -> u64 {
        self.events.keys().filter(|name| name.kind == kind).count() as u64
    }
}

/// A small world that opens on its first day, enough for every pattern to happen.
fn small(seed: u64) -> Settings {
    Settings::new(seed, 120, 10, 20_000).cold()
}

/// The name of the conversion that a credit is for.
fn conversion_of(credit: &Credit) -> EventName {
    EventName { kind: Kind::Conversion, id: credit.conversion.uuid() }
}
