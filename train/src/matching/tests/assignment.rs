//! Assignments against the best that is possible.

use proptest::prelude::*;

use crate::{
    anomaly::dice::Dice,
    matching::assign::{Assignment, Edge, Market},
};

fn drawn(bidders: usize, campaigns: usize, degree: usize, costly: f64, seed: u64) -> Market {
    let mut dice = Dice::new(seed, 0);
    let mut edges = Vec::new();
    for bidder in 0..bidders as u32 {
        for campaign in dice.sample(campaigns as u32, degree) {
            let value = -libm::log(1.0 - dice.unit());
            edges.push(Edge { bidder, campaign, value, cost: 1.0 + costly * dice.unit() });
        }
    }
    let capacities = (0..bidders).map(|_| 1 + dice.index(4) as u32).collect();
    let places = 2.0 * bidders as f64 / campaigns as f64;
    let budgets = (0..campaigns).map(|_| libm::floor(2.0 * places * (1.0 + costly) * dice.unit())).collect();
    Market { edges, capacities, budgets }
}

/// That nobody has more than there is, and that the value is what the pairs are worth.
fn keeps_bounds(market: &Market, found: &Assignment) {
    let (mut used, mut spent) = (vec![0.0; market.capacities.len()], vec![0.0; market.budgets.len()]);
    let mut value = 0.0;
    for pair in &found.pairs {
        let edge = market.edges[pair.edge];
        assert!(0.0 < pair.share && pair.share <= 1.0);
        used[edge.bidder as usize] += pair.share;
        spent[edge.campaign as usize] += pair.share * edge.cost;
        value += pair.share * edge.value;
    }
    assert!((value - found.value).abs() < 1e-9);
    for (used, capacity) in used.iter().zip(&market.capacities) {
        assert!(*used <= f64::from(*capacity) + 1e-9);
    }
    for (spent, budget) in spent.iter().zip(&market.budgets) {
        assert!(*spent <= budget + 1e-9, "{spent} of {budget}");
    }
    assert!(found.value <= found.bound + 1e-9);
}

/// The best of all ways to choose whole pairs.
fn exhaustive(market: &Market) -> f64 {
    let mut best = 0.0_f64;
    for chosen in 0_u32..1 << market.edges.len() {
        let (mut used, mut spent) = (vec![0; market.capacities.len()], vec![0.0; market.budgets.len()]);
        let mut value = 0.0;
        for (_, edge) in market.edges.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1) {
            used[edge.bidder as usize] += 1;
            spent[edge.campaign as usize] += edge.cost;
            value += edge.value;
        }
        let fits = used.iter().zip(&market.capacities).all(|(used, capacity)| used <= capacity)
            && spent.iter().zip(&market.budgets).all(|(spent, budget)| spent <= budget);
        if fits {
            best = best.max(value);
        }
    }
    best
}

#[test]
fn a_thousand_bidders_are_assigned_to_within_a_thousandth_of_the_best() {
    for (costly, least) in [(0.0, 0.999), (4.0, 0.998)] {
        let market = drawn(1_000, 60, 20, costly, 11);
        let found = market.assign().unwrap();
        keeps_bounds(&market, &found);
        assert!(least * found.bound < found.value, "{} of {}", found.value, found.bound);
    }
}

#[test]
fn a_price_is_what_another_place_would_bring() {
    let market = drawn(300, 12, 8, 0.0, 5);
    let found = market.assign().unwrap();
    for campaign in [0, 5, 11] {
        let mut more = market.clone();
        more.budgets[campaign] += 4.0;
        let gain = (more.assign().unwrap().value - found.value) / 4.0;
        let price = found.campaign_prices[campaign];
        assert!(gain <= price + 0.02 && 0.5 * price <= gain + 0.05, "{gain} for {price}");
    }
}

#[test]
fn who_is_not_there_cannot_be_assigned() {
    let edge = Edge { bidder: 1, campaign: 0, value: 1.0, cost: 1.0 };
    let market = Market { edges: vec![edge], capacities: vec![1], budgets: vec![1.0] };
    let told = market.assign().unwrap_err().to_string();
    assert_eq!(told, "bidder 1 is not among 1; number them from zero");
}

proptest! {
    #[test]
    fn small_markets_are_assigned_as_well_as_possible(seed in 0_u64..10_000) {
        let market = drawn(4, 3, 3, 0.0, seed);
        let found = market.assign().unwrap();
        keeps_bounds(&market, &found);
        let best = exhaustive(&market);
        prop_assert!(best <= found.bound + 1e-9);
        prop_assert!(0.99 * best <= found.value, "{} of {best}", found.value);
    }

    #[test]
    fn nothing_is_broken_whatever_pairs_cost(seed in 0_u64..10_000, costly in 0.0..20.0) {
        let market = drawn(40, 6, 4, costly, seed);
        keeps_bounds(&market, &market.assign().unwrap());
    }
}
