//! Where journeys come from: a file of paths, a file of touches, or the event lake.

mod lake;
mod paths;
mod touches;
mod watched;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use domain::attribution::{Channels, Journeys};
use features::offline::table as tables;
use models::fingerprint::Fingerprint;

pub(super) use self::watched::{Watch, Watched};
use crate::jobs::table::{self, Table};

/// What nobody is called in what is written.
pub(super) const NOBODY: &str = "(organic)";

/// Which file, or which lake, and what is in it.
#[derive(Args, Clone, Debug)]
pub struct JourneyArgs {
    /// A file of journeys: paths that are counted together, or a row for each touch, as CSV or Parquet
    #[arg(long, value_name = "FILE", required_unless_present = "lake", conflicts_with = "lake")]
    pub input: Option<PathBuf>,
    /// What the file holds [default: paths where there is a column path, touches where there is one journey_id]
    #[arg(long, value_enum, requires = "input")]
    pub format: Option<Format>,
    /// Another name of a column: conversions=total_conversions; may be repeated
    #[arg(long, value_name = "FIELD=NAME", value_parser = renamed)]
    pub column: Vec<(String, String)>,
    /// What is between the channels of a path
    #[arg(long, default_value = " > ", value_name = "TEXT")]
    pub separator: String,
    /// A channel that is nobody's: visits that nobody sent; may be repeated
    #[arg(long, default_value = "direct", value_name = "CHANNEL")]
    pub direct: Vec<String>,
    /// Folder, or s3://BUCKET/FOLDER, of the event lake that journeys are taken from
    #[arg(long, value_name = "LAKE")]
    pub lake: Option<PathBuf>,
    /// Of a lake: only conversions from then on, with their touches of the window before, and visits that led to nothing since;
    /// a day or an instant such as 2026-03-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "lake")]
    pub from: Option<i64>,
    /// Of a lake: only visits and conversions before then
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "lake")]
    pub to: Option<i64>,
    /// Of a lake: for how many days before a conversion a touch counts
    #[arg(long, default_value_t = 30, value_name = "DAYS", requires = "lake", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub window: u32,
    /// Of touches and lakes: who is credited
    #[arg(long, value_enum, default_value_t = By::Channel)]
    pub by: By,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Each row a path, with how often it was taken: path, conversions, value, nulls.
    Paths,
    /// Each row a touch: journey_id, ts, channel, converted, and perhaps converted_at, value, lead, campaign and device.
    Touches,
}

/// Who is credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// What a touch says of its channel; in a lake, what the affiliate says where the click comes from.
    Channel,
    /// Whose link it was.
    Affiliate,
    /// What was advertised.
    Campaign,
}

impl By {
    /// The column of a file of touches.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Affiliate => "affiliate",
            Self::Campaign => "campaign",
        }
    }
}

/// Journeys and what is known of them.
pub(super) struct Input {
    pub(super) journeys: Journeys,
    pub(super) channels: Channels,
    /// Whether touches have times.
    pub(super) timed: bool,
    /// What models that learn must know besides, where it was asked for and is known.
    pub(super) watched: Option<Watched>,
    /// What was left out and why, for whoever asked.
    pub(super) notes: Vec<String>,
    /// SHA-256 of the file, or of what the lake said.
    pub(super) data: Fingerprint,
    /// What it was read from.
    pub(super) source: String,
}

impl JourneyArgs {
    /// Reads them; `channels` are those that have a number already, and `is_watched` asks for what models that learn need.
    pub(super) fn read(&self, channels: Channels, is_watched: bool) -> Result<Input> {
        let mut input = match (&self.input, &self.lake) {
            (Some(path), _) => {
                let table = Table::read(path, &self.columns())?;
                match self.format_of(&table)? {
                    Format::Paths => {
                        let by_channel = self.by == By::Channel;
                        ensure!(by_channel, "a file of paths says channels only: leave --by out");
                        paths::read(&table, &self.separator, channels)?
                    }
                    Format::Touches => touches::read(&table, self.by, channels, is_watched)?,
                }
            }
            (None, Some(lake)) => lake::read(self, lake, channels, is_watched)?,
            (None, None) => bail!("say which file (--input) or which lake (--lake) journeys come from"),
        };
        ensure!(!input.journeys.is_empty(), "{} has no journey with a touch", input.source);
        ensure!(
            !input.channels.names().iter().any(|name| name == NOBODY),
            "{} has a channel called {NOBODY}, as nobody is called in what is written: call it otherwise",
            input.source
        );
        let names: Vec<String> = input.channels.names().to_vec();
        let direct = names.iter().enumerate().filter(|(_, name)| self.direct.contains(name));
        direct.for_each(|(number, _)| input.journeys.mark_direct(number as u32));
        Ok(input)
    }

    /// What statistics of journeys depend on, as flags.
    pub(super) fn words(&self) -> String {
        let by = self.by.column();
        let direct = self.direct.join(", ");
        format!("--by {by} --direct {direct} --separator {:?} --window {}", self.separator, self.window)
    }

    fn columns(&self) -> BTreeMap<String, String> {
        self.column.iter().cloned().collect()
    }

    fn format_of(&self, table: &Table) -> Result<Format> {
        match self.format {
            Some(format) => Ok(format),
            None if table.has("path") => Ok(Format::Paths),
            None if table.has("journey_id") => Ok(Format::Touches),
            None => bail!(
                "{} has neither a column {} nor {}; it has {}: say --column path=NAME, or --column journey_id=NAME",
                table.source(),
                table.name("path"),
                table.name("journey_id"),
                table.names()
            ),
        }
    }
}

fn renamed(text: &str) -> Result<(String, String)> {
    table::renamed(text, &[paths::FIELDS, touches::FIELDS].concat(), "conversions=orders")
}

fn instant(text: &str) -> Result<i64> {
    tables::instant(text)
        .context("expected a day such as 2026-03-01, or an instant such as 2026-03-01T12:00:00Z")
}
