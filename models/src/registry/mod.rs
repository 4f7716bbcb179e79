//! The registry: every version of every model with all that is known of it, and which one is champion.
//!
//! A version is never changed and its number never given again; an alias moves together with its history; two writers
//! never lose each other's work, and whoever is killed leaves what was there or what was to come, and nothing between.

mod alias;
mod bucket;
mod card;
mod diff;
mod disk;
mod folder;
pub mod gate;
pub mod manifest;
mod name;
mod promote;
mod publish;
mod read;
mod storage;

#[cfg(test)]
mod bucket_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod places;
#[cfg(test)]
mod tests;

pub use ::bucket::AddressError;
pub use alias::{Action, Aliases, Decision, Move};
pub use diff::{Change, Diff, MetricChange};
pub use folder::Folder;
pub use manifest::Manifest;
pub use name::{Alias, ModelName, NoName, NoVersion, Reference, Version};
pub use promote::{Force, PromoteError, Promotion};
pub use publish::{Publication, PublishError};
pub use read::{Entry, ReadError};
pub use storage::{Storage, StorageError, Tag, Tagged, Written};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ::bucket::Bucket;

/// The graph.
pub const MODEL: &str = "model.onnx";
/// What is known of it.
pub const MANIFEST: &str = "manifest.json";
/// The same for people.
pub const CARD: &str = "card.md";
/// What its training showed.
pub const REPORT: &str = "report.html";
/// SHA-256 of the other files, as `sha256sum --check` reads it.
pub const SUMS: &str = "SHA256SUMS";

/// A registry of models. Clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry {
    storage: Arc<dyn Storage>,
}

impl Registry {
    /// The registry in a folder of a local disk, which need not be there yet.
    #[must_use]
    pub fn in_folder(root: impl Into<PathBuf>) -> Self {
        Self::over(Arc::new(Folder::at(root)))
    }

    /// The registry at an address: `s3://BUCKET/FOLDER` for one in a bucket (who we are and where that is, the environment
    /// says: [`Bucket`]), else a folder's path. Neither need be there yet, but the bucket itself.
    ///
    /// # Errors
    /// When it is no address of a bucket though it looks like one, or the environment says too little.
    pub fn at(address: &Path) -> Result<Self, AddressError> {
        match ::bucket::remote(address) {
            Some(address) => Bucket::at(address).map(|bucket| Self::over(Arc::new(bucket))),
            None => Ok(Self::in_folder(address)),
        }
    }

    /// The registry that a storage keeps.
    #[must_use]
    pub fn over(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }
}
