//! Where versions and aliases lie: few operations, each of which happens whole or not at all.

use std::{fmt, io, path::PathBuf};

pub use ::bucket::{Tag, Written};

use super::name::{ModelName, Version};

/// The file of a model that says which version is for what.
pub(super) const ALIASES: &str = "aliases.json";

/// A place that keeps a registry: a folder ([`super::Folder`]), or a bucket ([`::bucket::Bucket`]).
///
/// There is no lock in it: a writer that comes second is told so and decides anew. A bucket claims a version's number by
/// writing an object unless it exists (`If-None-Match: *`), writes the version's files, and the manifest last, which is
/// what makes the version be there; and it swaps aliases by writing them if they are unchanged (`If-Match` with the tag
/// that was read). Whoever is killed in between leaves a number that is claimed and no version, and nobody waits for it:
/// the next one takes the next number.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The models that have a version, by name.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn models(&self) -> Result<Vec<ModelName>, StorageError>;

    /// The versions of a model, ascending; none for a model that is not there.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn versions(&self, model: &ModelName) -> Result<Vec<Version>, StorageError>;

    /// A file of a version, or none where it is not there.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn read(&self, model: &ModelName, version: Version, file: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// Writes all files of a version, the manifest as the last of them, so that it is there whole or not at all, and for
    /// good once this returns. A number that was given once is [`Written::Late`] for everybody after.
    ///
    /// # Errors
    /// When the place cannot be written.
    fn create(
        &self,
        model: &ModelName,
        version: Version,
        files: &[(&str, &[u8])],
    ) -> Result<Written, StorageError>;

    /// The aliases of a model, or none where nothing was ever promoted.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn aliases(&self, model: &ModelName) -> Result<Option<Tagged>, StorageError>;

    /// Writes the aliases of a model, if they are still what was read: `expected` is the tag that [`Self::aliases`]
    /// gave.
    ///
    /// # Errors
    /// When the place cannot be written.
    fn swap_aliases(
        &self,
        model: &ModelName,
        expected: Option<&Tag>,
        bytes: &[u8],
    ) -> Result<Written, StorageError>;
}

/// A content with its tag.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// The content.
    pub bytes: Vec<u8>,
    /// Its tag.
    pub tag: Tag,
}

/// Why a registry's place could not be read or written. What was there before is still there, whatever the error.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk is full.
    #[error(
        "the disk is full while {doing} {}: what the registry held is untouched; make room and run the command again",
        path.display()
    )]
    Full {
        /// What was being done: «writing», …
        doing: &'static str,
        /// To which file.
        path: PathBuf,
    },
    /// An operation failed.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was being done: «writing», …
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl StorageError {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { doing, path },
            _ => Self::Io { doing, path, source },
        }
    }
}
