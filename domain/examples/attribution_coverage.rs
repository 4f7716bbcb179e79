//! How often the 95 % intervals of sampled Shapley values hold the exact ones: 1,000 samples of a game of 200 channels against
//! its closed form. `cargo run --release -p domain --example attribution_coverage [trials] [pairs of orders]`.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{env, time::Instant};

use domain::attribution::{
    Statistics,
    shapley::{CoalitionStatistics, Game, SumGameStatistics, sampled::SampledGame},
};

#[path = "../tests/attribution/synthetic.rs"]
mod synthetic;

const CHANNELS: usize = 200;
const JOURNEYS: usize = 100_000;

fn main() {
    let argument = |place| env::args().nth(place).and_then(|text| text.parse().ok());
    let (trials, pairs) = (argument(1).unwrap_or(1_000), argument(2).unwrap_or(100));
    let journeys = synthetic::journeys(JOURNEYS, CHANNELS);
    let (mut closed, mut coalitions) = (SumGameStatistics::default(), CoalitionStatistics::default());
    closed.add(&journeys.all());
    coalitions.add(&journeys.all());
    let exact = closed.credit();
    let game = SampledGame::new(Game::Sum, &coalitions);
    let begin = Instant::now();
    let mut held = vec![0_u64; CHANNELS];
    for trial in 0..trials {
        let estimates = game.estimates(&game.sample(trial, 0..pairs));
        for ((held, estimate), exact) in held.iter_mut().zip(&estimates).zip(&exact) {
            let off = (estimate.credit.conversions - exact.conversions).abs();
            *held += u64::from(off <= estimate.margin.conversions + 1e-9);
        }
    }
    held.sort_unstable();
    let part = |held: u64| held as f64 / trials as f64;
    println!(
        "{{\"trials\": {trials}, \"pairs\": {pairs}, \"channels\": {CHANNELS}, \"sets\": {}, \"covered\": {:.4}, \
         \"least_channel\": {:.3}, \"median_channel\": {:.3}, \"most_channel\": {:.3}, \"wall_s\": {:.1}}}",
        coalitions.sets().len(),
        part(held.iter().sum()) / CHANNELS as f64,
        part(held[0]),
        part(held[CHANNELS / 2]),
        part(held[CHANNELS - 1]),
        begin.elapsed().as_secs_f64()
    );
}
