//! The isolation forest: what few random questions single out is an anomaly (Liu, Ting and Zhou 2008).

mod descent;
mod grow;

use rayon::prelude::*;

use super::{Detector, DetectorError, check_learnable, dice::Dice, matrix::Matrix};
use descent::Descent;

/// How a forest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many trees: 100 in the paper, which finds that path lengths converge well before.
    pub trees: usize,
    /// How many rows each tree sees: 256 in the paper. All rows when there are fewer.
    pub sample_size: usize,
    /// What all chance follows from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { trees: 100, sample_size: 256, seed: 0 }
    }
}

impl Settings {
    /// # Errors
    /// When there is no tree, or no row for one.
    pub(super) fn check(&self) -> Result<(), DetectorError> {
        let wrong = |setting, value: usize, allowed| {
            Err(DetectorError::Setting { setting, value: value.to_string(), allowed })
        };
        match (self.trees, self.sample_size) {
            (0, _) => wrong("trees", 0, "at least 1"),
            (_, 0 | 1) => wrong("sample_size", self.sample_size, "at least 2"),
            (_, size) if 1 << 24 < size => wrong("sample_size", size, "at most 16777216"),
            _ => Ok(()),
        }
    }
}

/// All trees of a forest behind one another. Each tree's nodes stand level by level from its root on; a node's children
/// are positions in the same arrays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trees {
    /// The column that a node asks about; −1 for a leaf.
    pub feature: Vec<i32>,
    /// A row goes left if its value is at most this. Zero for a leaf.
    pub threshold: Vec<f64>,
    /// The child for values up to the threshold; the node itself for a leaf.
    pub left: Vec<u32>,
    /// The child for values beyond the threshold; the node itself for a leaf.
    pub right: Vec<u32>,
    /// Whether a row without this value goes left. False for a leaf.
    pub missing_left: Vec<bool>,
    /// How many rows of the tree's sample came here.
    pub samples: Vec<u32>,
    /// How many questions were asked before.
    pub depth: Vec<u32>,
    /// The path length that is expected from here on: depth + c(samples) at a leaf, and at a node the mean over its
    /// sample. What a row adds to the forest's sum is this number of its leaf.
    pub path: Vec<f64>,
    /// Where each tree begins.
    pub roots: Vec<u32>,
}

impl Trees {
    /// How many nodes there are in all trees together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.feature.len()
    }

    /// Whether there is no tree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feature.is_empty()
    }

    /// The child that a row goes to; None at a leaf.
    fn next(&self, node: usize, row: &[f64]) -> Option<(usize, usize)> {
        let feature = usize::try_from(self.feature[node]).ok()?;
        let value = row[feature];
        let left = if value.is_nan() { self.missing_left[node] } else { value <= self.threshold[node] };
        let child = if left { self.left[node] } else { self.right[node] };
        Some((feature, child as usize))
    }

    fn append(&mut self, tree: Self) {
        let offset = u32::try_from(self.len()).expect("a forest has fewer than 2³² nodes");
        self.roots.push(offset);
        self.left.extend(tree.left.iter().map(|child| child + offset));
        self.right.extend(tree.right.iter().map(|child| child + offset));
        self.feature.extend(tree.feature);
        self.threshold.extend(tree.threshold);
        self.missing_left.extend(tree.missing_left);
        self.samples.extend(tree.samples);
        self.depth.extend(tree.depth);
        self.path.extend(tree.path);
    }
}

/// The mean path length of an unsuccessful search in a binary search tree of `n` keys: c(n) = 2 H(n−1) − 2 (n−1)/n,
/// with H(i) estimated as ln i + γ (Liu, Ting and Zhou 2008, equation 1; scikit-learn computes the same numbers).
#[must_use]
pub fn average_path_length(n: usize) -> f64 {
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let (n, last) = (n as f64, (n - 1) as f64);
            2.0 * (libm::log(last) + std::f64::consts::EULER_GAMMA) - 2.0 * last / n
        }
    }
}

/// The anomaly score of a mean path length: 2^(−mean/c), between 0 and 1, one half where the mean is as expected.
#[must_use]
pub fn score_of(mean_path: f64, average_path: f64) -> f64 {
    if 0.0 < average_path { libm::exp2(-mean_path / average_path) } else { 0.5 }
}

