//! A network that has run before its first midnight, and campaigns that have something to spend.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    conversion::{ConversionStatus, ReversalReason},
    event::{Event, Kind},
};

use super::{Passed, conversion_of, small};
use crate::{
    Settings,
    dice::{real, size},
    rhythm::{DAY, MINUTE},
    till::MONTH,
};

/// As [`small`], with a past.
fn warm(seed: u64) -> Settings {
    Settings { warm_up_days: 45, clicks: 30_000, days: 28, ..small(seed) }
}

#[test]
fn the_first_days_are_as_busy_as_the_last() {
    let passed = Passed::of(warm(1));
    let start_us = passed.world.settings().start_us;
    let in_days = |kind: Kind, from: i64, to: i64| {
        let days = start_us + from * DAY..start_us + to * DAY;
        passed.told.iter().filter(|it| it.event.kind() == kind && days.contains(&it.known_at_us)).count()
    };
    for kind in [Kind::Click, Kind::Conversion, Kind::StatusChange, Kind::Refund] {
        let (first, last) = (in_days(kind, 0, 7), in_days(kind, 21, 28));
        let (off, all) = (size(first.abs_diff(last)), size(first + last));
        assert!(off < 5.0 * all.sqrt() + 0.1 * all, "{kind}: {first} in the first week, {last} in the last");
    }
    let cold = Passed::of(Settings { warm_up_days: 0, ..warm(1) });
    for kind in [Kind::Conversion, Kind::StatusChange, Kind::Refund] {
        assert!(5 * cold.count(kind) < 4 * passed.count(kind), "{kind}");
    }
}

#[test]
fn nothing_is_told_of_what_was_known_before_but_who_the_customers_are() {
    let passed = Passed::of(warm(2));
    let start_us = passed.world.settings().start_us;
    assert!(passed.told.iter().all(|known| start_us <= known.known_at_us));
    // Every conversion that is told of has its credit, also one that happened before the first midnight.
    assert_eq!(passed.credits.len() as u64, passed.count(Kind::Conversion));
    assert!(passed.credits.iter().all(|credit| passed.events.contains_key(&conversion_of(credit))));
    let known: BTreeSet<&str> = passed.customers.iter().map(|it| it.customer.as_str()).collect();
    let repeated = passed.credits.iter().filter(|it| it.won_by.is_some());
    let mut from_before = 0;
    for credit in repeated {
        let Event::Conversion(order) = &passed.events[&conversion_of(credit)].event else { unreachable!() };
        assert!(known.contains(order.customer.as_str()));
        let customer = passed.customers.iter().find(|it| it.customer == order.customer);
        from_before += usize::from(customer.is_some_and(|it| it.since_us < start_us));
    }
    assert!(100 < from_before, "{from_before}");
}

#[test]
fn there_are_as_many_customers_from_before_as_a_steady_network_has() {
    let passed = Passed::of(warm(3));
    let start_us = passed.world.settings().start_us;
    let open = passed.customers.iter().filter(|it| it.since_us < start_us && start_us <= it.until_us).count();
    // A network that opened four years ago has as many: the longest stay is of two years in the middle.
    let long_ago = Settings { days: 1_460, clicks: 30_000 * 1_460 / 28 / 10, warm_up_days: 0, ..small(3) };
    let old = Passed::of(long_ago);
    let end_us = old.world.settings().end_us();
    let grown = old.customers.iter().filter(|it| end_us <= it.until_us).count();
    let ratio = size(open) / (10.0 * size(grown));
    assert!((0.8..1.25).contains(&ratio), "{open} and {grown} for a tenth");
}

#[test]
fn a_campaign_that_has_spent_its_budget_is_closed_until_its_next_month() {
    let passed = Passed::of(Settings { budgets: 0.7, clicks: 60_000, ..warm(4) });
    assert!(!passed.pauses.is_empty());
    let campaigns: BTreeMap<_, _> = passed.world.campaigns.iter().map(|it| (it.id, it)).collect();
    let paused = |campaign, at_us: i64| {
        passed
            .pauses
            .iter()
            .any(|it| it.campaign == campaign && (it.from_us + MINUTE..it.until_us).contains(&at_us))
    };
    let mut unpaid = BTreeSet::new();
    let mut spent: BTreeMap<_, i64> = BTreeMap::new();
    for known in passed.events.values() {
        let (at_us, campaign) = (known.event.occurred_at_us(), known.event.campaign().unwrap());
        match &known.event {
            Event::Click(_) | Event::Impression(_) => assert!(!paused(campaign, at_us), "{known:?}"),
            Event::Conversion(order) => {
                let link = order.link.and_then(|id| passed.world.links.iter().find(|it| it.id == id));
                let Some(link) = link else { continue };
                // A clock of whole seconds moves an order by less than one.
                if paused(campaign, at_us - 1_000_000) {
                    unpaid.insert(order.id);
                } else {
                    let month = campaigns[&campaign].month(at_us);
                    *spent.entry((campaign, month)).or_default() += link.rate.of(order.amount).minor;
                }
            }
            _ => {}
        }
    }
    assert!(!unpaid.is_empty());
    for ((campaign, month), minor) in spent {
        let campaign = campaigns[&campaign];
        let budget = campaign.monthly_budget.map_or(i64::MAX, |budget| budget.minor);
        let last = 100 * campaign.price.minor;
        assert!(minor <= budget + last, "{minor} of {budget} in month {month} of {campaign:?}");
    }
    let approved = passed.events.values().filter(|known| {
        matches!(&known.event, Event::StatusChange(it) if it.to == ConversionStatus::Approved && unpaid.contains(&it.conversion))
    });
    let turned_down = passed.events.values().filter(|known| {
        matches!(&known.event, Event::StatusChange(it) if it.reason == Some(ReversalReason::Terms) && unpaid.contains(&it.conversion))
    });
    let (approved, turned_down) = (approved.count(), turned_down.count());
    assert!(10 * approved < turned_down, "{approved} and {turned_down}");
}

#[test]
fn one_campaign_in_six_has_too_little_for_its_month() {
    let passed = Passed::of(Settings { affiliates: 600, clicks: 200_000, budgets: 2.0, ..warm(5) });
    let (pauses, campaigns) = (passed.pauses.len(), passed.world.campaigns.len());
    let (share, months) =
        (size(pauses) / size(campaigns), real(73 * DAY.unsigned_abs()) / real(MONTH.unsigned_abs()));
    assert!((0.08..0.30).contains(&(share / months)), "{pauses} pauses of {campaigns} in {months} months");
}
