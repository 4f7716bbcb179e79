//! Where the database is, and how many connections may be open to it.

use std::{str::FromStr, time::Duration};

use anyhow::Context;
use clap::Args;
use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// How long a request waits for a free connection before it is answered with 503.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(5);

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
        let patience = [
            ("statement_timeout", "15s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "30s"),
        ];
        let options = self.options()?.options(patience);
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_PATIENCE);
        Ok(pool.connect_lazy_with(options))
    }

    /// Connections for the background, where a batch may take its time.
    pub fn pool_for_background(&self, connections: u32) -> anyhow::Result<PgPool> {
        Ok(PgPoolOptions::new().max_connections(connections).connect_lazy_with(self.options()?))
    }

    fn options(&self) -> anyhow::Result<PgConnectOptions> {
        PgConnectOptions::from_str(&self.database_url).context("the database URL cannot be understood")
    }
}
