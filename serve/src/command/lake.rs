//! `tributary lake`: what arrived becomes part of the partitions, and what the lake holds is told and checked.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use chrono::DateTime;
use clap::{Args, Subcommand};
use features::lake::{Lake, LakeError, TableSummary, manual};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::spawn_blocking;

use super::print;
use crate::scoring::replay;

/// What to do with the event lake.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Merge what arrived into the partitions; safe to kill and to run again.
    Compact(Place),
    /// Read every partition and say what is not as it should be.
    Check(Place),
    /// Make every decision in it again from what was noted, and compute its features again from the events.
    Replay(Place),
    /// Say how much of what the lake holds, from when to when.
    Summary(Place),
    /// Print the tables and their columns, in Markdown.
    Tables,
}

/// Which lake.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Folder or s3://BUCKET/FOLDER of the event lake.
    #[arg(long, env = "TRIBUTARY_LAKE", value_name = "LAKE")]
    lake: PathBuf,
}

impl Place {
    /// The lake there, whether there is anything yet or not.
    pub fn open(&self) -> Result<Lake, LakeError> {
        Lake::open(&self.lake)
    }

    /// The lake there, which somebody has written to.
    fn find(&self) -> anyhow::Result<Lake> {
        let lake = self.open()?;
        ensure!(
            lake.exists()?,
            "there is no event lake in {}: correct the address, or bring something in with `tributary import` or the worker",
            self.lake.display()
        );
        Ok(lake)
    }
}

impl Command {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        // The lake is files and computation: nothing of it may hold up the runtime.
        spawn_blocking(move || match self {
            Self::Compact(place) => compact(&place.find()?),
            Self::Check(place) => check(&place.find()?),
            Self::Replay(place) => replayed(&place.find()?),
            Self::Summary(place) => print(&table_of(&place.find()?.summary()?)),
            Self::Tables => print(manual::tables().trim_end()),
        })
        .await?
    }
}

fn compact(lake: &Lake) -> anyhow::Result<()> {
    let bar = counter("partitions written");
    let done = lake.compact(|done| bar.set_position(done.partitions))?;
    bar.finish_and_clear();
    print(&format!(
        "{} batches with {} events were merged, {} of them new, into {} partitions",
        done.batches, done.arrived, done.new, done.partitions
    ))
}

fn replayed(lake: &Lake) -> anyhow::Result<()> {
    let bar = counter("events read");
    let replayed = replay::replay(lake, |events| bar.set_position(events))?;
    bar.finish_and_clear();
    replayed.findings.iter().try_for_each(|finding| print(finding))?;
    print(&replayed.to_string())?;
    let wrong = replayed.different + replayed.mismatches;
    ensure!(wrong == 0, "the past does not come out as it was: {wrong} differences");
    Ok(())
}

fn check(lake: &Lake) -> anyhow::Result<()> {
    let bar = counter("events read");
    let findings = lake.check(|events| bar.inc(events))?;
    bar.finish_and_clear();
    for finding in &findings {
        print(&finding.to_string())?;
    }
    if !findings.is_empty() {
        bail!("{} files of the lake are not as they should be", findings.len());
    }
    print(&format!("all is well: {} events are whole, sorted and there once", bar.position()))?;
    let waiting: u64 = lake.summary()?.iter().map(|table| table.events_waiting).sum();
    if 0 < waiting {
        print(&format!("{waiting} more wait to be merged: `tributary lake compact` does"))?;
    }
    Ok(())
}

/// A bar that counts what has no known end; it shows itself on a terminal only.
fn counter(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} {msg} in {elapsed}, {per_sec}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(what.to_owned())
}

/// The summary as lines of columns.
fn table_of(tables: &[TableSummary]) -> String {
    let head = format!(
        "{:<15} {:>10} {:>14} {:>9} {:>20} {:>20} {:>14}",
        "table", "partitions", "events", "MB", "first", "last", "waiting"
    );
    tables.iter().fold(head, |lines, table| {
        let moment = |us: Option<i64>| {
            let moment = us.and_then(DateTime::from_timestamp_micros);
            moment.map_or("–".to_owned(), |moment| moment.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        };
        let (first, last) = (table.range_us.map(|range| range.0), table.range_us.map(|range| range.1));
        let line = format!(
            "{:<15} {:>10} {:>14} {:>9.1} {:>20} {:>20} {:>14}",
            table.kind,
            table.partitions,
            table.events,
            table.bytes as f64 / 1e6,
            moment(first),
            moment(last),
            table.events_waiting
        );
        lines + "\n" + &line
    })
}
