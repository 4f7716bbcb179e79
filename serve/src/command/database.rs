//! Where the database is, and how many connections may be open to it.

use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Which database to use.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// PostgreSQL database, as postgres://user:password@host/name.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
}

impl Database {
    /// One connection, for a command that does one thing.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        self.options()?.connect().await.context("the database cannot be reached")
    }

    /// Connections for answering requests: no statement takes long, and none waits long for another.
    pub fn pool_for_requests(&self, connections: u32) -> anyhow::Result<PgPool> {
        Ok(tracking::database::pool_for_requests(self.options()?, connections))
    }

    /// Connections for the background, where a batch may take its time.
    pub fn pool_for_background(&self, connections: u32) -> anyhow::Result<PgPool> {
        Ok(PgPoolOptions::new().max_connections(connections).connect_lazy_with(self.options()?))
    }

    fn options(&self) -> anyhow::Result<PgConnectOptions> {
        PgConnectOptions::from_str(&self.database_url).context("the database URL cannot be understood")
    }
}
