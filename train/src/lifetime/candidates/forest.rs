//! Random forest: a mean of trees, each grown on some of the customers and some of the features (Breiman 2001; the
//! features are drawn for each tree, as in Ho 1998), whose leaves say how many times their expectation customers spent.
//!
//! The trees are grown by `gbdt`, so that forests have the same tables, file and exact reasons as boosted trees.

use std::ops::ControlFlow;

use models::graph::trees::{Leaves, Trees};

use super::{Candidate, Fit, Model};
use crate::{
    gbdt::{self, Boosted, Examples, Settings, losses::Squared},
    lifetime::{LifetimeError, windows::Training},
};

const TREES: u64 = 60;

pub(super) static CANDIDATE: Candidate = Candidate {
    name: "forest",
    doc: "Random forest on how many times their expectation customers spend.",
    fit: Fit::Alone(fit),
};

fn fit(training: &Training) -> Result<Model, LifetimeError> {
    let counts: Vec<f64> =
        training.weights.iter().zip(&training.expected).map(|(weight, expected)| weight * expected).collect();
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let weights: Vec<f64> = counts.iter().map(|count| count / mean).collect();
    let targets: Vec<f64> =
        training.actual.iter().zip(&training.expected).map(|(actual, expected)| actual / expected).collect();
    let learn = Examples { table: &training.table, targets: &targets, weights: Some(&weights) };
    let grow = |tree: u64| {
        let settings = Settings {
            trees: 1,
            learning_rate: 1.0,
            leaves: 32,
            min_rows: 50,
            // As if fifty ordinary customers with the ratio of all were in each leaf besides.
            l2: 50.0,
            row_fraction: 0.632,
            feature_fraction: 0.5,
            seed: training.seed.wrapping_mul(TREES).wrapping_add(tree),
            ..Settings::default()
        };
        gbdt::fit(&settings, &Squared, learn, None, &mut |_| ControlFlow::Continue(()))
    };
    let mut forest = grow(0)?;
    for tree in 1..TREES {
        add(&mut forest, grow(tree)?);
    }
    if let Leaves::OneTarget { value, .. } = &mut forest.trees.leaves {
        value.iter_mut().for_each(|value| *value /= TREES as f64);
    }
    Ok(Model::Trees(Box::new(forest)))
}

/// Puts trees after the others.
fn add(forest: &mut Boosted, other: Boosted) {
    let Trees { roots, feature, threshold, left, right, missing_left, categories, leaves, .. } = other.trees;
    let all = &mut forest.trees;
    let nodes = all.feature.len() as u32;
    all.roots.extend(roots.iter().map(|node| node + nodes));
    all.left.extend(left.iter().map(|node| node + nodes));
    all.right.extend(right.iter().map(|node| node + nodes));
    all.feature.extend(feature);
    all.threshold.extend(threshold);
    all.missing_left.extend(missing_left);
    all.categories.extend(categories);
    if let (Leaves::OneTarget { target, value }, Leaves::OneTarget { target: targets, value: values }) =
        (&mut all.leaves, leaves)
    {
        target.extend(targets);
        value.extend(values);
    }
    forest.covers.extend(other.covers);
    forest.gains.extend(other.gains);
    forest.rounds.extend(other.rounds);
}
