//! How fast an isolation forest of 100 trees × 256 rows is grown and asked, on as many threads as cores are given to it, as
//! one line of JSON: `cargo run --release --example forest_fit`; `cargo xtask bench models` reads it.
#![expect(clippy::print_stdout, reason = "a measurement speaks to whoever runs it")]

use std::{error::Error, time::Instant};

use train::anomaly::{
    Detector,
    forest::{IsolationForest, Settings},
    planted::{Kind, Plan, plant},
};

const ROWS: usize = 100_000;
const FEATURES: usize = 30;
const FITS: u64 = 50;
const RUNS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let plan = Plan {
        ordinary: ROWS - 500,
        planted: 500,
        width: FEATURES,
        causes: 5,
        noise: 0.2,
        kind: Kind::Shift(6.0),
        seed: 1,
    };
    let table = plant(&plan)?.table;
    let mut fits = Vec::new();
    for seed in 0..FITS {
        let begun = Instant::now();
        let forest = IsolationForest::fit(&table, &Settings { seed, ..Settings::default() })?;
        fits.push(begun.elapsed().as_secs_f64() * 1e3);
        drop(forest);
    }
    let forest = IsolationForest::fit(&table, &Settings::default())?;
    let mut scored = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let scores = forest.scores(&table)?;
        scored.push(scores.len() as f64 / begun.elapsed().as_secs_f64());
    }
    println!("{{\"fit_ms\": {}, \"rows_s\": {}}}", median(fits), median(scored));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
