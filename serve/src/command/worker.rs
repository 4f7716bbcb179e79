//! `tributary worker`: the background jobs in a process of their own.

use clap::Args;
use domain::{Chance, Clock};
use tracking::{
    intake::{Intake, seal::Sealer},
    secret::Secret,
};

use super::{
    database::Database,
    ending::{ended, ending},
};
use crate::jobs::{self, Choices, Workbench};

/// Which jobs' database, and with which secret.
#[derive(Debug, Args)]
pub struct Worker {
    #[command(flatten)]
    database: Database,

    /// Secret of the installation, at least 32 characters; the same for all its processes.
    #[arg(long, env = "TRIBUTARY_SECRET", hide_env_values = true, value_name = "TEXT")]
    secret: Secret,

    /// How many connections to the database may be open.
    #[arg(long, env = "TRIBUTARY_WORKER_CONNECTIONS", default_value_t = 5, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(2..=100))]
    connections: u32,

    #[command(flatten)]
    choices: Choices,
}

impl Worker {
    /// Works until the process is asked to end.
    pub async fn run(self) -> anyhow::Result<()> {
        let intake = Intake {
            pool: self.database.pool_for_background(self.connections)?,
            clock: Clock::system(),
            chance: Chance::system(),
            sealer: Sealer::new(&self.secret),
        };
        let ending = ending()?;
        tracing::info!(jobs = jobs::JOBS.len(), "working at {} jobs", jobs::JOBS.len());
        let bench = Workbench { intake, choices: self.choices };
        jobs::work(&bench, &ending).await;
        ended(ending).await;
        bench.intake.pool.close().await;
        Ok(())
    }
}
