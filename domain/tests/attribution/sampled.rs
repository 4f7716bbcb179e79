//! Sampled Shapley values: near the exact ones, and honest about how near.

use domain::attribution::shapley::{
    CoalitionStatistics, Game, SumGameStatistics, exact,
    sampled::{Estimate, SampledGame},
};

use crate::{near, seen, synthetic};

fn sum(estimates: &[Estimate]) -> f64 {
    estimates.iter().map(|estimate| estimate.credit.conversions).sum()
}

#[test]
fn intervals_hold_the_closed_form_nineteen_times_in_twenty() {
    let journeys = synthetic::journeys(30_000, 200);
    let exact = seen(SumGameStatistics::default(), &journeys.all()).credit();
    let game = SampledGame::new(Game::Sum, &seen(CoalitionStatistics::default(), &journeys.all()));
    let (mut held, mut asked) = (0, 0);
    for seed in 0..20 {
        let estimates = game.estimates(&game.sample(seed, 0..100));
        near(sum(&estimates), exact.iter().map(|credit| credit.conversions).sum());
        for (estimate, exact) in estimates.iter().zip(&exact) {
            let off = (estimate.credit.conversions - exact.conversions).abs();
            held += usize::from(off <= estimate.margin.conversions + 1e-9);
            asked += 1;
        }
    }
    let covered = held as f64 / asked as f64;
    assert!((0.93..=0.97).contains(&covered), "{covered} of the intervals hold the exact credit");
}

#[test]
fn the_conversion_rate_is_sampled_within_its_errors() {
    let journeys = synthetic::journeys(20_000, 12);
    let coalitions = seen(CoalitionStatistics::default(), &journeys.all());
    let exact = exact::credit(Game::ConversionRate, &coalitions).unwrap();
    let game = SampledGame::new(Game::ConversionRate, &coalitions);
    for (estimate, exact) in game.estimates(&game.sample(7, 0..2_000)).iter().zip(&exact) {
        assert!((estimate.credit.conversions - exact.conversions).abs() <= 5.0 * estimate.error.conversions);
        assert!((estimate.credit.value - exact.value).abs() <= 5.0 * estimate.error.value);
    }
}

#[test]
fn threads_may_share_a_sample() {
    let journeys = synthetic::journeys(2_000, 30);
    let game = SampledGame::new(Game::ConversionRate, &seen(CoalitionStatistics::default(), &journeys.all()));
    let mut parts = game.sample(3, 0..11);
    parts.merge(&game.sample(3, 11..40));
    let whole = game.estimates(&game.sample(3, 0..40));
    for (part, whole) in game.estimates(&parts).iter().zip(&whole) {
        near(part.credit.value, whole.credit.value);
        near(part.margin.value, whole.margin.value);
    }
}
