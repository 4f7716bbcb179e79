//! Stacking: a mean of the other candidates, whose weights make the squared error on later time least and are not below
//! zero (Breiman 1996, "Stacked Regressions").

use super::{Candidate, Fit};

/// How often all weights are moved in turn at most, and the change that ends it.
const ROUNDS: usize = 2000;
const STILL: f64 = 1e-9;

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "stack",
    doc: "The mean of the other candidates with the weights that predicted the inner split best.",
    fit: Fit::Stacked,
};

/// The weights of predictions, one list for each model, which sum to one. An error counts the less the more was foretold by
/// all models together, as the variance of amounts that are often zero rises with their mean.
pub(in crate::lifetime) fn weights(predictions: &[&[f64]], actual: &[f64]) -> Vec<f64> {
    let models = predictions.len();
    let counts = |row: usize| 1.0 / predictions.iter().map(|of| of[row]).sum::<f64>().max(1e-12);
    let (mut each_other, mut target) = (vec![0.0; models * models], vec![0.0; models]);
    for (row, spent) in actual.iter().enumerate() {
        let count = counts(row);
        for (one, of_one) in predictions.iter().enumerate() {
            target[one] += count * of_one[row] * spent;
            for (other, of_other) in predictions.iter().enumerate() {
                each_other[one * models + other] += count * of_one[row] * of_other[row];
            }
        }
    }
    let mut weights = vec![1.0 / models as f64; models];
    for _ in 0..ROUNDS {
        let mut moved: f64 = 0.0;
        for place in 0..models {
            let line = &each_other[place * models..(place + 1) * models];
            let explained: f64 = line.iter().zip(&weights).map(|(one, other)| one * other).sum();
            let wanted = weights[place] + (target[place] - explained) / line[place].max(1e-300);
            let weight = f64::max(wanted, 0.0);
            moved = moved.max((weight - weights[place]).abs());
            weights[place] = weight;
        }
        if moved < STILL {
            break;
        }
    }
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return vec![1.0 / models as f64; models];
    }
    weights.iter().map(|weight| weight / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_prediction_gets_the_weight_and_none_is_below_zero() {
        let truth: Vec<f64> = (1..200).map(f64::from).collect();
        let good: Vec<f64> = truth.iter().map(|it| it + 0.5).collect();
        let bad: Vec<f64> = truth.iter().map(|it| 200.0 - it).collect();
        let found = weights(&[&good, &bad], &truth);
        assert!(0.99 < found[0] && 0.0 <= found[1] && (found[0] + found[1] - 1.0).abs() < 1e-12, "{found:?}");
    }
}
