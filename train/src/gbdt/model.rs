//! Fitted trees: what they say of rows, what each feature gained, and their place in a graph.

use models::{
    graph::{
        Graph, GraphError, Value,
        trees::{Leaves, Link, Trees},
    },
    matching::Grove,
};
use rayon::prelude::*;

use super::{Round, credits, shap};
use crate::anomaly::matrix::{Column, Matrix, MatrixError};

/// Rows that go down all trees before the next ones.
const TOGETHER: usize = 256;

/// Fitted trees. The tables are all there is: file, predictions and reasons come from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosted {
    /// The trees, their first score and their link.
    pub trees: Trees,
    /// How many rows that the tree saw came to each node.
    pub covers: Vec<f64>,
    /// What each split gained: by how much it lowered the loss, twice, to second order; zero at leaves.
    pub gains: Vec<f64>,
    /// The columns that were learned from.
    pub columns: Vec<Column>,
    /// What was known after each tree that was grown, kept or not.
    pub rounds: Vec<Round>,
}

/// How one score came about: `base` plus the sum of the contributions.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// The score that is expected of the rows that were learned from.
    pub base: f64,
    /// What each feature adds to it.
    pub features: Vec<f64>,
}

impl Boosted {
    /// How many trees there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trees.roots.len()
    }

    /// Whether there is none, so that all rows get the first score.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trees.roots.is_empty()
    }

    /// The score of each row before the link; the same number as the file's, whatever its order of sums.
    ///
    /// # Errors
    /// When the table has another width than the one that was learned from.
    pub fn scores(&self, table: &Matrix) -> Result<Vec<f64>, MatrixError> {
        table.check_width(self.columns.len())?;
        let mut scores = vec![0.0; table.rows()];
        let width = table.width();
        let blocks = scores.par_chunks_mut(TOGETHER).zip(table.values().par_chunks(TOGETHER * width));
        blocks.for_each(|(scores, rows)| {
            for root in &self.trees.roots {
                for (score, row) in scores.iter_mut().zip(rows.chunks_exact(width)) {
                    *score += self.value(self.leaf(*root as usize, row));
                }
            }
            scores.iter_mut().for_each(|score| *score += self.trees.base[0]);
        });
        Ok(scores)
    }

    /// What is predicted for each row: a mean, a quantile or a chance, as the loss has it.
    ///
    /// # Errors
    /// When the table has another width than the one that was learned from.
    pub fn predictions(&self, table: &Matrix) -> Result<Vec<f64>, MatrixError> {
        let mut scores = self.scores(table)?;
        match self.trees.link {
            Link::Logistic => scores.iter_mut().for_each(|it| *it = 1.0 / (1.0 + libm::exp(-*it))),
            Link::Exponential => scores.iter_mut().for_each(|it| *it = libm::exp(*it)),
            Link::Identity | Link::Softmax => {}
        }
        Ok(scores)
    }

    /// Whether predictions are e to the score.
    #[must_use]
    pub fn is_exponential(&self) -> bool {
        self.trees.link == Link::Exponential
    }

    /// What the splits of each feature gained together.
    #[must_use]
    pub fn importance(&self) -> Vec<f64> {
        let mut importance = vec![0.0; self.columns.len()];
        for (feature, gain) in self.trees.feature.iter().zip(&self.gains) {
            if let Ok(feature) = usize::try_from(*feature) {
                importance[feature] += gain;
            }
        }
        importance
    }

    /// How the score of one row came about. `row` holds one value for each column that was learned from.
    #[must_use]
    pub fn contributions(&self, row: &[f64]) -> Contributions {
        shap::contributions(self, row)
    }

    /// How the score of one row came about, question by question: each is credited with the change in what is expected.
    /// Cheaper than [`Self::contributions`], and what [`Self::add_with_credits`] says; of features that are asked together
    /// it credits the one lower in the trees more.
    #[must_use]
    pub fn credits(&self, row: &[f64]) -> Contributions {
        credits::credits(self, row)
    }

    /// Adds the trees to a graph: the scores before the link, batch × 1, and their credits, batch × features.
    ///
    /// # Errors
    /// When the rows have another width than the ones that were learned from.
    pub fn add_with_credits(&self, graph: &mut Graph, rows: &Value) -> Result<[Value; 2], GraphError> {
        credits::add(self, graph, rows)
    }

    /// The trees with what each node expects, as tables; no column of them holds categories.
    #[must_use]
    pub fn grove(&self) -> Grove {
        let Trees { roots, feature, threshold, left, right, missing_left, base, .. } = self.trees.clone();
        let expected = credits::expected(self);
        Grove { roots, feature, threshold, left, right, missing_left, expected, base: base[0] }
    }

    /// Adds the trees to a graph: the scores before the link, and the predictions; each batch × 1.
    ///
    /// # Errors
    /// When the rows have another width than the ones that were learned from.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<[Value; 2], GraphError> {
        let score = Trees { link: Link::Identity, ..self.trees.clone() }.add(graph, rows)?;
        let prediction = match self.trees.link {
            Link::Logistic => graph.sigmoid(&score)?,
            Link::Exponential => graph.exp(&score)?,
            Link::Identity | Link::Softmax => score.clone(),
        };
        Ok([score, prediction])
    }

    /// The child that a row goes to; None at a leaf.
    pub(super) fn next(&self, node: usize, row: &[f64]) -> Option<usize> {
        let trees = &self.trees;
        let value = row[usize::try_from(trees.feature[node]).ok()?];
        let set = &trees.categories[node];
        let left = if value.is_nan() {
            trees.missing_left[node]
        } else if set.is_empty() {
            value <= trees.threshold[node]
        } else {
            set.binary_search_by(|code| f64::from(*code).total_cmp(&(value + 0.0))).is_ok()
        };
        Some(if left { trees.left[node] } else { trees.right[node] } as usize)
    }

    fn leaf(&self, root: usize, row: &[f64]) -> usize {
        let mut node = root;
        while let Some(child) = self.next(node, row) {
            node = child;
        }
        node
    }

    /// What a leaf adds.
    pub(super) fn value(&self, node: usize) -> f64 {
        match &self.trees.leaves {
            Leaves::OneTarget { value, .. } | Leaves::Vectors(value) => value[node],
        }
    }

    /// Forgets all but the first trees.
    pub(super) fn keep(&mut self, trees: usize) {
        let Some(end) = self.trees.roots.get(trees).map(|root| *root as usize) else { return };
        self.trees.roots.truncate(trees);
        self.trees.feature.truncate(end);
        self.trees.threshold.truncate(end);
        self.trees.left.truncate(end);
        self.trees.right.truncate(end);
        self.trees.missing_left.truncate(end);
        self.trees.categories.truncate(end);
        self.covers.truncate(end);
        self.gains.truncate(end);
        if let Leaves::OneTarget { target, value } = &mut self.trees.leaves {
            target.truncate(trees);
            value.truncate(end);
        }
    }
}
