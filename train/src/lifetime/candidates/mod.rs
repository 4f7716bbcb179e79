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

use rayon::prelude::*;

use super::{FEATURES, LifetimeError, linear::Linear, windows::Training};
use crate::{
    anomaly::matrix::{Column, Matrix, Values},
    gbdt::{Boosted, Contributions},
};

pub(super) use stacking::weights as stacking_weights;
#[cfg(feature = "torch")]
pub use ziln::Ziln;

/// The least and the greatest multiple of the expectation that is ever predicted.
pub(super) const RATIOS: (f64, f64) = (0.02, 50.0);
/// Ratios whose difference is below this have no logarithm between them.
pub(super) const ALIKE: f64 = 1e-6;
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

/// By which rule trees credit their questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credits {
    /// Exact Shapley values (Lundberg, Erion and Lee 2018).
    Shapley,
    /// On the way down each question is credited with the change in what is expected: what a graph can say.
    Path,
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

    /// Whether a part of it calculates in float.
    #[must_use]
    pub fn is_float(&self) -> bool {
        match self {
            #[cfg(feature = "torch")]
            Self::ZeroInflated(_) => true,
            Self::Stack(parts) => parts.iter().any(|part| part.model.is_float()),
            _ => false,
        }
    }

    /// The attributes among the columns that were learned from.
    #[must_use]
    pub fn attributes(&self) -> Vec<&Column> {
        let columns = match self {
            Self::Expectation => &[][..],
            Self::Linear(linear) | Self::Exponential(linear) => &linear.columns,
            Self::Trees(trees) => &trees.columns,
            #[cfg(feature = "torch")]
            Self::ZeroInflated(ziln) => &ziln.inputs.columns,
            Self::Stack(parts) => {
                return parts
                    .iter()
                    .map(|part| part.model.attributes())
                    .find(|it| !it.is_empty())
                    .unwrap_or_default();
            }
        };
        columns.iter().filter(|column| FEATURES.iter().all(|it| it.name != column.name)).collect()
    }

    /// How the ratio of each customer came about: what each column of these names adds to its logarithm, row after row. For
    /// trees and linear scores of independent columns these are exact Shapley values where the model is a product; where it
    /// is a sum, each over the logarithmic mean of the ratio and of the one without them. Of several models, the mean
    /// of theirs by what each predicts. Nothing where nothing was learned, and of networks.
    ///
    /// # Errors
    /// When a column that was learned from is missing or of another kind.
    pub fn reasons(
        &self,
        columns: &[(String, Values)],
        names: &[String],
        credits: Credits,
    ) -> Result<Vec<f64>, LifetimeError> {
        let rows = columns.first().map_or(0, |(_, values)| length(values));
        let spread = |own: &[Column], of: &(dyn Fn(usize) -> Vec<f64> + Sync)| {
            let places: Vec<Option<usize>> =
                own.iter().map(|column| names.iter().position(|name| *name == column.name)).collect();
            let row = |row: usize| {
                let mut told = vec![0.0; names.len()];
                for (place, part) in places.iter().zip(of(row)) {
                    place.iter().for_each(|place| told[*place] = part);
                }
                told
            };
            (0..rows).into_par_iter().flat_map_iter(row).collect::<Vec<f64>>()
        };
        Ok(match self {
            Self::Expectation => vec![0.0; rows * names.len()],
            #[cfg(feature = "torch")]
            Self::ZeroInflated(_) => vec![0.0; rows * names.len()],
            Self::Exponential(linear) => {
                let table = Matrix::like(&linear.columns, columns)?;
                spread(&linear.columns, &|row| linear.contributions(table.row(row)))
            }
            Self::Linear(linear) => {
                let table = Matrix::like(&linear.columns, columns)?;
                spread(&linear.columns, &|row| {
                    logarithmic(Contributions {
                        base: linear.bias,
                        features: linear.contributions(table.row(row)),
                    })
                })
            }
            Self::Trees(trees) => {
                let table = Matrix::like(&trees.columns, columns)?;
                spread(&trees.columns, &|row| {
                    let told = match credits {
                        Credits::Shapley => trees.contributions(table.row(row)),
                        Credits::Path => trees.credits(table.row(row)),
                    };
                    if trees.is_exponential() { told.features } else { logarithmic(told) }
                })
            }
            Self::Stack(parts) => {
                let mut sums = vec![0.0; rows * names.len()];
                let mut whole = vec![0.0; rows];
                for part in parts {
                    let why = part.model.reasons(columns, names, credits)?;
                    let ratios = part.model.ratios(columns)?;
                    add_by_share((&mut sums, &mut whole), (&why, &ratios), part.weight * part.level);
                }
                sums.iter_mut().enumerate().for_each(|(at, sum)| *sum /= whole[at / names.len()]);
                sums
            }
        })
    }
}

/// Adds a model's reasons by what it predicts, and what it predicts to the whole.
fn add_by_share((sums, whole): (&mut [f64], &mut [f64]), (why, ratios): (&[f64], &[f64]), times: f64) {
    let width = sums.len() / whole.len().max(1);
    for (row, ratio) in ratios.iter().enumerate() {
        let share = times * ratio;
        whole[row] += share;
        let row = row * width..(row + 1) * width;
        sums[row.clone()].iter_mut().zip(&why[row]).for_each(|(sum, part)| *sum += share * part);
    }
}

/// What adds up to a ratio, as what adds up to its logarithm.
fn logarithmic(told: Contributions) -> Vec<f64> {
    let bounded = |ratio: f64| ratio.clamp(RATIOS.0, RATIOS.1);
    let (base, ratio) = (bounded(told.base), bounded(told.base + told.features.iter().sum::<f64>()));
    let apart = ratio - base;
    let mean = if apart.abs() < ALIKE { 0.5 * (ratio + base) } else { apart / libm::log(ratio / base) };
    told.features.into_iter().map(|part| part / mean).collect()
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
