//! The product: a tracker of its own, with its folder, its mode and its database.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use super::{
    load::Seen,
    numbers::{self, Numbers},
    program::{self, Stored},
    serving::{self, Serving},
    stage::Stage,
};

const READY: &str = "GET /health/ready HTTP/1.1\r\nHost: go.tributary.example\r\n\r\n";
/// Where no database listens.
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/nowhere";

/// When a click counts as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the redirect.
    Commit,
    /// Some milliseconds after it.
    Interval,
}

/// A tracker to be started.
pub struct Tracker<'a> {
    stage: &'a Stage,
    durability: Durability,
    folder: PathBuf,
    database_url: String,
}

impl<'a> Tracker<'a> {
    /// A tracker that keeps its log in this folder.
    pub fn new(stage: &'a Stage, durability: Durability, folder: &Path) -> Self {
        Self { stage, durability, folder: folder.to_owned(), database_url: stage.database_url.clone() }
    }

    /// The same, but its database is away.
    pub fn without_database(self) -> Self {
        Self { database_url: NOWHERE.to_owned(), ..self }
    }

    /// Where it keeps its log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("data/log")
    }

    /// Starts it in its folder, as that is, and waits until it is ready.
    pub fn start(&self) -> Result<Serving> {
        std::fs::create_dir_all(&self.folder)?;
        let address = serving::free_address()?;
        let durability = match self.durability {
            Durability::Commit => "commit",
            Durability::Interval => "interval",
        };
        let mut command = Command::new(self.stage.program("tributary-track")?);
        command
            .env("DATABASE_URL", &self.database_url)
            .env("TRIBUTARY_SECRET", self.stage.secret())
            .args(["--listen", &address.to_string(), "--durability", durability])
            // The visitors come from many addresses, told by a proxy in front, which is the load generator itself.
            .args(["--trusted-proxy", "127.0.0.1/32", "--data-dir"])
            .arg(self.folder.join("data"));
        let mut serving = Serving::start(command, address, &self.stage.cores, &self.folder)?;
        serving.wait_for(200, READY)?;
        Ok(serving)
    }
}

/// Waits until all is shipped; then every visitor who was redirected is a row and was counted, and nobody else, and
/// whoever was refused was refused by the log. `earlier` were redirected before the load.
pub async fn check_nothing_is_lost(
    stage: &Stage,
    serving: &Serving,
    seen: &Seen,
    earlier: u64,
) -> Result<Numbers> {
    let numbers = numbers::when_shipped(serving.address).await?;
    let redirected = seen.answered + earlier;
    let stored = program::stored(&stage.database_url).await?;
    ensure!(
        stored == Stored { rows: redirected, counted: redirected } && numbers.refused == seen.unexpected(),
        "{redirected} visitors were redirected and {} refused, but the database has {stored:?}, and {numbers:?}",
        seen.unexpected()
    );
    Ok(numbers)
}
