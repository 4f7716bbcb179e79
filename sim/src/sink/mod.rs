//! Where a world's stream is written: events in one place, what is known of the network in a second, and the truth in
//! a third, which no job is pointed at.

mod events;
mod facts;
mod names;
mod table;

use std::{fs, io, path::Path};

use anyhow::{Context, Result, bail};
use domain::event::{Event, Kind, Known};

pub use self::{
    events::{Lines, Partitions},
    facts::{Facts, write_network},
    names::Names,
};
use crate::{
    run::{Record, Run},
    truth::Truth,
};

/// Takes a world's stream, or a part of it.
pub trait Sink {
    /// Takes one event.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn event(&mut self, _known: &Known<Event>) -> Result<()> {
        Ok(())
    }

    /// Takes one fact.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn truth(&mut self, _truth: &Truth) -> Result<()> {
        Ok(())
    }

    /// Makes what was taken last.
    ///
    /// # Errors
    /// When not all of it could be written.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Lets a world pass into some sinks, which may be none, and calls `seen` after each event.
///
/// # Errors
/// When a sink cannot keep something.
pub fn pour(
    mut run: Run<'_>,
    mut sinks: Vec<Box<dyn Sink>>,
    mut seen: impl FnMut(&Known<Event>, &Run<'_>),
) -> Result<()> {
    while let Some(record) = run.next() {
        match record {
            Record::Event(known) => {
                sinks.iter_mut().try_for_each(|sink| sink.event(&known))?;
                seen(&known, &run);
            }
            Record::Truth(truth) => sinks.iter_mut().try_for_each(|sink| sink.truth(&truth))?,
        }
    }
    sinks.into_iter().try_for_each(|sink| sink.finish())
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

/// Removes the world that an earlier run wrote into a folder, its lake included, and nothing else there.
///
/// # Errors
/// When something of it cannot be removed.
pub fn remove_world(folder: &Path) -> Result<()> {
    let tables = Kind::ALL.iter().map(|kind| kind.name());
    for part in [EVENTS, NETWORK, TRUTH, "_incoming"].into_iter().chain(tables) {
        removed(&folder.join(part), |path| fs::remove_dir_all(path))?;
    }
    removed(&folder.join("_lock"), |path| fs::remove_file(path))
}

fn removed(path: &Path, remove: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    match remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.with_context(|| format!("cannot remove {}", path.display())),
    }
}
