//! A model of rewards for the doubly robust estimator, which no partner's own rewards tell what it says of that partner.

use std::collections::BTreeMap;

use super::Log;
use crate::linear::{Moments, SingularError, dot};

/// What is known of each row before the decision: rows × `width`, best of mean zero and like size.
#[derive(Clone, Copy, Debug)]
pub struct Contexts<'a> {
    /// The numbers, row by row.
    pub rows: &'a [f64],
    /// How many a row has.
    pub width: usize,
}

/// Which reward each rate of `grid` lets expect of each row: rows × rates, by ridge regression on the context, the rate, its
/// square and the rate with each part of the context. Partners are parted into `folds`, and each fold is predicted from the
/// others (Chernozhukov et al. 2018).
///
/// # Errors
/// When the context's columns repeat each other.
pub fn cross_fitted(
    log: &Log<'_>,
    contexts: Contexts<'_>,
    grid: &[f64],
    folds: usize,
    ridge: f64,
) -> Result<Vec<f64>, SingularError> {
    let mut places = BTreeMap::<u32, usize>::new();
    for partner in log.partners {
        let next = places.len();
        places.entry(*partner).or_insert(next);
    }
    let fold: Vec<usize> = log.partners.iter().map(|partner| places[partner] % folds).collect();
    let context = |row: usize| &contexts.rows[row * contexts.width..(row + 1) * contexts.width];
    let mut predicted = vec![0.0; log.partners.len() * grid.len()];
    for held_out in 0..folds {
        let mut moments = Moments::new(2 * contexts.width + 3);
        for row in (0..fold.len()).filter(|row| fold[*row] != held_out) {
            moments.add(&features(context(row), grid[log.actions[row] as usize]), log.rewards[row]);
        }
        let coefficients = moments.fit(ridge)?;
        for row in (0..fold.len()).filter(|row| fold[*row] == held_out) {
            for (place, rate) in grid.iter().enumerate() {
                predicted[row * grid.len() + place] = dot(&coefficients, &features(context(row), *rate));
            }
        }
    }
    Ok(predicted)
}

fn features(context: &[f64], rate: f64) -> Vec<f64> {
    let both = context.iter().map(|one| one * rate);
    [1.0, rate, rate * rate].into_iter().chain(context.iter().copied()).chain(both).collect()
}
