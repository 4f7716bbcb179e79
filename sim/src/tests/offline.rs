//! What happens on several machines, and where there is none.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    click::{Click, Device},
    event::{Conversion, Event, Kind},
};

use super::{Passed, conversion_of, small};
use crate::{
    Channel, Settings, Touch,
    dice::size,
    test_counts::agrees,
    truth::{Credit, EventName},
    world::affiliate::Source,
};

fn click(passed: &Passed, id: domain::ClickId) -> Option<&Click> {
    let name = EventName { kind: Kind::Click, id: id.uuid() };
    let Event::Click(visit) = &passed.events.get(&name)?.event else { unreachable!() };
    Some(&visit.seen)
}

/// First orders and what was said of them.
fn first_orders(passed: &Passed) -> Vec<(&Credit, &Conversion)> {
    let first = passed.credits.iter().filter(|it| it.won_by.is_none() && it.real);
    let both = first.map(|credit| {
        let Event::Conversion(order) = &passed.events[&conversion_of(credit)].event else { unreachable!() };
        (credit, order)
    });
    both.collect()
}

fn world() -> Passed {
    Passed::of(Settings { clicks: 80_000, days: 30, ..small(1) })
}

#[test]
fn some_journeys_go_on_at_another_machine_and_the_order_names_the_last_click_on_its_own() {
    let (passed, mut moved) = (world(), 0);
    for (credit, order) in first_orders(&passed).into_iter().filter(|(credit, _)| credit.lost.is_none()) {
        let machines: BTreeSet<Device> = credit.visits.iter().map(|part| part.device).collect();
        let clicked = order.click.and_then(|id| click(&passed, id)).filter(|_| 1 < machines.len());
        if let Some(clicked) = clicked.filter(|_| credit.visits.iter().all(|part| 0 < part.ppm)) {
            assert_eq!(order.device, clicked.device, "{credit:?}");
            assert_eq!(order.session, Some(clicked.session));
            let sessions = credit.visits.iter().filter(|part| part.touch == Touch::Click);
            let sessions = sessions.filter_map(|part| Some(click(&passed, part.visit?.id.into())?.session));
            moved += usize::from(1 < sessions.collect::<BTreeSet<_>>().len());
        }
    }
    assert!(10 < moved, "{moved}");
}

#[test]
fn a_newsletters_reader_has_one_name_on_all_machines() {
    let passed = world();
    let newsletters: BTreeSet<_> =
        passed.world.affiliates.iter().filter(|it| it.source == Source::Email).map(|it| it.id).collect();
    let mut machines: BTreeMap<(_, &str), BTreeSet<Device>> = BTreeMap::new();
    for known in passed.events.values() {
        let Event::Click(visit) = &known.event else { continue };
        let named = !visit.seen.tags.uid.is_empty();
        assert!(!named || newsletters.contains(&visit.seen.affiliate));
        if named {
            let reader = (visit.seen.affiliate, visit.seen.tags.uid.as_str());
            machines.entry(reader).or_default().insert(visit.seen.device);
        }
    }
    assert!(machines.values().any(|machines| 1 < machines.len()));
}

#[test]
fn some_order_by_telephone_or_in_a_shop_and_no_click_is_named_then() {
    let passed = world();
    let orders = first_orders(&passed);
    let persuaded =
        |credit: &&Credit| credit.organic_ppm < 1_000_000 && credit.visits.iter().all(|it| 0 < it.ppm);
    let honest: Vec<_> = orders.iter().filter(|(credit, _)| persuaded(credit)).collect();
    let by = |channel| honest.iter().filter(|(credit, _)| credit.channel == channel).count() as u64;
    agrees(by(Channel::Phone), honest.len() as u64, 0.04);
    agrees(by(Channel::Shop), honest.len() as u64, 0.03);
    for (credit, order) in &orders {
        if credit.channel != Channel::Web {
            assert_eq!((order.click, order.session, order.device), (None, None, Device::Unknown));
            assert_eq!((order.address_hash, order.device_id.as_str()), (None, ""));
            let known_at_us = passed.events[&conversion_of(credit)].known_at_us;
            assert!(order.occurred_at_us / crate::rhythm::DAY < known_at_us / crate::rhythm::DAY);
        }
        assert!(credit.channel != Channel::Shop || order.email_hash.is_none());
    }
}

#[test]
fn what_is_heard_offline_leaves_nothing_but_credit_and_a_coupon() {
    let passed = world();
    let orders = first_orders(&passed);
    let heard = |credit: &Credit| credit.visits.iter().any(|part| part.touch == Touch::Offline);
    let heard: Vec<_> = orders.iter().filter(|(credit, _)| heard(credit)).collect();
    assert!(20 < heard.len());
    for part in heard.iter().flat_map(|(credit, _)| &credit.visits) {
        assert!(part.touch != Touch::Offline || part.visit.is_none());
    }
    let coupons: BTreeMap<&str, _> =
        passed.world.links.iter().map(|it| (it.coupon.as_str(), it.affiliate_id)).collect();
    let by_coupon: Vec<_> =
        orders.iter().filter(|(_, order)| order.click.is_none() && !order.coupon.is_empty()).collect();
    assert!(size(orders.len()) / 100.0 < size(by_coupon.len()), "{} of {}", by_coupon.len(), orders.len());
    assert!(by_coupon.iter().all(|(_, order)| order.affiliate == Some(coupons[order.coupon.as_str()])));
}
