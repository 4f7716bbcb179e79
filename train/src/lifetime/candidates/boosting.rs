//! Gradient boosting with the Tweedie loss on how many times their expectation customers spend.

use std::ops::ControlFlow;

use super::{Candidate, Fit, Model};
use crate::{
    gbdt::{self, Examples, Settings, losses::Tweedie},
    lifetime::{LifetimeError, windows::Training},
};

const POWER: f64 = 1.5;

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "gbdt",
    doc: "Gradient-boosted trees with the Tweedie loss on how many times their expectation customers spend.",
    fit: Fit::Alone(fit),
};

fn fit(training: &Training) -> Result<Model, LifetimeError> {
    // With the mean E·eˢ the Tweedie loss of an amount y is E²⁻ᵖ times the loss of y / E with the mean eˢ.
    let count = |(weight, expected): (&f64, &f64)| weight * libm::pow(*expected, 2.0 - POWER);
    let counts: Vec<f64> = training.weights.iter().zip(&training.expected).map(count).collect();
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let weights: Vec<f64> = counts.iter().map(|count| count / mean).collect();
    let targets: Vec<f64> = training
        .actual
        .iter()
        .zip(&training.expected)
        .map(|(actual, expected)| f64::min(actual / expected, 1e15))
        .collect();
    let some = |rows: &[usize]| {
        let of = |values: &[f64]| rows.iter().map(|row| values[*row]).collect::<Vec<f64>>();
        (training.table.select(rows), of(&targets), of(&weights))
    };
    let (seen, held_out) = (some(&training.rows(false)), some(&training.rows(true)));
    let examples = |(table, targets, weights)| Examples { table, targets, weights: Some(weights) };
    let settings = Settings {
        trees: 500,
        leaves: 8,
        learning_rate: 0.05,
        min_rows: 50,
        l2: 10.0,
        row_fraction: 0.8,
        feature_fraction: 0.6,
        patience: Some(40),
        seed: training.seed,
        ..Settings::default()
    };
    let loss = Tweedie::new(POWER)?;
    let learn = examples((&seen.0, &seen.1[..], &seen.2[..]));
    let stop_by = examples((&held_out.0, &held_out.1[..], &held_out.2[..]));
    let watch = &mut |_| ControlFlow::Continue(());
    let stopped = gbdt::fit(&settings, &loss, learn, Some(stop_by), watch)?;
    if stopped.is_empty() {
        return Ok(Model::Trees(Box::new(stopped)));
    }
    let settings = Settings { trees: stopped.len(), patience: None, ..settings };
    let all = examples((&training.table, &targets[..], &weights[..]));
    Ok(Model::Trees(Box::new(gbdt::fit(&settings, &loss, all, None, watch)?)))
}
