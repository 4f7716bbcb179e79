//! The honest part of the world: rhythm, sizes, losses, credit, and what customers are worth.

use std::collections::BTreeMap;

use domain::event::{Event, Kind};

use super::{Passed, conversion_of, small};
use crate::{
    Cause, Losses, Settings, Touch,
    dice::{real, size},
    rhythm::{COUNTRIES, hour_of_week},
    test_counts::agrees,
};

/// Honest visitors alone.
fn honest(seed: u64) -> Settings {
    let settings = small(seed).without_fraud();
    crate::descriptions().iter().fold(settings, |settings, pattern| settings.with(pattern.name, 0.0))
}

#[test]
fn there_are_about_as_many_clicks_as_were_asked_for() {
    let clicks = Passed::of(Settings { days: 40, ..small(1) }).count(Kind::Click);
    assert!((18_000..=21_000).contains(&clicks), "{clicks}");
}

#[test]
fn people_click_when_they_are_awake() {
    let passed = Passed::of(Settings { days: 14, ..honest(2) });
    let mut by_hour = [0_u64; 24];
    for known in passed.events.values() {
        if let Event::Click(visit) = &known.event
            && let Some(country) = COUNTRIES.iter().find(|it| it.code == visit.seen.country)
        {
            by_hour[hour_of_week(visit.seen.occurred_at_us, country.ahead_hours) % 24] += 1;
        }
    }
    let (night, evening): (u64, u64) = (by_hour[2..5].iter().sum(), by_hour[19..22].iter().sum());
    assert!(4 * night < evening, "{by_hour:?}");
}

#[test]
fn few_affiliates_send_most_visitors() {
    let passed = Passed::of(Settings { affiliates: 400, ..honest(3) });
    let mut by_affiliate: BTreeMap<_, u64> = BTreeMap::new();
    for known in passed.events.values() {
        if let Event::Click(visit) = &known.event {
            *by_affiliate.entry(visit.seen.affiliate).or_default() += 1;
        }
    }
    let mut sizes: Vec<u64> = by_affiliate.into_values().collect();
    sizes.sort_unstable_by(|one, two| two.cmp(one));
    let (all, first): (u64, u64) = (sizes.iter().sum(), sizes[..40].iter().sum());
    assert!(all < 2 * first && sizes[40] * 20 < sizes[0] * 10, "{first} of {all}");
}

#[test]
fn tracking_loses_what_it_is_said_to_lose_by_cause() {
    let losses = Losses { blocker: 0.05, prevention: 0.12, consent: 0.08, cross_device: 0.10 };
    let passed = Passed::of(Settings { losses, clicks: 60_000, days: 20, ..honest(4) });
    let journeys: Vec<_> =
        passed.credits.iter().filter(|it| it.won_by.is_none() && !it.visits.is_empty()).collect();
    for (cause, share) in losses.by_cause() {
        let lost = journeys.iter().filter(|credit| credit.lost == Some(cause)).count();
        agrees(lost as u64, journeys.len() as u64, share);
    }
    for credit in &passed.credits {
        let Event::Conversion(conversion) = &passed.events[&conversion_of(credit)].event else {
            unreachable!()
        };
        assert!(credit.lost.is_none() || conversion.click.is_none(), "{credit:?}");
        let unseen = |part: &&crate::truth::Part| part.visit.is_none() && part.touch != Touch::Offline;
        let unseen = credit.visits.iter().filter(unseen).count();
        assert!(unseen == 0 || credit.lost == Some(Cause::Blocker), "{credit:?}");
    }
}

#[test]
fn every_conversion_has_its_credit_and_the_credit_sums_to_it() {
    let passed = Passed::of(small(5));
    assert_eq!(passed.credits.len() as u64, passed.count(Kind::Conversion));
    for credit in &passed.credits {
        let visits: u32 = credit.visits.iter().map(|part| part.ppm).sum();
        assert_eq!(credit.organic_ppm + visits, 1_000_000, "{credit:?}");
        assert!(passed.events.contains_key(&conversion_of(credit)));
    }
    let forms: std::collections::BTreeSet<_> =
        passed.credits.iter().map(|credit| format!("{:?}", credit.together)).collect();
    assert_eq!(forms.len(), 3);
}

#[test]
fn orders_come_as_often_as_the_credit_game_says() {
    let passed = Passed::of(Settings { clicks: 60_000, days: 30, losses: Losses::of(0.0), ..honest(6) });
    // Journeys that lead to orders are won by the last visit; those still under way at the end are missing.
    let led = passed.credits.iter().filter(|it| it.won_by.is_none() && !it.visits.is_empty()).count();
    let expected = passed.world.pace.orders * 30.0 * 1_440.0;
    let share = size(led) / expected;
    assert!((0.7..1.0).contains(&share), "{led} of {expected}");
}

#[test]
fn a_customers_orders_are_those_that_were_foretold() {
    let passed = Passed::of(Settings { days: 400, clicks: 8_000, told_late: 0.0, ..honest(7) });
    let mut orders: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for known in passed.events.values() {
        if let Event::Conversion(event) = &known.event {
            orders.entry(&event.customer).or_default().push((event.occurred_at_us, event.amount.minor));
        }
    }
    let year = 365 * crate::rhythm::DAY;
    let begins_us = passed.world.settings().start_us;
    let whole_year = passed.customers.iter().filter(|it| it.since_us < begins_us + 30 * crate::rhythm::DAY);
    let mut looked_at = 0;
    for customer in whole_year {
        let made = orders[customer.customer.as_str()].iter().filter(|(at_us, _)| {
            // A clock of whole seconds may move an order across the year's end, which none of these are near.
            *at_us < customer.since_us + year
        });
        let (count, revenue) = made.fold((0, 0), |sum, (_, minor)| (sum.0 + 1, sum.1 + minor));
        assert_eq!(
            (count, revenue),
            (customer.orders_in_a_year, customer.revenue_in_a_year.minor),
            "{customer:?}"
        );
        looked_at += 1;
    }
    assert!(5 < looked_at);
}

#[test]
fn customers_are_worth_what_was_to_be_expected_on_average() {
    let passed = Passed::of(Settings { clicks: 80_000, ..honest(8) });
    // Values differ by orders of magnitude among campaigns: each is compared with its own expectation.
    let ratios: Vec<f64> =
        passed.customers.iter().map(|it| ratio(it.value_in_a_year.minor, it.expected_value.minor)).collect();
    let mean = ratios.iter().sum::<f64>() / size(ratios.len());
    let variance = ratios.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / size(ratios.len());
    let error = (variance / size(ratios.len())).sqrt();
    assert!((mean - 1.0).abs() < 5.0 * error, "{mean} ± {error} of {}", ratios.len());
}

fn ratio(minor: i64, of: i64) -> f64 {
    real(minor.unsigned_abs()) / real(of.unsigned_abs())
}
