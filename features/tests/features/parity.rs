//! Every feature says the same, kept event by event, as straight from its definition.
//!
//! `PARITY_PROBES=1000000 cargo test -p features --release --test features parity` asks as often as that.

use super::world::{
    reference::Reference,
    stream::{BEGIN, World},
};
use domain::event::{Event, Visit};
use features::{
    defs::{ALL, sets::SETS},
    entity::{Entity, Keys},
    fact::Request,
    offline::{PointInTime, Probe},
    online::{Bounds, Observed, State},
    set::FeatureSet,
    value::Value,
    window::DAY,
};

/// Events in one world.
const EVENTS: usize = 1_500;
/// Instants asked about in one world, for somebody of each kind.
const INSTANTS: usize = 1_000;

fn everything() -> FeatureSet {
    FeatureSet { name: "everything".to_owned(), version: 1, features: ALL.clone() }
}

/// What is being judged at some instants.
fn request(world: &World) -> Option<Request<'_>> {
    let event = &world.told[world.below(world.told.len())].event;
    let click = world.told.iter().find_map(|known| match (&known.event, event) {
        (Event::Click(visit), Event::Conversion(conversion)) if conversion.click == Some(visit.seen.id) => {
            Some(visit)
        }
        _ => None,
    });
    (world.below(3) != 0).then_some(Request { event, click: click.map(|it: &Visit<_>| it) })
}

fn probes(world: &World, many: usize) -> Vec<Probe<'_>> {
    let probe = |_| Probe { keys: world.keys(), request: request(world), at_us: world.instant() };
    let mut probes: Vec<Probe<'_>> = (0..many).map(probe).collect();
    probes.sort_by_key(|probe| probe.at_us);
    probes
}

/// Tells a state what was known by each instant, and asks it.
fn online(world: &World, probes: &[Probe<'_>]) -> Vec<Vec<Value>> {
    let mut state = State::new(&ALL, Bounds::default());
    let everything = state.prepare(&everything()).expect("it keeps everything");
    let mut told = world.told.iter().peekable();
    let vector = |probe: &Probe<'_>| {
        while let Some(known) = told.next_if(|known| known.known_at_us <= probe.at_us) {
            state.observe(known);
        }
        let mut values = Vec::new();
        let as_of_us =
            state.vector(&everything, &probe.keys, probe.request.as_ref(), probe.at_us, &mut values);
        assert_eq!(as_of_us, probe.at_us);
        values
    };
    probes.iter().map(vector).collect()
}

#[test]
fn online_equals_the_definition_at_every_instant() {
    let wanted =
        std::env::var("PARITY_PROBES").map_or(100_000, |text| text.parse::<usize>().expect("a number"));
    let of_each_world = INSTANTS * Entity::ALL.len();
    let (mut probed, mut told_something) = (0, vec![0_u64; ALL.len()]);
    for seed in 0..wanted.div_ceil(of_each_world) {
        let world = World::new(seed as u64, EVENTS);
        let probes = probes(&world, INSTANTS);
        let found = online(&world, &probes);
        let expected = Reference::new(&world.told).values(&ALL, &probes).expect("it cannot fail");
        for ((probe, found), expected) in probes.iter().zip(&found).zip(&expected) {
            for ((feature, found), expected) in ALL.iter().zip(found).zip(expected).take(ALL.len()) {
                let days = (probe.at_us - BEGIN) / DAY;
                assert!(
                    found.agrees_with(*expected),
                    "world {seed}, day {days} ({}): {feature}: {found} online, {expected} by definition",
                    probe.at_us,
                );
            }
            for (times, value) in told_something.iter_mut().zip(found) {
                *times += u64::from(!matches!(value, Value::Null | Value::Whole(0)));
            }
        }
        probed += of_each_world;
    }
    assert!(wanted <= probed);
    let silent: Vec<&str> = ALL
        .iter()
        .zip(&told_something)
        .filter(|(_, times)| **times < 20)
        .map(|(feature, _)| &*feature.name)
        .collect();
    assert_eq!(silent, [] as [&str; 0], "these never said anything, so that nothing was compared");
}

#[test]
fn what_is_judged_before_it_is_told_counts_as_if_it_had_been_and_leaves_no_trace() {
    let world = World::new(12, EVENTS);
    let mut state = State::new(&ALL, Bounds::default());
    let everything = state.prepare(&everything()).expect("it keeps everything");
    let (mut before, mut judged, mut after) = (Vec::new(), Vec::new(), Vec::new());
    let (mut counted, mut remarkable) = (0, 0);
    for known in &world.told {
        let (keys, at_us) = (Keys::of(&known.event), known.known_at_us);
        let request = Request { event: &known.event, click: None };
        state.vector(&everything, &keys, Some(&request), at_us, &mut before);
        for _ in 0..2 {
            assert_eq!(state.vector_if_told(&everything, &keys, &request, at_us, &mut judged), at_us);
            state.vector(&everything, &keys, Some(&request), at_us, &mut after);
            assert_eq!(before, after, "the state has changed");
        }
        counted += usize::from(state.observe(known) == Observed::Counts);
        state.vector(&everything, &keys, Some(&request), at_us, &mut after);
        assert_eq!(judged, after, "{:?}", known.event);
        remarkable += usize::from(before != after);
    }
    assert!(counted < world.told.len() && counted / 2 < remarkable, "{counted} of which {remarkable}");
}

