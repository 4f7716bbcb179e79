//! Ways to learn what customers will spend, one file each; each of them is in one list.
//!
//! All of them learn how many times the expectation of BG/NBD and Gamma-Gamma a customer spends, so that what they know of
//! one horizon and age carries over to another.

mod boosting;
mod elastic_net;
mod expectation;
mod forest;
mod stacking;
mod tweedie;
#[cfg(feature = "torch")]
mod ziln;

use super::{LifetimeError, linear::Linear, windows::Training};
use crate::{
    anomaly::matrix::{Column, Matrix, Values},
    gbdt::{Boosted, Contributions},
};

pub(super) use stacking::weights as stacking_weights;
#[cfg(feature = "torch")]
pub use ziln::Ziln;

/// The least and the greatest multiple of the expectation that is ever predicted.
const RATIOS: (f64, f64) = (0.02, 50.0);
/// The variance power of the deviance that settings are chosen by, whatever power a candidate learns with.
const JUDGED_POWER: f64 = 1.3;

/// A way to learn.
pub struct Candidate {
    /// Its name on a command line and in files.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// How it learns.
    pub fit: Fit,
}

/// How a candidate learns.
#[derive(Clone, Copy)]
pub enum Fit {
    /// From customers.
    Alone(fn(&Training) -> Result<Model, LifetimeError>),
    /// From what the others predict.
    Stacked,
}

/// All candidates. To add one: its file and its line here.
pub static CANDIDATES: &[&Candidate] = &[
    &expectation::CANDIDATE,
    &tweedie::CANDIDATE,
    &elastic_net::CANDIDATE,
    &forest::CANDIDATE,
    &boosting::CANDIDATE,
    #[cfg(feature = "torch")]
    &ziln::CANDIDATE,
    &stacking::CANDIDATE,
];

/// What was learned: how many times its expectation a customer spends.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// Once.
    Expectation,
    /// e to a linear score.
    Exponential(Linear),
    /// A linear score.
    Linear(Linear),
    /// What trees predict: a mean of them or, with their link, e to their sum.
    Trees(Box<Boosted>),
    /// A chance to spend, and a log-normal amount.
    #[cfg(feature = "torch")]
    ZeroInflated(Box<Ziln>),
    /// A mean of other models with these weights, each brought to the same total.
    Stack(Vec<Part>),
}

/// A model in a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which candidate it is.
    pub name: &'static str,
    /// Its weight; all weights sum to one.
    pub weight: f64,
    /// What its ratios are multiplied with, so that its total is the expectation's.
    pub level: f64,
    /// What it learned.
    pub model: Model,
}

impl Model {
    /// How many times its expectation each customer spends.
    ///
    /// # Errors
    /// When a column that was learned from is missing or of another kind.
    pub fn ratios(&self, columns: &[(String, Values)]) -> Result<Vec<f64>, LifetimeError> {
        let rows = columns.first().map_or(0, |(_, values)| length(values));
        let bounded = |ratios: Vec<f64>| -> Vec<f64> {
            ratios.into_iter().map(|ratio| ratio.clamp(RATIOS.0, RATIOS.1)).collect()
        };
        Ok(match self {
            Self::Expectation => vec![1.0; rows],
            Self::Linear(linear) => bounded(linear.scores(&Matrix::like(&linear.columns, columns)?)),
            Self::Exponential(linear) => {
                let scores = linear.scores(&Matrix::like(&linear.columns, columns)?);
                bounded(scores.into_iter().map(libm::exp).collect())
            }
            Self::Trees(trees) => bounded(trees.predictions(&Matrix::like(&trees.columns, columns)?)?),
            #[cfg(feature = "torch")]
            Self::ZeroInflated(ziln) => bounded(ziln.ratios(&Matrix::like(&ziln.inputs.columns, columns)?)),
            Self::Stack(parts) => {
                let mut sum = vec![0.0; rows];
                for part in parts {
                    let ratios = part.model.ratios(columns)?;
                    let times = part.weight * part.level;
                    sum.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += times * ratio);
                }
                sum
            }
        })
    }

    /// The columns that it looks at, and how the ratio of one customer came about: what each of them adds to it, or to its
    /// logarithm where the model is a product. Exact Shapley values for trees, and for linear scores of independent
    /// columns. None where nothing was learned, or by several models together, or by a network.
    ///
    /// # Errors
    /// When a column that was learned from is missing or of another kind.
    pub fn contributions(
        &self,
        columns: &[(String, Values)],
        row: usize,
    ) -> Result<Option<(&[Column], Contributions)>, LifetimeError> {
        let one: Vec<(String, Values)> =
            columns.iter().map(|(name, values)| (name.clone(), values.select(&[row]))).collect();
        Ok(match self {
            Self::Expectation | Self::Stack(_) => None,
            #[cfg(feature = "torch")]
            Self::ZeroInflated(_) => None,
            Self::Linear(linear) | Self::Exponential(linear) => {
                let table = Matrix::like(&linear.columns, &one)?;
                let features = linear.contributions(table.row(0));
                Some((&linear.columns, Contributions { base: linear.bias, features }))
            }
            Self::Trees(trees) => {
                let table = Matrix::like(&trees.columns, &one)?;
                Some((&trees.columns, trees.contributions(table.row(0))))
            }
        })
    }
}

fn length(values: &Values) -> usize {
    match values {
        Values::Numbers(numbers) => numbers.len(),
        Values::Categories(categories) => categories.len(),
    }
}

/// The Tweedie deviance of ratios in rows, less what does not depend on them, after their total was brought to what was
/// spent: rank and shape are judged, the level is not.
fn deviance(training: &Training, rows: &[usize], ratios: &[f64]) -> f64 {
    let weighted = |of: &dyn Fn(usize) -> f64| -> f64 {
        rows.iter().enumerate().map(|(place, row)| training.weights[*row] * of(place)).sum()
    };
    let spent = weighted(&|place| training.actual[rows[place]]);
    let foretold = weighted(&|place| training.expected[rows[place]] * ratios[place]);
    let level = spent / foretold;
    let (one, two) = (1.0 - JUDGED_POWER, 2.0 - JUDGED_POWER);
    weighted(&|place| {
        let mean = level * training.expected[rows[place]] * ratios[place];
        libm::pow(mean, two) / two - training.actual[rows[place]] * libm::pow(mean, one) / one
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        for (place, candidate) in CANDIDATES.iter().enumerate() {
            assert!(CANDIDATES[..place].iter().all(|other| other.name != candidate.name));
            assert!(candidate.doc.ends_with('.') && 20 < candidate.doc.len());
        }
    }
}
