//! Every pattern happens, as often as it was asked for, and under its label.

use std::collections::BTreeMap;

use domain::event::{Event, Kind, Verdict};

use super::{Passed, small};
use crate::{
    Nature, Settings, Unit, descriptions,
    dice::{real, size},
    patterns,
    visit::address::Class,
};

/// A world in which every pattern happens often enough to be counted.
fn busy(seed: u64) -> Settings {
    Settings { clicks: 100_000, days: 30, ..small(seed) }
}

#[test]
fn every_pattern_is_there_as_often_as_it_was_planted() {
    let settings = busy(1).with("conversion_spike", 0.4).with("lead_fraud", 0.3).with("viral_day", 0.04);
    let passed = Passed::of(settings);
    for (position, pattern) in descriptions().iter().enumerate() {
        let groups = {
            let mut groups: BTreeMap<u64, u64> = BTreeMap::new();
            let kind = if pattern.unit == Unit::Clicks { Kind::Click } else { Kind::Conversion };
            for label in passed.labels.values().filter(|it| it.pattern == pattern.name && it.kind == kind) {
                *groups.entry(label.group).or_default() += 1;
            }
            groups
        };
        let count: u64 = groups.values().sum();
        assert!(0 < count, "{} never happens", pattern.name);
        if pattern.unit == Unit::Seized {
            continue;
        }
        // A compound Poisson sum: its variance is the number of occurrences times the mean square of their sizes. What
        // begins before the end and would be known after it is missing.
        let expected = patterns::beginnings(&passed.world, position)
            * 30.0
            * 1_440.0
            * patterns::get(position).per_occurrence;
        let squares: u64 = groups.values().map(|size| size * size).sum();
        let deviation = real(squares).sqrt();
        let off = real(count) - expected;
        assert!(
            off < 5.0 * deviation && -off < 5.0 * deviation + 0.02 * expected,
            "{}: {count}, and {expected} were expected, ± {deviation}",
            pattern.name
        );
    }
}

#[test]
fn orders_are_seized_as_often_as_it_was_planted() {
    let settings = busy(2).with("click_injection", 0.2).with("brand_bidding", 0.1);
    let passed = Passed::of(settings);
    // An order that was seized has one visit more than its journey, without credit, by a perpetrator.
    let labels: BTreeMap<_, _> = passed.labels.values().map(|label| (label.event.id, label)).collect();
    let first = |it: &&crate::truth::Credit| it.won_by.is_none() && !it.visits.is_empty();
    let ordinary: Vec<_> = passed.credits.iter().filter(first).collect();
    let pattern_of =
        |credit: &&crate::truth::Credit| labels.get(&credit.conversion.uuid()).map(|it| it.pattern);
    let seized =
        |name: &str| ordinary.iter().filter(|credit| pattern_of(credit) == Some(name)).count() as u64;
    let unlabelled = ordinary.iter().filter(|credit| pattern_of(credit).is_none()).count() as u64;
    let (injected, bid) = (seized("click_injection"), seized("brand_bidding"));
    // Replays begin with an honest, unlabelled order that cannot be seized: few, and not counted here.
    let replayed =
        ordinary.iter().filter(|it| it.organic_ppm == 1_000_000 && pattern_of(it).is_none()).count() as u64;
    let all = unlabelled + injected + bid - replayed;
    crate::test_counts::agrees(injected, all, 0.2);
    crate::test_counts::agrees(bid, all, 0.1);
}

#[test]
fn what_reviewers_do_not_know_they_take_for_honest() {
    let settings = busy(4).with("self_referral", 0.1).with("lead_fraud", 0.1);
    let unknown = Settings { unknown: ["self_referral".to_owned()].into(), ..settings.clone() };
    let of = |settings: Settings, scheme: &str| {
        let passed = Passed::of(settings);
        let labels: BTreeMap<_, _> = passed.labels.values().map(|it| (it.event.id, it.pattern)).collect();
        let verdicts = passed.events.values().filter_map(|known| match &known.event {
            Event::Review(it) if labels.get(&it.conversion.uuid()) == Some(&scheme) => Some(it.verdict),
            _ => None,
        });
        let verdicts: Vec<_> = verdicts.collect();
        (verdicts.len() as u64, verdicts.iter().filter(|it| **it == Verdict::Fraud).count() as u64)
    };
    let (looked_at, found) = of(settings.clone(), "self_referral");
    crate::test_counts::agrees(found, looked_at, 0.92);
    let (now, seen) = of(unknown.clone(), "self_referral");
    assert!(now * 5 < looked_at && seen * 5 <= now, "{seen} of {now}, of {found} of {looked_at} before");
    assert_eq!(of(settings, "lead_fraud"), of(unknown, "lead_fraud"));
}

#[test]
fn a_scheme_that_is_turned_off_does_not_happen() {
    let passed = Passed::of(small(3).without_fraud());
    assert!(passed.labels.values().all(|label| label.nature == Nature::Honest));
    assert!(passed.world.affiliates.iter().all(|affiliate| affiliate.scheme.is_none()));
    assert!(passed.labels.values().any(|label| label.pattern == "office"));
}

