//! Events: as lines of JSON in the order in which they became known, or as partitions of a lake.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use domain::event::{Event, Kind, Known};
use features::lake::{Lake, Rewriter};

use super::{EVENTS, Sink};

/// One file of JSON lines for each kind of event.
pub struct Lines(BTreeMap<Kind, LineFile>);

impl Lines {
    /// Files below `folder`.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        let folder = folder.join(EVENTS);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let file = |kind: &Kind| Ok((*kind, LineFile::create(&folder, kind.name())?));
        Ok(Self(Kind::HAPPENS.iter().map(file).collect::<Result<_>>()?))
    }
}

impl Sink for Lines {
    fn event(&mut self, known: &Known<Event>) -> Result<()> {
        self.0.get_mut(&known.event.kind()).context("every kind has a file")?.line(known)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.into_values().try_for_each(LineFile::finish)
    }
}

/// One file of JSON lines.
struct LineFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl LineFile {
    fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{name}.ndjson"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file) })
    }

    fn line(&mut self, known: &Known<Event>) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, known).map_err(Into::into);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        written.with_context(|| format!("cannot write to {}", self.path.display()))
    }

    /// What was written is on the disk when this returns.
    fn finish(self) -> Result<()> {
        let Self { path, file } = self;
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error);
        let synced = file.and_then(|file| file.sync_all());
        synced.with_context(|| format!("cannot finish {}", path.display()))
    }
}

/// The partitions of a lake, which are written one after the other: for events that are told as they happen.
pub struct Partitions(Rewriter);

impl Partitions {
    /// The lake in a folder; partitions that it has already are replaced where this world has events.
    ///
    /// # Errors
    /// When another process writes partitions there, or the folder cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        Ok(Self(Lake::open(folder)?.rewrite()?))
    }
}

impl Sink for Partitions {
    fn event(&mut self, known: &Known<Event>) -> Result<()> {
        Ok(self.0.push(known)?)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.finish()?;
        Ok(())
    }
}