#[test]
fn vectors_of_one_request_are_those_that_it_would_get_one_by_one() {
    let world = World::new(11, EVENTS);
    let mut state = State::new(&ALL, Bounds::default());
    world.told.iter().for_each(|known| _ = state.observe(known));
    let everything = state.prepare(&everything()).expect("it keeps everything");
    let at_us = state.freshness().now_us;
    for _ in 0..50 {
        let visitor = world.keys();
        let asked: Vec<Keys> = (0..20).map(|_| offer(&world, visitor)).collect();
        let request = request(&world);
        let (mut together, mut one_by_one, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        state.vectors(&everything, &asked, request.as_ref(), at_us, &mut together);
        for keys in &asked {
            state.vector(&everything, keys, request.as_ref(), at_us, &mut alone);
            one_by_one.append(&mut alone);
        }
        assert_eq!(together, one_by_one);
    }
}

/// The visitor with some partner and offer, or with nothing known of either.
fn offer(world: &World, visitor: Keys) -> Keys {
    let other = world.keys();
    [Entity::Affiliate, Entity::Campaign, Entity::AffiliateCampaign]
        .into_iter()
        .filter(|_| world.below(4) != 0)
        .filter_map(|entity| Some((entity, other.get(entity)?)))
        .fold(visitor, |keys, (entity, key)| keys.with(entity, key))
}

#[test]
fn a_restart_changes_nothing() {
    let world = World::new(77, EVENTS);
    // What is told again lies further back than a week in so small a world.
    let bounds = Bounds { duplicates_us: 100 * DAY };
    let set = SETS.iter().find(|set| set.name == "fraud").expect("there is one");
    let mut running = State::new(&ALL, bounds);
    let stop = world.told.len() / 2;
    world.told[..stop].iter().for_each(|known| _ = running.observe(known));
    let snapshot = running.snapshot(stop as u64).expect("it can be written");
    let (mut restarted, position) = State::restore(&snapshot, &ALL, bounds).expect("it is ours");
    assert_eq!((position, restarted.freshness()), (stop as u64, running.freshness()));
    // The stream may begin anywhere before that.
    world.told[stop - 50..stop].iter().for_each(|known| _ = restarted.observe(known));
    let prepared = [running.prepare(set), restarted.prepare(set)].map(|it| it.expect("it is kept"));
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for known in &world.told[stop..] {
        assert_eq!(running.observe(known), restarted.observe(known));
        let keys = world.keys();
        let at_us = known.known_at_us;
        running.vector(&prepared[0], &keys, None, at_us, &mut one);
        restarted.vector(&prepared[1], &keys, None, at_us, &mut other);
        assert_eq!(one, other);
    }
}

#[test]
fn a_snapshot_that_cannot_be_used_says_why() {
    let state = State::new(&ALL, Bounds::default());
    let snapshot = state.snapshot(9).expect("it can be written");
    let refused = |bytes: &[u8], features| {
        State::restore(bytes, features, Bounds::default()).expect_err("it cannot be used").to_string()
    };
    assert_eq!(
        refused(b"", &ALL),
        "this is no snapshot of a feature state of version 3: replay the events instead"
    );
    assert_eq!(refused(&snapshot[..20], &ALL), "the snapshot is damaged: replay the events instead");
    let mut flipped = snapshot.clone();
    *flipped.last_mut().expect("it is not empty") ^= 1;
    assert_eq!(refused(&flipped, &ALL), "the snapshot is damaged: replay the events instead");
    let other = "the snapshot was made by other feature definitions: replay the events instead";
    assert_eq!(refused(&snapshot, &ALL[1..]), other);
}

#[test]
fn what_is_over_is_forgotten() {
    let world = World::new(5, EVENTS);
    let mut state = State::new(&ALL, Bounds::default());
    world.told[..EVENTS / 2].iter().for_each(|known| _ = state.observe(known));
    assert_ne!(state.entities(Entity::Address), 0);
    let quiet = World::new(6, 3);
    // Two years later, and each event looks at a few of those whose time is over.
    for round in 0..2_000 {
        for known in &quiet.told {
            let mut later = known.clone();
            later.known_at_us += 2_000 * DAY + round;
            state.observe(&later);
        }
    }
    let endless = [Entity::Affiliate, Entity::Campaign, Entity::AffiliateCampaign];
    for entity in Entity::ALL.iter().filter(|entity| !endless.contains(entity)) {
        assert_eq!(state.entities(*entity), 0, "{entity}");
    }
    assert!(state.remembered_ids() <= quiet.told.len());
}
