//! `tributary import`: a file of one's own becomes events of the lake.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use clap::Args;
use features::import::{self, Format, Imported, Mapping, Rows};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::spawn_blocking;
use tracking::secret::Secret;

use super::{
    ending::ending,
    lake::Place,
    print,
    watch::{span, watch},
};
use crate::hiding::hiding;

/// Which file to bring into which lake, and how to read it.
#[derive(Debug, Args)]
pub struct Import {
    /// The file: CSV with a header, one JSON object a line, or Parquet.
    #[arg(value_name = "FILE", required_unless_present = "watch", conflicts_with = "watch")]
    file: Option<PathBuf>,

    /// Import every file of this folder, and what is new there again and again, until the process is asked to end; files
    /// are recognised by what they hold, and none is moved.
    #[arg(long, value_name = "FOLDER")]
    watch: Option<PathBuf>,

    /// How often to look into the folder: 15m, 1h, 1d.
    #[arg(long, requires = "watch", default_value = "1h", value_name = "TIME", value_parser = span)]
    every: Duration,

    /// What its rows are: clicks, conversions, transactions or journeys.
    #[arg(long, value_name = "WHAT")]
    rows: Rows,

    #[command(flatten)]
    place: Place,

    /// How it is written: csv, ndjson or parquet; told by the file's name when not given.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// A column that is called otherwise than its field, as column=field, or as column= to leave it out; may be given
    /// again.
    #[arg(long = "map", value_name = "COLUMN=FIELD", value_parser = pair)]
    columns: Vec<(String, String)>,

    /// A value that all rows have, as field=value; may be given again.
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = pair)]
    constants: Vec<(String, String)>,

    /// Whose names the file uses: the same name is the same thing in all files of one source.
    #[arg(long, default_value = "import", value_name = "NAME")]
    source: String,

    /// Read and check the file, and write no event.
    #[arg(long)]
    dry_run: bool,

    /// Secret of the installation, with which addresses of visitors and customers are hidden as trackers do.
    #[arg(long, env = "TRIBUTARY_SECRET", hide_env_values = true, value_name = "TEXT")]
    secret: Option<Secret>,
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    let (one, other) = text.split_once('=').ok_or_else(|| anyhow!("expected two names with = between"))?;
    Ok((one.to_owned(), other.to_owned()))
}

impl Import {
    /// Imports the file, or those of a folder, and merges what they brought.
    pub async fn run(self) -> anyhow::Result<()> {
        let import = Arc::new(self);
        if let Some(file) = import.file.clone() {
            return spawn_blocking(move || import.import(file)).await?;
        }
        let folder = import.watch.clone().context("either a file or a folder is named")?;
        let every = import.every;
        watch(&folder, every, import.format, ending()?, async |file| {
            let (import, name) = (import.clone(), file.display().to_string());
            let imported =
                spawn_blocking(move || import.import(file)).await.map_err(anyhow::Error::from).flatten();
            match imported {
                Ok(()) => tracing::info!(file = name, "{name} was imported"),
                Err(error) => tracing::error!(file = name, "{name} was not imported: {error:#}"),
            }
        })
        .await
    }

    fn import(&self, file: PathBuf) -> anyhow::Result<()> {
        let lake = self.place.open()?;
        let import = import::Import {
            file,
            format: self.format,
            rows: self.rows,
            mapping: Mapping { columns: self.columns.clone(), constants: self.constants.clone() },
            source: self.source.clone(),
            hiding: self.secret.as_ref().map(hiding),
            dry_run: self.dry_run,
        };
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:40} {percent:>3} % in {elapsed}, {eta} to go");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let imported = import.run(&lake, |at, length| {
            bar.set_length(length);
            bar.set_position(at);
        })?;
        bar.finish_and_clear();
        print(&told(&imported, import.dry_run))?;
        if !import.dry_run {
            lake.compact(|_| {}).context("the events arrived, but are not merged into the partitions yet")?;
        }
        Ok(())
    }
}

fn told(imported: &Imported, dry_run: bool) -> String {
    let Imported { rows, rejected, done_before, .. } = imported;
    let good = rows - rejected;
    let mut text = match (dry_run, done_before) {
        (true, _) => format!("{good} of {rows} rows could be imported"),
        (false, before) if before == rows && *rows != 0 => {
            format!("all {rows} rows were imported before; nothing was to be done")
        }
        (false, 0) => format!("{good} of {rows} rows were imported"),
        (false, before) => format!("{good} of {rows} rows were imported, {before} rows by an earlier run"),
    };
    if let Some(report) = &imported.report {
        text += &format!("\n{rejected} rows were rejected: {} says which and why", report.display());
    }
    if !imported.unused.is_empty() {
        text += &format!("\ncolumns that are no field: {}", imported.unused.join(", "));
    }
    text
}