#[test]
fn perpetrators_are_behind_every_fraud_and_behind_no_crowd() {
    let passed = Passed::of(small(4));
    let scheme_of: BTreeMap<_, _> = passed
        .world
        .affiliates
        .iter()
        .map(|it| (it.id, it.scheme.map(|scheme| patterns::get(scheme).name)))
        .collect();
    for label in passed.labels.values() {
        let scheme = scheme_of[&label.affiliate];
        match label.nature {
            Nature::Fraud => assert_eq!(scheme, Some(label.pattern), "{label:?}"),
            Nature::Honest => assert_eq!(scheme, None, "{label:?}"),
        }
    }
}

#[test]
fn perpetrators_have_honest_visitors_too() {
    let passed = Passed::of(busy(5));
    let perpetrators: Vec<_> =
        passed.world.affiliates.iter().filter(|it| it.scheme.is_some()).map(|it| it.id).collect();
    let honest = passed.events.iter().filter(|(name, known)| {
        matches!(&known.event, Event::Click(visit) if perpetrators.contains(&visit.seen.affiliate))
            && !passed.labels.contains_key(name)
    });
    assert!(100 < honest.count());
}

/// How many clicks came from each address in one hour, by the label of the busiest.
fn busiest_addresses(passed: &Passed) -> BTreeMap<&'static str, u64> {
    let mut by_address: BTreeMap<([u8; 16], i64), (u64, &'static str)> = BTreeMap::new();
    for (name, known) in &passed.events {
        if let Event::Click(visit) = &known.event {
            let hour = visit.seen.occurred_at_us / crate::rhythm::HOUR;
            let pattern = passed.labels.get(name).map_or("none", |label| label.pattern);
            let entry = by_address.entry((visit.seen.address_hash, hour)).or_insert((0, pattern));
            entry.0 += 1;
        }
    }
    let mut busiest = BTreeMap::new();
    for (count, pattern) in by_address.into_values() {
        let most = busiest.entry(pattern).or_insert(0);
        *most = count.max(*most);
    }
    busiest
}

#[test]
fn honest_crowds_click_as_fast_from_one_address_as_farms() {
    let busiest = busiest_addresses(&Passed::of(busy(6)));
    for pattern in ["click_farm", "office", "campus", "carrier"] {
        assert!(10 <= busiest[pattern], "{pattern}: {busiest:?}");
    }
}

#[test]
fn a_ring_shares_its_account_and_nobody_else_does() {
    let passed = Passed::of(small(7));
    let mut accounts: BTreeMap<[u8; 16], Vec<Option<u64>>> = BTreeMap::new();
    for affiliate in &passed.world.affiliates {
        accounts.entry(affiliate.account_hash).or_default().push(affiliate.ring);
    }
    let shared: Vec<_> = accounts.values().filter(|owners| 1 < owners.len()).collect();
    assert!(!shared.is_empty());
    assert!(shared.iter().all(|owners| owners[0].is_some() && owners.iter().all(|it| it == &owners[0])));
}

#[test]
fn injected_clicks_come_seconds_before_an_order_and_honest_ones_seldom() {
    let passed = Passed::of(busy(8).with("click_injection", 0.2));
    let (mut quick, mut all) = (BTreeMap::new(), BTreeMap::new());
    for (name, known) in &passed.events {
        let Event::Conversion(order) = &known.event else { continue };
        let click = order.click.map(|id| crate::truth::EventName { kind: Kind::Click, id: id.uuid() });
        let Some(Event::Click(visit)) = click.and_then(|id| passed.events.get(&id)).map(|known| &known.event)
        else {
            continue;
        };
        let pattern = passed.labels.get(name).map_or("none", |label| label.pattern);
        if pattern == "click_injection" {
            // It looks like the buyer's own: on their machine, where they are, for what they buy.
            assert_eq!((visit.seen.device, visit.seen.campaign), (order.device, order.campaign));
            let known = order.address_hash.is_some();
            assert!(!known || order.address_hash == Some(visit.seen.address_hash), "{visit:?} {order:?}");
        }
        *all.entry(pattern).or_insert(0_usize) += 1;
        if order.occurred_at_us - visit.seen.occurred_at_us < 10_000_000 {
            *quick.entry(pattern).or_insert(0_usize) += 1;
        }
    }
    assert_eq!(quick["click_injection"], all["click_injection"]);
    let honest = size(quick.get("none").copied().unwrap_or(0)) / size(all["none"]);
    assert!(honest < 0.02, "{honest}");
}

#[test]
fn an_address_says_of_which_kind_it_is() {
    let class = |first: u8| match first {
        10 => Class::Home,
        100 => Class::Carrier,
        172 => Class::Office,
        192 => Class::Campus,
        198 => Class::DataCentre,
        other => panic!("no network begins with {other}"),
    };
    let passed = Passed::of(small(9));
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for known in passed.events.values() {
        if let Event::Click(visit) = &known.event
            && let std::net::IpAddr::V4(network) = visit.seen.network
        {
            *seen.entry(format!("{:?}", class(network.octets()[0]))).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}
