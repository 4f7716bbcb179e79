//! The database server of a run: the one the developer names, or a private one that ends with the run.

use std::path::Path;

use anyhow::{Context, Result};
use embedded::Postgres;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};

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
        let options: PgConnectOptions =
            self.url().parse().context("DATABASE_URL is not the URL of a Postgres")?;
        let mut connection = options.connect().await.context("the database server does not answer")?;
        drop_database(&mut connection, name).await?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await?;
        connection.close().await?;
        Ok(options.database(name).to_url_lossy().into())
    }

    /// Removes a database made here.
    pub async fn remove_database(&self, name: &str) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url()).await?;
        drop_database(&mut connection, name).await
    }
}

async fn drop_database(connection: &mut PgConnection, name: &str) -> Result<()> {
    connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
    Ok(())
}
