//! Tweedie regression: the ratio to the expectation is e to a linear score (Jørgensen 1987, "Exponential Dispersion
//! Models", for amounts that are often zero), with the logarithm of the expectation as its offset.

use rayon::prelude::*;

use super::{Candidate, Fit, Model, RATIOS, deviance};
use crate::{
    lbfgs::{Limits, Loss, minimum},
    lifetime::{LifetimeError, linear::Linear, windows::Training},
};

/// Rows are added in chunks of this many, and the chunks in their order.
const CHUNK: usize = 2048;
/// The penalties on squared weights that are tried, beside a mean loss that is about one.
const PENALTIES: [f64; 3] = [0.001, 0.005, 0.03];
/// The variance powers that are tried after that, and the one that penalties are tried with.
const POWERS: [f64; 2] = [1.2, 1.6];
const FIRST_POWER: f64 = 1.4;

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "tweedie",
    doc: "Tweedie regression with a log link on how customers differ from what BG/NBD and Gamma-Gamma expect of them.",
    fit: Fit::Alone(fit),
};

fn fit(training: &Training) -> Result<Model, LifetimeError> {
    let linear = Linear::over(&training.table, &training.shapes, training.unit);
    let design = Design::of(training, &linear);
    let (seen, held_out) = (training.rows(false), training.rows(true));
    let mut start = vec![0.0; design.width + 1];
    let mut best = (f64::INFINITY, FIRST_POWER, PENALTIES[1]);
    let mut attempt = |power: f64, penalty: f64, best: &mut (f64, f64, f64)| {
        start = design.learn(&seen, (power, penalty), start.clone());
        let ratios: Vec<f64> = held_out.iter().map(|row| design.ratio(*row, &start)).collect();
        let loss = deviance(training, &held_out, &ratios);
        if loss < best.0 {
            *best = (loss, power, penalty);
        }
    };
    for penalty in PENALTIES {
        attempt(FIRST_POWER, penalty, &mut best);
    }
    let penalty = best.2;
    for power in POWERS {
        attempt(power, penalty, &mut best);
    }
    let all: Vec<usize> = (0..training.actual.len()).collect();
    let found = design.learn(&all, (best.1, best.2), start);
    Ok(Model::Exponential(linear.weighted(found[0], &found[1..])))
}

/// Rows as the likelihood reads them; amounts are in units of the mean expectation.
struct Design {
    width: usize,
    readings: Vec<f64>,
    actual: Vec<f64>,
    expected: Vec<f64>,
    weights: Vec<f64>,
}

impl Design {
    fn of(training: &Training, linear: &Linear) -> Self {
        let unit = training.expected.iter().sum::<f64>() / training.expected.len() as f64;
        let scaled = |amounts: &[f64]| amounts.iter().map(|amount| amount / unit).collect();
        Self {
            width: linear.terms.len(),
            readings: linear.readings(&training.table),
            actual: scaled(&training.actual),
            expected: scaled(&training.expected),
            weights: training.weights.clone(),
        }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.readings[row * self.width..(row + 1) * self.width]
    }

    fn score(&self, row: usize, parameters: &[f64]) -> f64 {
        let terms = self.row(row).iter().zip(&parameters[1..]);
        parameters[0] + terms.map(|(reading, weight)| reading * weight).sum::<f64>()
    }

    fn ratio(&self, row: usize, parameters: &[f64]) -> f64 {
        libm::exp(self.score(row, parameters)).clamp(RATIOS.0, RATIOS.1)
    }

    fn learn(&self, rows: &[usize], (power, penalty): (f64, f64), start: Vec<f64>) -> Vec<f64> {
        let total: f64 = rows.iter().map(|row| self.weights[*row]).sum();
        // An offset is a weight: with μ = E·eˢ, each of both powers of μ is one of eˢ times one of E.
        let offsets: Vec<[f64; 2]> = rows
            .par_iter()
            .map(|row| {
                let (weight, log) = (self.weights[*row] / total, libm::log(self.expected[*row]));
                [1.0 - power, 2.0 - power].map(|times| weight * libm::exp(times * log))
            })
            .collect();
        let loss = |at: &[f64]| self.loss(rows, &offsets, (power, penalty), at);
        let scales = vec![1.0; start.len()];
        minimum(loss, start, &scales, Limits { steps: 200, flat: 1e-9 })
    }

    fn loss(&self, rows: &[usize], offsets: &[[f64; 2]], (power, penalty): (f64, f64), at: &[f64]) -> Loss {
        let chunk = |(rows, offsets): (&[usize], &[[f64; 2]])| {
            let (mut value, mut gradient) = (0.0, vec![0.0; at.len()]);
            for (row, offset) in rows.iter().zip(offsets) {
                let score = self.score(*row, at).clamp(-30.0, 30.0);
                let spent = self.actual[*row] * offset[0] * libm::exp((1.0 - power) * score);
                let foretold = offset[1] * libm::exp((2.0 - power) * score);
                value += foretold / (2.0 - power) - spent / (1.0 - power);
                let slope = foretold - spent;
                gradient[0] += slope;
                let slopes = gradient[1..].iter_mut().zip(self.row(*row));
                slopes.for_each(|(sum, reading)| *sum += slope * reading);
            }
            Loss { value, gradient }
        };
        let chunks: Vec<Loss> = rows.par_chunks(CHUNK).zip(offsets.par_chunks(CHUNK)).map(chunk).collect();
        let mut sum = Loss { value: 0.0, gradient: vec![0.0; at.len()] };
        for part in chunks {
            sum.value += part.value;
            sum.gradient.iter_mut().zip(part.gradient).for_each(|(sum, slope)| *sum += slope);
        }
        for (slope, weight) in sum.gradient.iter_mut().zip(at).skip(1) {
            *slope += penalty * weight;
            sum.value += 0.5 * penalty * weight * weight;
        }
        sum
    }
}
