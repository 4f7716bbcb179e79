//! Elastic net: the ratio to the expectation is a linear score, whose squared errors count as much as is expected and whose
//! weights are few and small (Zou and Hastie 2005), found by coordinate descent (Friedman, Hastie and Tibshirani 2010).
//!
//! The descent is our own because rows count differently here, which linfa-elasticnet has no place for, and because on
//! the products of all columns with each other, added once, a whole path of penalties costs less than one more pass.

use super::{Candidate, Fit, Model, RATIOS, deviance};
use crate::lifetime::{LifetimeError, linear::Linear, windows::Training};

/// The part of the penalty that is on absolute weights; the rest is on squares.
const ABSOLUTE: f64 = 0.5;
/// The path of penalties: each is this part of the one before.
const STEP: f64 = 0.6;
const STEPS: usize = 18;
/// Rounds of coordinates for each penalty at most, and the change that ends them.
const ROUNDS: usize = 500;
const STILL: f64 = 1e-8;

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "elasticnet",
    doc: "Elastic net on how many times their expectation customers spend.",
    fit: Fit::Alone(fit),
};

fn fit(training: &Training) -> Result<Model, LifetimeError> {
    let linear = Linear::over(&training.table, &training.shapes, training.unit);
    let readings = linear.readings(&training.table);
    let (seen, held_out) = (training.rows(false), training.rows(true));
    let width = linear.terms.len();
    let products = Products::of(training, (&readings, width), &seen);
    let (mut best, mut penalty) = ((f64::INFINITY, 0), products.greatest());
    let mut weights = vec![0.0; width];
    for step in 0..STEPS {
        penalty *= STEP;
        products.descend(penalty, &mut weights);
        let bias = products.bias(&weights);
        let ratio = |row: &usize| {
            let row = &readings[row * width..(row + 1) * width];
            let score = bias + row.iter().zip(&weights).map(|(one, other)| one * other).sum::<f64>();
            score.clamp(RATIOS.0, RATIOS.1)
        };
        let ratios: Vec<f64> = held_out.iter().map(ratio).collect();
        let loss = deviance(training, &held_out, &ratios);
        if loss < best.0 {
            best = (loss, step);
        }
    }
    let all: Vec<usize> = (0..training.actual.len()).collect();
    let products = Products::of(training, (&readings, width), &all);
    let (mut penalty, mut weights) = (products.greatest(), vec![0.0; width]);
    for _ in 0..=best.1 {
        penalty *= STEP;
        products.descend(penalty, &mut weights);
    }
    let bias = products.bias(&weights);
    Ok(Model::Linear(linear.weighted(bias, &weights)))
}

/// The weighted mean products of all terms with each other and with the target, less those of their means.
struct Products {
    width: usize,
    each_other: Vec<f64>,
    target: Vec<f64>,
    means: Vec<f64>,
    target_mean: f64,
}

impl Products {
    fn of(training: &Training, (readings, width): (&[f64], usize), rows: &[usize]) -> Self {
        let counts = |row: usize| training.weights[row] * training.expected[row];
        let total: f64 = rows.iter().map(|row| counts(*row)).sum();
        let (mut each_other, mut target) = (vec![0.0; width * width], vec![0.0; width]);
        let (mut means, mut target_mean) = (vec![0.0; width], 0.0);
        for row in rows {
            let share = counts(*row) / total;
            let spent = training.weights[*row] * training.actual[*row] / total;
            let reading = &readings[row * width..(row + 1) * width];
            target_mean += spent;
            for one in 0..width {
                let counted = share * reading[one];
                means[one] += counted;
                target[one] += spent * reading[one];
                let line = &mut each_other[one * width..one * width + one + 1];
                line.iter_mut().zip(reading).for_each(|(sum, other)| *sum += counted * other);
            }
        }
        for one in 0..width {
            target[one] -= means[one] * target_mean;
            for other in 0..=one {
                each_other[one * width + other] -= means[one] * means[other];
                each_other[other * width + one] = each_other[one * width + other];
            }
        }
        Self { width, each_other, target, means, target_mean }
    }

    /// The penalty that leaves no weight.
    fn greatest(&self) -> f64 {
        self.target.iter().fold(1e-12, |most, product| f64::max(most, product.abs())) / ABSOLUTE
    }

    fn bias(&self, weights: &[f64]) -> f64 {
        self.target_mean - weights.iter().zip(&self.means).map(|(one, other)| one * other).sum::<f64>()
    }

    fn descend(&self, penalty: f64, weights: &mut [f64]) {
        for _ in 0..ROUNDS {
            let mut moved: f64 = 0.0;
            for place in 0..self.width {
                let line = &self.each_other[place * self.width..(place + 1) * self.width];
                let explained: f64 = line.iter().zip(&*weights).map(|(one, other)| one * other).sum();
                let wanted = self.target[place] - explained + line[place] * weights[place];
                let shrunk = f64::max(wanted.abs() - ABSOLUTE * penalty, 0.0).copysign(wanted);
                let weight = shrunk / (line[place] + (1.0 - ABSOLUTE) * penalty);
                moved = moved.max((weight - weights[place]).abs());
                weights[place] = weight;
            }
            if moved < STILL {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descent_ends_where_no_weight_can_be_moved() {
        let products = Products {
            width: 2,
            each_other: vec![1.0, 0.6, 0.6, 1.0],
            target: vec![0.5, 0.45],
            means: vec![0.0; 2],
            target_mean: 1.0,
        };
        let mut weights = vec![0.0; 2];
        products.descend(0.2, &mut weights);
        for place in 0..2 {
            let line = &products.each_other[2 * place..2 * place + 2];
            let left = products.target[place] - line[0] * weights[0] - line[1] * weights[1];
            let pulled = 0.2 * (ABSOLUTE * weights[place].signum() + (1.0 - ABSOLUTE) * weights[place]);
            assert!(0.0 < weights[place] && (left - pulled).abs() < 1e-7, "{weights:?}");
        }
        let mut none = vec![0.0; 2];
        products.descend(products.greatest(), &mut none);
        assert!(none.iter().all(|weight| weight.abs() < f64::MIN_POSITIVE));
    }
}
