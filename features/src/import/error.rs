//! Why a file cannot be imported at all; what is wrong with a row rejects that row.

use std::{io, path::PathBuf};

use polars::error::PolarsError;

use super::fields::Rows;
use crate::lake::LakeError;

/// Why an import ended. What was imported until then stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file, or one beside it, cannot be read or written.
    #[error("{doing} {path} failed: {source}", path = path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file's name does not say what it is.
    #[error("{path} could be anything: name its format (csv, ndjson or parquet)", path = path.display())]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
    },
    /// The file is not what its format says.
    #[error("{path} cannot be read as {format}: {why}", path = path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// As what it was read.
        format: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A column was named that the file does not have.
    #[error("the file has no column {column:?}, it has {columns}")]
    UnknownColumn {
        /// Which.
        column: String,
        /// Those that it has.
        columns: String,
    },
    /// A field was named that rows of this kind do not have.
    #[error("{rows} have no field {field:?}, they have {}", names(*.rows))]
    UnknownField {
        /// Which.
        field: String,
        /// Of what.
        rows: Rows,
    },
    /// No column says what every row must say.
    #[error(
        "no column is {field}: map one (--map column={field}) or set it for all rows (--set {field}=…); the file has {columns}"
    )]
    MissingField {
        /// Which.
        field: &'static str,
        /// The columns that the file has.
        columns: String,
    },
    /// What identifies people can only be hidden with the installation's secret.
    #[error(
        "the column {field} is kept only as a keyed hash: give the installation's secret (TRIBUTARY_SECRET), or leave the column out (--map {field}=)"
    )]
    NeedsSecret {
        /// Which.
        field: &'static str,
    },
    /// The note of how far an earlier import came cannot be understood.
    #[error("{path} cannot be understood ({why}): take it away, and the file is imported from its beginning", path = path.display())]
    Note {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The lake cannot be written.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

fn names(rows: Rows) -> String {
    rows.fields().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

impl ImportError {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.into(), source }
    }

    pub(super) fn parquet(path: impl Into<PathBuf>) -> impl FnOnce(PolarsError) -> Self {
        move |error| Self::Malformed { path: path.into(), format: "Parquet", why: error.to_string() }
    }
}
