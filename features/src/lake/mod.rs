//! The event lake: everything that happened, as Parquet files that any tool can read, each partition whole at all times.
//!
//! docs/lake.md is its manual.

mod bucket_disk;
#[cfg(test)]
mod bucket_tests;
mod columns;
mod compact;
#[cfg(test)]
mod compact_tests;
mod disk;
mod error;
mod incoming;
mod lock;
pub mod manual;
mod order;
mod part;
#[cfg(test)]
mod part_tests;
mod partition;
mod replay;
mod rows;
mod scan;
pub mod schema;
mod summary;
mod template;
#[cfg(test)]
mod testing;
mod writer;
#[cfg(test)]
mod writer_tests;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bucket::Bucket;
use domain::event::Kind;

use self::{
    bucket_disk::BucketDisk,
    disk::{Disk, Entry, LocalDisk, Over},
};
pub use self::{
    columns::CellError,
    compact::Compacted,
    error::LakeError,
    incoming::Batch,
    partition::Partition,
    replay::{Block, Replay, Told},
    scan::Events,
    summary::{Finding, TableSummary},
    writer::{Rewriter, Written},
};

/// Whether an address is that of a lake in a bucket, and no folder's path.
#[must_use]
pub fn is_in_bucket(address: &Path) -> bool {
    bucket::remote(address).is_some()
}

/// A folder of events, on this machine or in a bucket.
#[derive(Clone)]
pub struct Lake {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Lake {
    /// The lake in a folder, which need not exist before something is written.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), disk: Arc::new(LocalDisk) }
    }

    /// The lake at an address: `s3://BUCKET/FOLDER` for one in a bucket (which [`Bucket`] says more about), else a folder's
    /// path.
    ///
    /// # Errors
    /// When the address has another form, or the environment says too little to use it.
    pub fn open(address: impl AsRef<Path>) -> Result<Self, LakeError> {
        let address = address.as_ref();
        match bucket::remote(address) {
            Some(text) => BucketDisk::open(Bucket::at(text)?).map(Self::on),
            None => Ok(Self::at(address)),
        }
    }

    fn on(disk: BucketDisk) -> Self {
        Self { root: disk.root().to_owned(), disk: Arc::new(disk) }
    }

    /// Whether there is anything of a lake.
    ///
    /// # Errors
    /// When a bucket does not answer.
    pub fn exists(&self) -> Result<bool, LakeError> {
        self.disk.has_folder(&self.root).map_err(|error| LakeError::io("reading", &self.root, error))
    }

    /// Its folder, or its address.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Begins to write partitions anew, from events that come in order.
    ///
    /// # Errors
    /// When another process writes partitions, or the folder cannot be made.
    pub fn rewrite(&self) -> Result<Rewriter, LakeError> {
        Rewriter::new(self)
    }

    /// Puts a small file of the lake's own in its place, whole and for good.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
        let failed = |error| LakeError::io("writing", path, error);
        let folder = path.parent().unwrap_or(Path::new("."));
        let unfinished = path.with_extension("new");
        self.disk.make_folder(folder).map_err(failed)?;
        let mut file = self.disk.create(&unfinished).map_err(failed)?;
        file.append(bytes).and_then(|()| file.sync()).map_err(failed)?;
        self.disk
            .rename(&unfinished, path, Over::Anything)
            .and_then(|()| self.disk.sync_folder(folder))
            .map_err(failed)
    }

    /// What a note of somebody who writes into the lake says, by its path within it, which begins with `_`; none when it
    /// was never kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<String>, LakeError> {
        let path = self.root.join(name);
        self.disk.text(&path).map_err(|error| LakeError::io("reading", path, error))
    }

    /// Keeps a note, whole and for good.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_note(&self, name: &str, text: &str) -> Result<(), LakeError> {
        self.put(&self.root.join(name), text.as_bytes())
    }

    /// The partitions of a kind that exist, in time's order.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn partitions(&self, kind: Kind) -> Result<Vec<Partition>, LakeError> {
        Ok(self.found(kind)?.into_iter().map(|(partition, _)| partition).collect())
    }

    /// The partitions of a kind, and what was found in their places.
    fn found(&self, kind: Kind) -> Result<Vec<(Partition, Entry)>, LakeError> {
        let table = self.root.join(kind.name());
        let entries = self.disk.list(&table).map_err(|error| LakeError::io("reading", &table, error))?;
        let partition = |entry: &Entry| Partition::at(kind, entry.path.strip_prefix(&table).ok()?);
        let mut found: Vec<_> =
            entries.into_iter().filter_map(|entry| Some((partition(&entry)?, entry))).collect();
        found.sort_unstable_by_key(|(partition, _)| *partition);
        Ok(found)
    }

    /// Those that something of `range_us` may be in.
    fn touched(&self, kind: Kind, range_us: &Range<i64>) -> Result<Vec<(Partition, Entry)>, LakeError> {
        let mut found = self.found(kind)?;
        found.retain(|(it, _)| it.start_us < range_us.end && range_us.start < it.end_us());
        Ok(found)
    }
}
