//! Why a training set cannot be made; nothing half written is left behind.

use std::{io, path::PathBuf};

use polars::error::PolarsError;

use super::HistoryError;
use crate::lake::LakeError;

/// Why a training set cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The lake is not there, or cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A file cannot be read or written.
    #[error("{doing} {path} failed: {source}", path = path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{path} cannot be read as {format}: {why}", path = path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// As what it was read.
        format: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Verdicts about something else than conversions.
    #[error(
        "verdicts are about conversions, and these rows name none: leave --verdicts out, or name them in a column conversion_id"
    )]
    NoConversions,
    /// A column is missing.
    #[error("{path} has no column {wanted}: it has {columns}", path = path.display())]
    MissingColumn {
        /// Which file.
        path: PathBuf,
        /// What it should have.
        wanted: String,
        /// What it has.
        columns: String,
    },
    /// A column holds something else.
    #[error("{path} has {found} in the column {column}, where {expected} must be", path = path.display())]
    WrongType {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: String,
        /// What must be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A value does not say what it should.
    #[error("{path}, row {row}, column {column}: {why}", path = path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which row, counted from one, without the header.
        row: usize,
        /// Which column.
        column: String,
        /// What is wrong.
        why: String,
    },
    /// Two columns would have one name.
    #[error("{path} has a column {column}, which is the name of a column of the training set: give it another name", path = path.display())]
    Taken {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: String,
    },
    /// There is nothing to learn from.
    #[error("there is nothing between {from} and {to}: {what}")]
    Nothing {
        /// From when.
        from: String,
        /// To when.
        to: String,
        /// What was looked for.
        what: String,
    },
    /// Nothing that the labels name is there.
    #[error("none of the {many} {what} that {path} names is in the lake: import the events that it was made from first", path = path.display())]
    NoneFound {
        /// How many were named.
        many: usize,
        /// Of what.
        what: &'static str,
        /// In which file.
        path: PathBuf,
    },
    /// The output exists already.
    #[error("{path} exists already: give another name, or take it away", path = path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// polars could not compute something.
    #[error("{doing} failed: {source}")]
    Computation {
        /// What was being done.
        doing: &'static str,
        /// What polars says.
        source: Box<PolarsError>,
    },
}

impl From<LakeError> for TrainingError {
    fn from(error: LakeError) -> Self {
        Self::History(error.into())
    }
}

impl TrainingError {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.into(), source }
    }

    pub(super) fn computing(doing: &'static str) -> impl FnOnce(PolarsError) -> Self {
        move |source| Self::Computation { doing, source: Box::new(source) }
    }
}
