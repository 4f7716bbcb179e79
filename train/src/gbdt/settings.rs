//! How trees are grown.

use super::GbdtError;
use crate::anomaly::matrix::Matrix;

/// How a prediction may follow a feature while all others stay the same. Of missing values nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Monotone {
    /// As it likes.
    #[default]
    Free,
    /// It never falls as the feature rises.
    Rising,
    /// It never rises as the feature rises.
    Falling,
}

/// How trees are grown. Where LightGBM knows a setting, the default is LightGBM's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many trees at most.
    pub trees: usize,
    /// How many leaves a tree has at most.
    pub leaves: usize,
    /// How many questions a row is asked at most; None for no limit.
    pub max_depth: Option<usize>,
    /// What part of its best value a leaf takes.
    pub learning_rate: f64,
    /// How many rows a leaf has at least.
    pub min_rows: usize,
    /// The least sum of second derivatives in a leaf.
    pub min_hessian: f64,
    /// What a split must gain at least.
    pub min_gain: f64,
    /// What is added to the sum of second derivatives, so that small leaves stay near zero (L2).
    pub l2: f64,
    /// The chance of each row to be seen by a tree.
    pub row_fraction: f64,
    /// The part of the features that a tree may ask for.
    pub feature_fraction: f64,
    /// How many ranges the values of a feature are told apart by, at most.
    pub bins: usize,
    /// Imagined second derivatives of each category, so that rare ones do not come first or last by chance.
    pub category_smoothing: f64,
    /// What is added to `l2` where several categories go left together, because they were chosen from so many sets.
    pub category_l2: f64,
    /// How many categories go left at most.
    pub most_categories: usize,
    /// One for each column, or none at all.
    pub monotone: Vec<Monotone>,
    /// After how many trees without a lower loss on the held-out rows no more are grown; the trees up to the lowest
    /// remain. None grows all.
    pub patience: Option<usize>,
    /// What all chance follows from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trees: 200,
            leaves: 31,
            max_depth: None,
            learning_rate: 0.1,
            min_rows: 20,
            min_hessian: 1e-3,
            min_gain: 0.0,
            l2: 0.0,
            row_fraction: 1.0,
            feature_fraction: 1.0,
            bins: 255,
            category_smoothing: 10.0,
            category_l2: 10.0,
            most_categories: 32,
            monotone: Vec::new(),
            patience: None,
            seed: 0,
        }
    }
}

impl Settings {
    /// That trees can be grown with these on such a table.
    ///
    /// # Errors
    /// Which of them is out of bounds.
    pub(super) fn check(&self, table: &Matrix) -> Result<(), GbdtError> {
        let whole = [
            ("trees", self.trees, 1..=1_000_000, "from 1 to 1000000"),
            ("leaves", self.leaves, 2..=65_536, "from 2 to 65536"),
            ("max_depth", self.max_depth.unwrap_or(1), 1..=usize::MAX, "at least 1"),
            ("min_rows", self.min_rows, 1..=usize::MAX, "at least 1"),
            ("bins", self.bins, 2..=255, "from 2 to 255"),
            ("most_categories", self.most_categories, 1..=254, "from 1 to 254"),
            ("patience", self.patience.unwrap_or(1), 1..=usize::MAX, "at least 1"),
        ];
        for (setting, value, range, allowed) in whole {
            if !range.contains(&value) {
                return Err(GbdtError::Setting { setting, value: value.to_string(), allowed });
            }
        }
        let part = |value: f64| 0.0 < value && value <= 1.0;
        let size = |value: f64| value.is_finite() && 0.0 <= value;
        let real = [
            ("learning_rate", self.learning_rate, part(self.learning_rate), "above 0 and at most 1"),
            ("row_fraction", self.row_fraction, part(self.row_fraction), "above 0 and at most 1"),
            ("feature_fraction", self.feature_fraction, part(self.feature_fraction), "above 0 and at most 1"),
            ("min_hessian", self.min_hessian, size(self.min_hessian), "finite and at least 0"),
            ("min_gain", self.min_gain, size(self.min_gain), "finite and at least 0"),
            ("l2", self.l2, size(self.l2), "finite and at least 0"),
            (
                "category_smoothing",
                self.category_smoothing,
                size(self.category_smoothing),
                "finite and at least 0",
            ),
            ("category_l2", self.category_l2, size(self.category_l2), "finite and at least 0"),
        ];
        for (setting, value, holds, allowed) in real {
            if !holds {
                return Err(GbdtError::Setting { setting, value: value.to_string(), allowed });
            }
        }
        self.check_monotone(table)
    }

    fn check_monotone(&self, table: &Matrix) -> Result<(), GbdtError> {
        if self.monotone.is_empty() {
            return Ok(());
        }
        if self.monotone.len() != table.width() {
            return Err(GbdtError::Setting {
                setting: "monotone",
                value: format!("a list of {}", self.monotone.len()),
                allowed: "empty, or one for each column",
            });
        }
        let mut asked = table.columns().iter().zip(&self.monotone);
        match asked.find(|(column, monotone)| **monotone != Monotone::Free && column.levels.is_some()) {
            Some((column, _)) => Err(GbdtError::MonotoneCategory(column.name.clone())),
            None => Ok(()),
        }
    }

    /// How a prediction may follow a feature.
    pub(super) fn monotone_in(&self, feature: usize) -> Monotone {
        self.monotone.get(feature).copied().unwrap_or_default()
    }
}
