//! `tributary-track` takes clicks and postbacks: it redirects visitors, and loses none of them.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Parser;
use domain::{Chance, Clock};
use mimalloc::MiMalloc;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tracing_subscriber::EnvFilter;
use tracking::{
    Tracker,
    background::{self, Background},
    config::Config,
    database::pool_for_requests,
    intake::{Intake, seal::Sealer},
    late_clicks, postback_routes,
    server::Server,
};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long the end of the process waits for threads that the disk holds.
const ABANDONING: Duration = Duration::from_secs(2);
/// For storing and confirming clicks, the directory and its notifications, and postbacks that waited for their click.
const BACKGROUND_CONNECTIONS: u32 = 5;

/// Redirects clicks and records every one of them, even while the database is away; takes signed postbacks.
#[derive(Debug, Parser)]
#[command(name = "tributary-track", version)]
struct Command {
    /// Address to take clicks and postbacks on.
    #[arg(long, env = "TRIBUTARY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// PostgreSQL database, as postgres://user:password@host/name.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,

    /// How many connections to the database may be open for postbacks; clicks and the directory have five more.
    #[arg(long, env = "TRIBUTARY_CONNECTIONS", default_value_t = 16, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,

    #[command(flatten)]
    config: Config,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Clicks have threads of their own; postbacks run on this runtime, and what can wait on the background's.
fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot start")?;
    let ran = runtime.block_on(Box::pin(take(command)));
    // A disk that hangs must not keep the process from ending.
    runtime.shutdown_timeout(ABANDONING);
    ran
}

async fn take(command: Command) -> anyhow::Result<()> {
    let options: PgConnectOptions =
        command.database_url.parse().context("the database URL cannot be understood")?;
    // Lazily, because a tracker starts and serves without its database.
    let pool =
        PgPoolOptions::new().max_connections(BACKGROUND_CONNECTIONS).connect_lazy_with(options.clone());
    let (clock, chance) = (Clock::system(), Chance::system());
    let tracker = Tracker::open(&command.config, pool.clone(), clock.clone(), chance.clone()).await?;
    let customers = tracker.customers(&command.config.secret);
    let waiting = Intake { pool, clock, chance, sealer: Sealer::new(&command.config.secret), judge: None };
    let taking = Intake { pool: pool_for_requests(options, command.connections), ..waiting.clone() };
    let server = Server::bind(command.listen, command.config.workers())
        .await
        .with_context(|| format!("cannot listen on {}", command.listen))?;
    tracing::info!(address = %server.local_addr()?, "taking clicks");
    let mut tasks = JoinSet::new();
    let background = Background::new().context("the background cannot start")?;
    background.spawn(&mut tasks, work(tracker.clone(), waiting));
    let serving = async {
        let routes = tracker.router().merge(postback_routes(taking, customers));
        Ok(server.serve(tracker.clone(), routes, ended()).await?)
    };
    let served = background::serve_beside(&mut tasks, || false, serving).await;
    // What was accepted is made durable and shipped even when serving failed.
    tracker.shutdown().await;
    served?;
    background::end(tasks).await
}

/// Ships clicks and takes in what waited for them, until the tracker is shut down.
async fn work(tracker: Tracker, intake: Intake) {
    tokio::select! {
        () = tracker.run_background() => {}
        () = late_clicks::follow(&intake, tracker.shipped()) => {}
    }
}

/// Waits until the process is asked to end.
async fn ended() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be heard; the process can only be killed, which loses nothing");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending: no new clicks are taken, and those that were are kept");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_asked_for() {
        super::Command::command().debug_assert();
    }
}
