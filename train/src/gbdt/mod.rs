//! Gradient-boosted trees: histograms of quantised derivatives, grown leaf by leaf, as flat tables from which the file,
//! the predictions and their reasons all come.
//!
//! Derivatives become whole numbers before they are added, and whole numbers add up to the same in any order: the trees
//! are the same bits at any number of threads, and what a sibling holds is an exact difference. Leaf values are rounded
//! to a grid that is so fine that nothing is lost and so coarse that their sums are exact, again in any order.

mod bins;
mod block;
mod boost;
mod credits;
mod grow;
mod histogram;
pub mod losses;
mod model;
mod settings;
mod shap;
mod split;
mod tree;

pub use boost::{Examples, Round, fit};
pub use losses::Loss;
pub use model::{Boosted, Contributions};
pub use settings::{Monotone, Settings};

use crate::anomaly::matrix::MatrixError;

/// Why no trees could be grown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GbdtError {
    /// There is nothing to learn from.
    #[error("there are no {0} rows; give at least one")]
    NoRows(&'static str),
    /// There is nothing that rows could differ in.
    #[error("there are no columns to learn from; give at least one")]
    NoColumns,
    /// More rows than are counted.
    #[error("{0} rows are more than trees can be grown on; sample at most {max} of them", max = u32::MAX)]
    TooManyRows(usize),
    /// A setting that no trees can be grown with.
    #[error("{setting} is {value}, but must be {allowed}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Targets or weights that are not one for each row.
    #[error("there are {found} {what} for {rows} rows; give one for each row")]
    Count {
        /// Targets or weights.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many rows there are.
        rows: usize,
    },
    /// A target that the loss does not know.
    #[error("the target of row {row} is {value}; with the {loss} loss it must be {allowed}")]
    Target {
        /// The row, counted from zero.
        row: usize,
        /// What it is.
        value: f64,
        /// The loss.
        loss: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// Targets that are all alike where they must differ.
    #[error("the {loss} loss needs {needed} among the targets of rows with weight, and there is none")]
    Alike {
        /// The loss.
        loss: &'static str,
        /// What is not there.
        needed: &'static str,
    },
    /// A weight that is none.
    #[error("the weight of row {row} is {value}; weights are finite and not below zero")]
    Weight {
        /// The row, counted from zero.
        row: usize,
        /// What it is.
        value: f64,
    },
    /// No row counts.
    #[error("the weights of all rows are zero; give some row a weight")]
    NoWeight,
    /// A category that is no code.
    #[error(
        "row {row} of column {name} is {value}, which is no code of a category; codes are 0, 1, 2 and so on"
    )]
    Category {
        /// The row, counted from zero.
        row: usize,
        /// The column.
        name: String,
        /// What it is.
        value: f64,
    },
    /// Categories have no order.
    #[error("column {0} holds categories, which have no order; only numbers can be asked to be monotone")]
    MonotoneCategory(String),
    /// Early stopping needs rows to stop by.
    #[error("patience is set, but there are no held-out rows to stop by; give some, or no patience")]
    NothingToStopBy,
    /// Whoever watched does not want it any more.
    #[error("stopped when asked to")]
    Stopped,
    /// A name that is no loss.
    #[error("there is no loss called {name}; there are {known}")]
    UnknownLoss {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A table that is not like the one that was learned from.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
