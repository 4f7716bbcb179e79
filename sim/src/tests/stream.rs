//! The stream keeps its order and forgets what has passed.

use std::collections::BTreeMap;

use domain::{
    conversion::ConversionStatus,
    event::{Event, Kind},
};

use super::{Passed, small};
use crate::{Settings, World, truth::Truth};

#[test]
fn what_is_told_comes_in_the_order_of_knowing_and_never_before_it_happens() {
    let passed = Passed::of(Settings { told_late: 0.1, told_twice: 0.05, ..small(1) });
    assert!(passed.told.is_sorted_by_key(|known| known.known_at_us));
    assert!(passed.told.iter().all(|known| known.event.occurred_at_us() <= known.known_at_us));
    let twice = passed.told.len() - passed.events.len();
    assert!(0 < twice, "nothing was told twice");
    let late =
        passed.told.iter().filter(|known| known.event.occurred_at_us() + 3_600_000_000 < known.known_at_us);
    assert!(passed.told.len() < 30 * late.count());
    for known in &passed.told {
        let first = &passed.events[&crate::visit::told::name(&known.event)];
        assert_eq!(first.event, known.event, "the second telling says something else");
    }
}

#[test]
fn every_kind_of_event_happens() {
    let passed = Passed::of(small(2));
    for kind in Kind::HAPPENS {
        assert!(0 < passed.count(*kind), "{kind}");
    }
}

#[test]
fn what_waits_does_not_grow_with_the_events_that_have_passed() {
    let most = |days: u32| {
        // As many a day, and no customers who stay for years.
        let settings = Settings::new(5, 60, days, 400 * u64::from(days));
        let world = World::new(settings).expect("the test's settings are good");
        let mut run = world.run();
        let (mut most, mut count) = (0, 0_u64);
        while run.next().is_some() {
            count += 1;
            most = if 120 * 400 < count { most.max(run.waiting()) } else { most };
        }
        most
    };
    let (short, long) = (most(160), most(640));
    assert!(long < 2 * short, "{short} waited in 160 days, {long} in 640");
}

#[test]
fn every_move_of_a_conversion_is_legal_and_comes_after_its_report() {
    let passed = Passed::of(Settings { days: 60, ..small(3) });
    let mut status = BTreeMap::new();
    for known in &passed.told {
        match &known.event {
            Event::Conversion(event) => {
                status.entry(event.id).or_insert(ConversionStatus::Received);
            }
            Event::StatusChange(change) => {
                let before = status[&change.conversion];
                status.insert(change.conversion, before.to(change.to).unwrap());
            }
            Event::Refund(refund) => assert!(status.contains_key(&refund.conversion)),
            _ => {}
        }
    }
    for to in ConversionStatus::ALL {
        assert!(
            status.values().any(|it| it == to) || *to == ConversionStatus::Received,
            "{to} is never reached"
        );
    }
}

#[test]
fn truth_comes_before_what_it_is_about() {
    let world = World::new(small(4)).unwrap();
    let mut told = std::collections::BTreeSet::new();
    for record in world.run() {
        match record {
            crate::Record::Event(known) => drop(told.insert(crate::visit::told::name(&known.event))),
            crate::Record::Truth(truth) => {
                if let Truth::Label(label) = *truth {
                    assert!(!told.contains(&label.event), "{label:?}");
                }
            }
        }
    }
}
