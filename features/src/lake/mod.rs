//! The event lake: everything that happened, as Parquet files that any tool can read, each partition whole at all times.
//!
//! docs/lake.md is its manual.

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
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::event::Kind;

use self::disk::{Disk, LocalDisk};
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

/// A folder of events.
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

    /// Its folder.
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
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
        let failed = |error| LakeError::io("writing", path, error);
        let folder = path.parent().unwrap_or(Path::new("."));
        let unfinished = path.with_extension("new");
        self.disk.make_folder(folder).map_err(failed)?;
        let mut file = self.disk.create(&unfinished).map_err(failed)?;
        file.append(bytes).and_then(|()| file.sync()).map_err(failed)?;
        self.disk.rename(&unfinished, path).and_then(|()| self.disk.sync_folder(folder)).map_err(failed)
    }

    /// What a note of somebody who writes into the lake says, by its path within it, which begins with `_`; none when it
    /// was never kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<String>, LakeError> {
        let path = self.root.join(name);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => text.map(Some).map_err(|error| LakeError::io("reading", path, error)),
        }
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
        let table = self.root.join(kind.name());
        let mut found = Vec::new();
        for date in names(&table)? {
            let hours = if partition::hourly(kind) { names(&table.join(&date))? } else { Vec::new() };
            let hours = hours.iter().map(|hour| Some(hour.as_str()));
            let hours = hours.chain((!partition::hourly(kind)).then_some(None));
            found.extend(hours.filter_map(|hour| Partition::named(kind, &date, hour)));
        }
        found.retain(|partition| self.root.join(partition.file()).exists());
        found.sort_unstable();
        Ok(found)
    }
}

/// The names in a folder; none of one that does not exist.
fn names(folder: &Path) -> Result<Vec<String>, LakeError> {
    let failed = |error| LakeError::io("reading", folder, error);
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(failed)?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
    Ok(names.collect::<io::Result<Vec<_>>>().map_err(failed)?.into_iter().flatten().collect())
}
