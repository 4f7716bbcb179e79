//! What a program in Python, written apart from this one, found for two synthetic sets, to 1e-9.

use std::collections::{BTreeMap, HashSet};

use domain::attribution::{
    Credit, FirstClick, Journeys, LastClick, Linear, Rule, RuleStatistics, UShaped,
    markov::{Effects, FirstOrderStatistics, HigherOrderStatistics},
    shapley::SumGameStatistics,
};
use serde::Deserialize;

use crate::{near, seen, synthetic};

type ByChannel = BTreeMap<String, f64>;

#[derive(Deserialize)]
struct Set {
    journeys: usize,
    conversions: f64,
    revenue_cents: f64,
    distinct_paths: usize,
    first: ByChannel,
    last: ByChannel,
    linear: ByChannel,
    position_40_20_40: ByChannel,
    shapley_sumgame: ByChannel,
    markov1: Chain,
    markov2: Chain,
    markov3: Chain,
}

#[derive(Deserialize)]
struct Chain {
    p_conv: f64,
    states: usize,
    removal_effect: ByChannel,
    credit: ByChannel,
}

fn conversions(credit: &[Credit]) -> Vec<f64> {
    credit.iter().map(|credit| credit.conversions).collect()
}

/// Channels are named c000, c001 and so on, so they are in the order of their numbers.
#[track_caller]
fn same(found: &[f64], expected: &ByChannel) {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected.values()).for_each(|(found, expected)| near(*found, *expected));
}

fn check_chain(states: usize, effects: &Effects, expected: &Chain) {
    assert_eq!(states, expected.states);
    near(effects.conversion_rate, expected.p_conv);
    let found: Vec<f64> = effects.channels.iter().map(|effect| effect.conversions).collect();
    same(&found, &expected.removal_effect);
    same(&conversions(&effects.credit()), &expected.credit);
}

fn check_higher(journeys: &Journeys, order: u32, expected: &Chain) {
    let statistics = seen(HigherOrderStatistics::new(order).unwrap(), &journeys.all());
    check_chain(statistics.chain().states(), &statistics.effects(), expected);
}

fn check(name: &str, channels: usize) {
    let mut sets: BTreeMap<String, Set> = serde_json::from_str(include_str!("expected.json")).unwrap();
    let expected = sets.remove(name).unwrap();
    let journeys = synthetic::journeys(expected.journeys, channels);
    let rows = || journeys.all().iter();
    near(rows().map(|row| row.conversions).sum(), expected.conversions);
    near(rows().map(|row| row.value).sum(), expected.revenue_cents / 100.0);
    let paths: HashSet<_> = rows().map(|row| row.journey.touches).collect();
    assert_eq!(paths.len(), expected.distinct_paths);

    let rule = |rule: &'static dyn Rule, expected| {
        let credit = seen(RuleStatistics::new(rule), &journeys.all()).credit();
        same(&conversions(&credit), expected);
    };
    rule(&FirstClick, &expected.first);
    rule(&LastClick, &expected.last);
    rule(&Linear, &expected.linear);
    rule(&UShaped, &expected.position_40_20_40);
    let credit = seen(SumGameStatistics::default(), &journeys.all()).credit();
    same(&conversions(&credit), &expected.shapley_sumgame);

    let first_order = seen(FirstOrderStatistics::default(), &journeys.all());
    check_chain(first_order.states(), &first_order.effects(), &expected.markov1);
    check_higher(&journeys, 1, &expected.markov1);
    check_higher(&journeys, 2, &expected.markov2);
    check_higher(&journeys, 3, &expected.markov3);
}

#[test]
fn ten_thousand_journeys_of_ten_channels() {
    check("synthetic_N10000_K10_seed20240601", 10);
}

#[test]
fn a_hundred_thousand_journeys_of_fifty_channels() {
    check("synthetic_N100000_K50_seed20240601", 50);
}