/// How a row's mean path length came about: `base` plus the sum of the credits.
#[derive(Debug, Clone, PartialEq)]
pub struct Credits {
    /// The mean path length that the forest expects of the rows it was grown on.
    pub base: f64,
    /// For each column, by how much its questions changed what was expected. Below zero: the row was singled out
    /// sooner because of it.
    pub features: Vec<f64>,
}

/// A fitted isolation forest.
#[derive(Debug, Clone)]
pub struct IsolationForest {
    width: usize,
    sample_size: u32,
    average_path: f64,
    trees: Trees,
    descent: Descent,
}

impl IsolationForest {
    /// Grows a forest; the same table, settings and seed give the same forest at any number of threads.
    ///
    /// # Errors
    /// When there is nothing to learn from, or the settings are out of bounds.
    pub fn fit(table: &Matrix, settings: &Settings) -> Result<Self, DetectorError> {
        settings.check()?;
        check_learnable(table)?;
        let sample_size = settings.sample_size.min(table.rows());
        let limit = height_limit(sample_size);
        let rows = u32::try_from(table.rows()).map_err(|_| DetectorError::TooManyRows(table.rows()))?;
        let grown: Vec<Trees> = (0..settings.trees as u64)
            .into_par_iter()
            .map(|tree| {
                let mut dice = Dice::new(settings.seed, tree);
                let sample = dice.sample(rows, sample_size);
                grow::tree(table, sample, limit, dice)
            })
            .collect();
        let mut trees = Trees::default();
        grown.into_iter().for_each(|tree| trees.append(tree));
        let average_path = average_path_length(sample_size);
        let sample_size = u32::try_from(sample_size).map_err(|_| DetectorError::TooManyRows(sample_size))?;
        Ok(Self {
            width: table.width(),
            sample_size,
            average_path,
            descent: Descent::new(&trees, limit),
            trees,
        })
    }

    /// The trees as flat arrays, for another format.
    #[must_use]
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// c(ψ), which scores are relative to: the score of a mean path length m is 2^(−m/c).
    #[must_use]
    pub fn average_path(&self) -> f64 {
        self.average_path
    }

    /// How many rows each tree was grown from (ψ).
    #[must_use]
    pub fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// How many columns it was fitted on.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The mean path length of each row over the trees, c(n) of its leaves included.
    ///
    /// # Errors
    /// When the table has another width.
    pub fn mean_paths(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        table.check_width(self.width)?;
        let mut sums = self.descent.sums(&self.trees, table);
        let trees = self.trees.roots.len() as f64;
        sums.iter_mut().for_each(|sum| *sum /= trees);
        Ok(sums)
    }

    /// How one row's mean path length came about. On the way down, each question is credited with the change in the path
    /// length that the tree's own sample lets expect (Saabas 2014, for regression trees).
    #[must_use]
    pub fn credits(&self, row: &[f64]) -> Credits {
        let mut credits = Credits { base: 0.0, features: vec![0.0; self.width] };
        for &root in &self.trees.roots {
            let mut node = root as usize;
            credits.base += self.trees.path[node];
            while let Some((feature, child)) = self.trees.next(node, row) {
                credits.features[feature] += self.trees.path[child] - self.trees.path[node];
                node = child;
            }
        }
        let trees = self.trees.roots.len() as f64;
        credits.base /= trees;
        credits.features.iter_mut().for_each(|credit| *credit /= trees);
        credits
    }
}

impl Detector for IsolationForest {
    fn name(&self) -> &'static str {
        "iforest"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        let mut scores = self.mean_paths(table)?;
        scores.par_iter_mut().with_min_len(4096).for_each(|path| *path = score_of(*path, self.average_path));
        Ok(scores)
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        self.credits(row).features.into_iter().map(|credit| -credit).collect()
    }
}

/// ⌈log₂ ψ⌉, the mean height of a tree of ψ rows, and at least one.
pub(super) fn height_limit(sample_size: usize) -> u32 {
    sample_size.max(2).next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests;
