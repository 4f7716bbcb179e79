//! Where a world's stream is written: events in one folder, what is known of the network in a second, and the truth in
//! a third, which no job is pointed at.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use domain::event::{Event, Kind, Known};
use serde::Serialize;

use crate::{
    run::{Record, Run},
    truth::Truth,
    world::World,
};

/// Takes a world's stream.
pub trait Sink {
    /// Takes one event; they come in the order in which they become known.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn event(&mut self, known: &Known<Event>) -> Result<()>;

    /// Takes one fact.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn truth(&mut self, truth: &Truth) -> Result<()>;

    /// Makes what was taken last.
    ///
    /// # Errors
    /// When not all of it could be written.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Lets a world pass into a sink and calls `seen` after each event.
///
/// # Errors
/// When the sink cannot keep something.
pub fn pour(
    world: &World,
    mut sink: Box<dyn Sink>,
    mut seen: impl FnMut(&Known<Event>, &Run<'_>),
) -> Result<()> {
    let mut run = world.run();
    while let Some(record) = run.next() {
        match record {
            Record::Event(known) => {
                sink.event(&known)?;
                seen(&known, &run);
            }
            Record::Truth(truth) => sink.truth(&truth)?,
        }
    }
    sink.finish()
}

/// Keeps nothing.
pub struct Nowhere;

impl Sink for Nowhere {
    fn event(&mut self, _known: &Known<Event>) -> Result<()> {
        Ok(())
    }

    fn truth(&mut self, _truth: &Truth) -> Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// The folder of events below the one that was asked for.
pub const EVENTS: &str = "events";
/// The folder of what an operator knows of the network.
pub const NETWORK: &str = "network";
/// The folder of what only evaluation may read.
pub const TRUTH: &str = "truth";

/// Makes an empty folder for a world, or takes one that is empty.
///
/// # Errors
/// When it holds something, or cannot be made.
pub fn empty_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    if entries.next().is_some() {
        bail!(
            "the folder {} is not empty; name another, or say --replace to overwrite the world in it",
            folder.display()
        );
    }
    Ok(())
}

/// Removes the world that an earlier run wrote into a folder, and nothing else there.
///
/// # Errors
/// When something of it cannot be removed.
pub fn remove_world(folder: &Path) -> Result<()> {
    for part in [EVENTS, NETWORK, TRUTH] {
        let part = folder.join(part);
        if part.exists() {
            fs::remove_dir_all(&part).with_context(|| format!("cannot remove {}", part.display()))?;
        }
    }
    Ok(())
}

/// One file of JSON lines for each kind of event and each table of the truth.
pub struct Lines {
    events: BTreeMap<Kind, Table>,
    truth: BTreeMap<&'static str, Table>,
}

impl Lines {
    /// Files below `folder`, and what is known of the network beside them.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn create(folder: &Path, world: &World) -> Result<Self> {
        write_network(&folder.join(NETWORK), world)?;
        let (events, truth) = (made(folder.join(EVENTS))?, made(folder.join(TRUTH))?);
        let event = |kind: &Kind| Ok((*kind, Table::create(&events, kind.name())?));
        let fact = |table: &&'static str| Ok((*table, Table::create(&truth, table)?));
        Ok(Self {
            events: Kind::ALL.iter().map(event).collect::<Result<_>>()?,
            truth: Truth::TABLES.iter().map(fact).collect::<Result<_>>()?,
        })
    }
}

impl Sink for Lines {
    fn event(&mut self, known: &Known<Event>) -> Result<()> {
        self.events.get_mut(&known.event.kind()).context("every kind has a table")?.line(known)
    }

    fn truth(&mut self, truth: &Truth) -> Result<()> {
        self.truth.get_mut(truth.table()).context("every fact has a table")?.line(truth)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.events.into_values().chain(self.truth.into_values()).try_for_each(Table::finish)
    }
}

/// Writes what an operator knows of the network: advertisers, campaigns, affiliates and links.
///
/// # Errors
/// When a file cannot be written.
pub fn write_network(folder: &Path, world: &World) -> Result<()> {
    let folder = made(folder.to_owned())?;
    write_table(&folder, "advertisers", &world.advertisers)?;
    write_table(&folder, "campaigns", &world.campaigns)?;
    write_table(&folder, "affiliates", &world.affiliates)?;
    write_table(&folder, "links", &world.links)
}

fn write_table<T: Serialize>(folder: &Path, name: &str, rows: &[T]) -> Result<()> {
    let mut table = Table::create(folder, name)?;
    rows.iter().try_for_each(|row| table.line(row))?;
    table.finish()
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

/// One file of JSON lines.
struct Table {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Table {
    fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(format!("{name}.ndjson"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file) })
    }

    fn line<T: Serialize>(&mut self, row: &T) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, row).map_err(Into::into);
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
