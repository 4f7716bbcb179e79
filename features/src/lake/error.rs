//! What can go wrong with the lake, each in one sentence that says how to mend it.

use std::{io, path::PathBuf};

use domain::event::Kind;
use polars::error::PolarsError;

use super::columns::CellError;

/// Why the lake could not be read or written. What was there before is still there, whatever the error.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The disk is full.
    #[error(
        "the disk is full while {doing} {path}: what the lake held is untouched; make room and run the command again",
        path = path.display()
    )]
    Full {
        /// What was being done: «writing», …
        doing: &'static str,
        /// To which file.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("{doing} {path} failed: {source}", path = path.display())]
    Io {
        /// What was being done: «writing», …
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file is no whole Parquet file.
    #[error(
        "{path} is not a whole Parquet file, it was cut off or damaged: take it away, and export or import its events again ({source})",
        path = path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What polars says.
        source: Box<PolarsError>,
    },
    /// A file does not say that it belongs to a lake.
    #[error(
        "{path} was not written by Tributary, or not for the table {kind}: take it away, and bring its rows in with `tributary import`",
        path = path.display()
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// For which table it was taken.
        kind: Kind,
    },
    /// A file of a newer release.
    #[error(
        "{path} is of version {version} of the lake's schema, and this release reads up to {ours}: use the newer release",
        path = path.display(), ours = super::schema::VERSION
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// What it says.
        version: u32,
    },
    /// A file lacks a column of its version.
    #[error(
        "{path} lacks the column {column}: take it away, and export or import its events again",
        path = path.display()
    )]
    MissingColumn {
        /// Which file.
        path: PathBuf,
        /// What it lacks.
        column: &'static str,
    },
    /// A column holds something else than its table's list says.
    #[error(
        "{path} has {found} in the column {column}, where {expected} must be: take it away, and export or import its events again",
        path = path.display()
    )]
    WrongType {
        /// Which file.
        path: PathBuf,
        /// Which column.
        column: &'static str,
        /// What it must hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A value that does not say what it should.
    #[error("{id} in {path} cannot be read: {source}", path = path.display())]
    Cell {
        /// Which file.
        path: PathBuf,
        /// The event's id, as it stands there.
        id: String,
        /// What is wrong.
        source: CellError,
    },
    /// An event came after later ones of its kind.
    #[error(
        "{kind} must be written in the order in which they happened, and one of {occurred_at_us} µs came after {last_us} µs"
    )]
    OutOfOrder {
        /// Of which kind.
        kind: Kind,
        /// When it happened.
        occurred_at_us: i64,
        /// When the last one before it happened.
        last_us: i64,
    },
    /// A moment that no partition can be named after.
    #[error("{occurred_at_us} µs since 1970 is not within the years 1970 to 9999")]
    ImpossibleTime {
        /// When it is said to have happened.
        occurred_at_us: i64,
    },
    /// Another process compacts the lake.
    #[error("another process is writing partitions of {path}: wait until it has ended", path = path.display())]
    Busy {
        /// The lake's folder.
        path: PathBuf,
    },
    /// An address of a bucket that cannot be used.
    #[error(transparent)]
    Address(#[from] bucket::AddressError),
    /// Nobody knows where to keep what was read from a bucket.
    #[error("there is no folder for what is read from {address}: name one in TRIBUTARY_LAKE_CACHE")]
    NoCache {
        /// The lake's address.
        address: String,
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

impl LakeError {
    /// A failed file operation, told apart by what helps.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { doing, path },
            io::ErrorKind::ResourceBusy => Self::Busy { path },
            _ => Self::Io { doing, path, source },
        }
    }

    /// A computation that failed though nothing was wrong with a file.
    pub(super) fn computing(doing: &'static str) -> impl FnOnce(PolarsError) -> Self {
        move |source| Self::Computation { doing, source: Box::new(source) }
    }
}
