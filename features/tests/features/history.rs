//! A real lake on a real disk says the same at every instant as the state that is kept event by event.
//!
//! `PARITY_PROBES=1000000 cargo test -p features --release --test features history` asks as often as that.

use std::sync::Arc;

use super::world::{reference::Reference, stream::World};
use domain::event::{Event, Kind};
use features::{
    definition::{Computed, Feature},
    defs::ALL,
    entity::Entity,
    fact::Request,
    lake::Lake,
    offline::{History, PointInTime, Probe},
    online::{Bounds, State},
    set::FeatureSet,
    value::Value,
};
use tempfile::TempDir;

/// Events in the world.
const EVENTS: usize = 1_500;
/// At how many instants the definition itself is asked, which looks at every event every time.
const BY_DEFINITION: usize = 300;

/// All that was told, in batches that overlap and are merged one after the other.
pub fn lake_of(world: &World) -> (TempDir, Lake) {
    let folder = tempfile::tempdir().expect("there is room");
    let lake = Lake::at(folder.path());
    for round in 0..3 {
        let mut batch = lake.batch();
        let of_round = |place: &usize| place % 3 == round || world.below(10) == 0;
        for place in (0..world.told.len()).filter(of_round) {
            batch.push(&world.told[place]).expect("it happened in our time");
        }
        batch.finish().expect("it is written");
        lake.compact(|_| {}).expect("it is merged");
    }
    (folder, lake)
}

fn request(world: &World) -> Option<Request<'_>> {
    let event = &world.told[world.below(world.told.len())].event;
    let click = world.told.iter().find_map(|known| match (&known.event, event) {
        (Event::Click(visit), Event::Conversion(conversion)) if conversion.click == Some(visit.seen.id) => {
            Some(visit)
        }
        _ => None,
    });
    (world.below(3) != 0).then_some(Request { event, click })
}

fn probes(world: &World, many: usize) -> Vec<Probe<'_>> {
    let probe = |_| Probe { keys: world.keys(), request: request(world), at_us: world.instant() };
    (0..many).map(probe).collect()
}

/// Tells a state what was known by each instant, and asks it.
fn online(world: &World, probes: &[Probe<'_>]) -> Vec<Vec<Value>> {
    let mut state = State::new(&ALL, Bounds::default());
    let everything = FeatureSet { name: "everything".to_owned(), version: 1, features: ALL.clone() };
    let prepared = state.prepare(&everything).expect("it keeps everything");
    let mut told = world.told.iter().peekable();
    let mut in_order: Vec<usize> = (0..probes.len()).collect();
    in_order.sort_by_key(|place| probes[*place].at_us);
    let mut all = vec![Vec::new(); probes.len()];
    for place in in_order {
        let probe = &probes[place];
        while let Some(known) = told.next_if(|known| known.known_at_us <= probe.at_us) {
            state.observe(known);
        }
        state.vector(&prepared, &probe.keys, probe.request.as_ref(), probe.at_us, &mut all[place]);
    }
    all
}

fn compare(features: &[Arc<Feature>], probes: &[Probe<'_>], found: &[Vec<Value>], expected: &[Vec<Value>]) {
    for ((probe, found), expected) in probes.iter().zip(found).zip(expected) {
        for ((feature, found), expected) in features.iter().zip(found).zip(expected) {
            assert!(found.agrees_with(*expected), "{feature} at {}: {found}, not {expected}", probe.at_us);
        }
    }
}

#[test]
fn the_lake_says_the_same_as_the_state() {
    let wanted =
        std::env::var("PARITY_PROBES").map_or(100_000, |text| text.parse::<usize>().expect("a number"));
    let world = World::new(4_711, EVENTS);
    let (_folder, lake) = lake_of(&world);
    let instants = wanted.div_ceil(Entity::ALL.len());
    let probes = probes(&world, instants);
    let history = History::of(&lake).expect("it is there");
    let found = history.values(&ALL, &probes).expect("it can be read");
    compare(&ALL, &probes, &found, &online(&world, &probes));
    let some = &probes[..BY_DEFINITION];
    compare(&ALL, some, &found, &Reference::new(&world.told).values(&ALL, some).expect("it cannot fail"));
}

#[test]
fn a_feature_alone_reads_all_the_columns_that_it_needs() {
    let world = World::new(815, 250);
    let (_folder, lake) = lake_of(&world);
    let probes = probes(&world, 300);
    let history = History::of(&lake).expect("it is there");
    let together = history.values(&ALL, &probes).expect("it can be read");
    for (place, feature) in ALL.iter().enumerate() {
        if let Computed::Past(_) = feature.computed {
            let alone = history.values(std::slice::from_ref(feature), &probes).expect("it can be read");
            let expected: Vec<Vec<Value>> = together.iter().map(|vector| vec![vector[place]]).collect();
            compare(std::slice::from_ref(feature), &probes, &alone, &expected);
        }
    }
}

#[test]
fn a_lake_that_is_not_there_is_not_an_empty_one() {
    let error = History::of(&Lake::at("/nowhere/lake")).err().expect("there is none").to_string();
    let expected = "there is no event lake in /nowhere/lake: name the folder that `tributary import` or the worker writes to";
    assert_eq!(error, expected);
}

#[test]
fn every_kind_of_event_is_in_the_world() {
    let world = World::new(4_711, EVENTS);
    // Of decisions no feature is made: what we did is no evidence of what others did.
    for kind in Kind::HAPPENS {
        assert!(world.told.iter().any(|known| known.event.kind() == *kind), "{kind}");
    }
}
