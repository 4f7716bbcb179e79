//! Anomaly detectors that never see a label: each learns from a table what is ordinary, and says of every row how far
//! from it the row is, and which features make it so.
//!
//! A score rises with strangeness and is comparable within one fitted detector only; [`calibrate`] makes of it a
//! probability, where there are labels, and a threshold of known false-positive rate, where there are none.

#[cfg(feature = "torch")]
pub mod autoencoder;
pub mod calibrate;
pub mod conformal;
pub(crate) mod dice;
pub mod ecod;
pub mod ensemble;
pub mod extended;
pub mod forest;
pub mod hbos;
pub mod matrix;
pub mod metrics;
pub mod npz;
pub mod planted;
pub mod reasons;
pub mod steps;
pub mod supervised;
pub mod surprise;
pub mod two_stages;

use matrix::{Matrix, MatrixError};

use crate::gbdt::GbdtError;

/// Why a detector could not be fitted or cannot score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DetectorError {
    /// There is nothing to learn from.
    #[error("there are no rows to learn from; give at least one")]
    NoRows,
    /// There is nothing that rows could differ in.
    #[error("there are no columns to learn from; give at least one")]
    NoColumns,
    /// More rows than positions are kept for.
    #[error("{0} rows are more than a detector can be fitted on; sample at most {max} of them", max = u32::MAX)]
    TooManyRows(usize),
    /// A setting that no detector can be made with.
    #[error("{setting} is {value}, but must be {allowed}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A table that is not like the one that was learned from.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// Trees could not be boosted.
    #[error(transparent)]
    Trees(#[from] GbdtError),
    /// The library that trains networks failed.
    #[error("libtorch failed: {0}")]
    Torch(String),
}

/// What has learned what is ordinary.
pub trait Detector: Send + Sync {
    /// Its name on a command line and in a file of scores, such as `iforest`.
    fn name(&self) -> &'static str;

    /// One number for each row, greater for stranger rows; the same bytes at any number of threads.
    ///
    /// # Errors
    /// When the table has other columns than the one that was learned from.
    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError>;

    /// What each feature contributes to the strangeness of one row: one number for each column, greater for guiltier
    /// features. `row` holds one value for each column that was learned from.
    fn blame(&self, row: &[f64]) -> Vec<f64>;
}

/// That a table can be learned from at all.
fn check_learnable(table: &Matrix) -> Result<(), DetectorError> {
    if table.rows() == 0 {
        return Err(DetectorError::NoRows);
    }
    if table.width() == 0 {
        return Err(DetectorError::NoColumns);
    }
    if u32::try_from(table.rows()).is_err() {
        return Err(DetectorError::TooManyRows(table.rows()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
