//! The database server of a run: the one the developer names, or a private one that ends with the run.

use std::path::Path;

use anyhow::{Context, Result};
use embedded::Postgres;

use crate::workspace;

/// A server on which databases can be made.
pub enum Server {
    /// That of `DATABASE_URL`.
    Named(String),
    /// One of our own.
    Private(Box<Postgres>),
}

impl Server {
    /// The developer's server where `DATABASE_URL` names one, else a private one whose data are thrown away.
    pub fn find_or_start() -> Result<Self> {
        if let Some(url) = workspace::set_by_user("DATABASE_URL") {
            return Ok(Self::Named(url.into_string().ok().context("DATABASE_URL is no text")?));
        }
        Ok(Self::Private(Box::new(Postgres::start_temporary()?)))
    }

    /// The same, but a private one keeps its data in this folder, as a real installation does.
    pub fn find_or_start_in(folder: &Path) -> Result<Self> {
        match workspace::set_by_user("DATABASE_URL") {
            Some(_) => Self::find_or_start(),
            None => Ok(Self::Private(Box::new(Postgres::start(folder)?))),
        }
    }

    /// Where it is; the database in this URL is for connecting only.
    pub fn url(&self) -> String {
        match self {
            Self::Named(url) => url.clone(),
            Self::Private(server) => server.url("postgres"),
        }
    }

    /// What it is, for a message.
    pub fn description(&self) -> String {
        match self {
            Self::Named(_) => "the server of DATABASE_URL".to_owned(),
            Self::Private(server) => format!("a private PostgreSQL {}", server.binaries().major),
        }
    }

    /// Makes an empty database in place of any older one of this name and returns its URL.
    pub async fn empty_database(&self, name: &str) -> Result<String> {
        embedded::empty_database(&self.url(), name)
            .await
            .with_context(|| format!("cannot make the database {name}"))
    }

    /// Removes a database made here.
    pub async fn remove_database(&self, name: &str) -> Result<()> {
        embedded::drop_database(&self.url(), name)
            .await
            .with_context(|| format!("cannot drop the database {name}"))
    }
}
