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

    /// Connections for pages: as for requests, and each statement is planned for what it is asked. The same one asks about a
    /// newcomer's day and about a month of the largest partner, and a plan for whatever might be asked takes the newcomer's for
    /// both: seconds where it should be milliseconds. Planning costs less than one.
    pub fn pool_for_pages(&self, connections: u32) -> anyhow::Result<PgPool> {
        let options = self.options()?.options([("plan_cache_mode", "force_custom_plan")]);
        Ok(tracking::database::pool_for_requests(options, connections))
    }

    /// Connections for decisions that somebody only asked for, as for requests, whose commits do not wait for the disk: they
    /// are there for all to see, and a crash of the database may lose those of its last moment (`wal_writer_delay`, at most
    /// three times). No conversion and no money is among them. Two: one writes while the other is put back.
    pub fn pool_for_log(&self) -> anyhow::Result<PgPool> {
        let options = self.options()?.options([("synchronous_commit", "off")]);
        Ok(tracking::database::pool_for_requests(options, 2))
    }

    /// Connections for the background, where a batch may take its time.
    pub fn pool_for_background(&self, connections: u32) -> anyhow::Result<PgPool> {
        Ok(PgPoolOptions::new().max_connections(connections).connect_lazy_with(self.options()?))
    }

    fn options(&self) -> anyhow::Result<PgConnectOptions> {
        PgConnectOptions::from_str(&self.database_url).context("the database URL cannot be understood")
    }
}

#[cfg(test)]
mod tests {
    use embedded::test_database;

    use super::*;

    #[tokio::test]
    async fn each_pool_has_settings_of_its_own_and_waits_as_for_requests() {
        let database = test_database(&tracking::MIGRATOR).await;
        let place = Database { database_url: database.url() };
        let requests = place.pool_for_requests(1).unwrap();
        let (pages, log) = (place.pool_for_pages(1).unwrap(), place.pool_for_log().unwrap());
        let says = async |pool: &PgPool, setting: &str| -> String {
            let asked = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
            asked.fetch_one(pool).await.unwrap()
        };
        for (pool, plans, commits) in
            [(&requests, "auto", "on"), (&pages, "force_custom_plan", "on"), (&log, "auto", "off")]
        {
            assert_eq!(says(pool, "plan_cache_mode").await, plans);
            assert_eq!(says(pool, "synchronous_commit").await, commits);
            for setting in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
                assert_eq!(says(pool, setting).await, says(&requests, setting).await, "{setting}");
            }
        }
    }
}
