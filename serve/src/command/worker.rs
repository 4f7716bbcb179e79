//! `tributary worker`: the background jobs in a process of their own.

use std::{future::IntoFuture, net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Router, routing::get};
use clap::Args;
use domain::{Chance, Clock};
use tokio::net::TcpListener;
use tracking::{
    intake::{Intake, seal::Sealer},
    secret::Secret,
};

use super::{
    database::Database,
    ending::{ended, ending},
};
use crate::{
    jobs::{self, Choices, Workbench},
    meters,
    postbacks::courier::Courier,
};

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

    /// Address to tell at how it goes (`/metrics`, `/health/live`); nothing is told when not given.
    #[arg(long, env = "TRIBUTARY_WORKER_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

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
            judge: None,
        };
        let ending = ending()?;
        if let Some(address) = self.listen {
            let listener = TcpListener::bind(address).await.context(format!("cannot listen on {address}"))?;
            tokio::spawn(axum::serve(listener, told(intake.clock.clone())).into_future());
        }
        tracing::info!(jobs = jobs::JOBS.len(), "working at {} jobs", jobs::JOBS.len());
        let courier = Courier::new(&self.secret, self.choices.reach());
        let bench = Workbench {
            intake,
            secret: self.secret,
            scorer: None,
            courier,
            open: Arc::default(),
            choices: self.choices,
        };
        jobs::work(&bench, &ending).await;
        ended(ending).await;
        bench.intake.pool.close().await;
        Ok(())
    }
}

/// What a worker tells.
fn told(clock: Clock) -> Router {
    let numbers = move || async move { meters::answer(meters::page(clock.now())) };
    Router::new().route("/metrics", get(numbers)).route("/health/live", get(|| async { "alive" }))
}
