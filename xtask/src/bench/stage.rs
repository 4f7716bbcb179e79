//! Where a benchmark plays: programs as they run in production, a database with a program in it, a folder on the disk, cores for each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use cargo_metadata::Message;

use super::{cores::Cores, program};
use crate::{cluster, database::Server, workspace};

/// The database that is filled; an older one of this name is dropped.
const DATABASE: &str = "tributary_bench";
/// Secrets of an installation that lasts minutes.
const SECRET: &str = "a benchmark's secret, which is no secret";

/// Everything that a benchmark needs; dropping it takes it away.
pub struct Stage {
    /// The folder on the disk that is measured; emptied at the end.
    pub folder: PathBuf,
    /// The database with the program.
    pub database_url: String,
    /// Who runs where.
    pub cores: Cores,
    programs: Programs,
    server: Option<Server>,
}

/// What was built with `--profile tracker`.
pub struct Programs(Vec<(String, PathBuf)>);

impl Stage {
    /// Builds everything, starts the database and fills it.
    pub async fn set_up() -> Result<Self> {
        let programs = Programs::build()?;
        let cores = Cores::choose()?;
        cores.leave_the_server_alone()?;
        let folder = folder();
        clear(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let server = Server::find_or_start_in(&folder.join("postgres"))?;
        let database_url = server.empty_database(DATABASE).await?;
        program::create(&database_url).await?;
        Ok(Self { folder, database_url, cores, programs, server: Some(server) })
    }

    /// The path of a program of ours.
    pub fn program(&self, name: &str) -> Result<&Path> {
        let found = self.programs.0.iter().find(|(known, _)| known == name);
        found.map(|(_, path)| &**path).with_context(|| format!("cargo built no program called {name}"))
    }

    /// The installation's secret.
    pub fn secret(&self) -> &'static str {
        SECRET
    }

    /// What the database is and where it runs, as a sentence.
    pub fn note(&self) -> String {
        let database = self.server.as_ref().map_or_else(String::new, Server::description);
        let cores = self.cores.note();
        match self.server {
            Some(Server::Named(_)) => format!("{cores} The database is {database}, wherever that runs."),
            _ => format!("{cores} The database is {database} with its usual settings."),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let postgres = match self.server.take() {
            Some(Server::Private(server)) => Some(server.folder().to_owned()),
            _ => None,
        };
        // The server has ended here. What cannot be removed is emptied by the next run.
        postgres.map(fs::remove_dir_all).transpose().ok();
        clear(&self.folder).ok();
    }
}

impl Programs {
    /// The tracker and the floors, in one build that always selects the same, so that shared crates are built once.
    fn build() -> Result<Self> {
        let target = ["--package", "tracking", "--bins", "--examples"];
        let messages = cluster::compile(&target, cluster::Profile::Tracker)?;
        let programs = messages.into_iter().filter_map(|message| match message {
            Message::CompilerArtifact(artifact) => Some((artifact.target.name, artifact.executable?.into())),
            _ => None,
        });
        Ok(Self(programs.collect()))
    }
}

/// Always the same, so that what a killed run has left is found by the next.
fn folder() -> PathBuf {
    workspace::root().join(".tributary/bench")
}

fn clear(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    // A server that a killed run has left is ended by the next start, which needs its folder.
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("postgres") => {}
            _ if path.is_dir() => fs::remove_dir_all(&path)?,
            _ => fs::remove_file(&path)?,
        }
    }
    Ok(())
}
