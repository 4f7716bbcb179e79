//! `tributary-train features`: rows with features as they were known at each row's instant, and what has moved since.

mod check;
mod make;

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use features::{
    defs::sets::SETS,
    lake::Lake,
    offline::{History, table, training::Stage},
    set::FeatureSet,
};
use indicatif::{ProgressBar, ProgressStyle};

/// Makes a training set, or holds a day against one.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Features {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: make::Make,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold a day against the profile of a training set, and say what moved.
    Check(check::Check),
}

impl Features {
    /// Does it; says whether all is well.
    pub fn run(self) -> Result<bool> {
        match self.command {
            Some(Command::Check(check)) => check.run(),
            None => self.make.run().map(|()| true),
        }
    }
}

/// Which lake.
#[derive(Debug, Args)]
struct Place {
    /// Folder, or s3://BUCKET/FOLDER, of the event lake
    #[arg(long, env = "TRIBUTARY_LAKE", value_name = "LAKE")]
    lake: PathBuf,
}

impl Place {
    fn open(&self) -> Result<History> {
        Ok(History::of(&Lake::open(&self.lake)?)?)
    }
}

/// The set of a name.
fn set(name: &str) -> Result<&'static FeatureSet> {
    let found = SETS.iter().find(|set| set.full_name() == name);
    found.ok_or_else(|| {
        let names: Vec<String> = SETS.iter().map(FeatureSet::full_name).collect();
        anyhow!("there is no feature set {name:?}: there are {}", names.join(", "))
    })
}

/// An instant of the command line, in microseconds.
fn instant(text: &str) -> Result<i64> {
    let at_us = table::instant(text);
    at_us.ok_or_else(|| {
        anyhow!("expected a day such as 2026-03-01, or an instant such as 2026-03-01T12:00:00Z")
    })
}

/// A bar that follows what is done; it shows itself on a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}, {elapsed}, {eta} to go");
        Self(ProgressBar::new(1).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    fn show(&self, stage: Stage) {
        match stage {
            Stage::Labels => self.0.set_message("of the rows are known"),
            Stage::Events(done, all) => {
                self.0.set_message("of the events were followed");
                self.0.set_length(all);
                self.0.set_position(done);
            }
            Stage::Views => self.0.set_message("joining tables"),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
