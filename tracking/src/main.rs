//! `tributary-track` takes clicks and postbacks: it redirects visitors, and loses none of them.

use std::{future::IntoFuture, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use axum::{Router, middleware, serve::ListenerExt};
use clap::Parser;
use domain::{Chance, Clock};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};
use tracing_subscriber::EnvFilter;
use tracking::{
    Tracker,
    config::Config,
    intake::{self, Intake, seal::Sealer},
    late_clicks, problem,
};

/// How long open requests may take to end once a shutdown has begun.
const DRAINING_PATIENCE: Duration = Duration::from_secs(10);

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

    /// Threads that take clicks; as many as there are cores when not given.
    #[arg(long, env = "TRIBUTARY_WORKERS", value_name = "NUMBER")]
    workers: Option<usize>,

    #[command(flatten)]
    config: Config,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = command.workers {
        runtime.worker_threads(workers.max(1));
    }
    let ran = runtime.enable_all().build().context("the runtime cannot start").and_then(|runtime| {
        // The future is large once, not once per click.
        runtime.block_on(Box::pin(run(command)))
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    let pool = pool(&command.database_url)?;
    let (clock, chance) = (Clock::system(), Chance::system());
    let tracker = Tracker::open(&command.config, pool.clone(), clock.clone(), chance.clone()).await?;
    let intake = Intake { pool, clock, chance, sealer: Sealer::new(&command.config.secret) };
    let background = tokio::spawn({
        let (tracker, intake) = (tracker.clone(), intake.clone());
        async move {
            tokio::select! {
                () = tracker.run_background() => {}
                () = late_clicks::follow(&intake, tracker.shipped()) => {}
            }
        }
    });
    let listener = TcpListener::bind(command.listen)
        .await
        .with_context(|| format!("cannot listen on {}", command.listen))?;
    tracing::info!(address = %listener.local_addr()?, "taking clicks");
    let postbacks = intake::router(intake).layer(middleware::from_fn(problem::complete));
    serve(listener, tracker.router().merge(postbacks)).await?;
    tracker.shutdown().await;
    background.await?;
    Ok(())
}

fn pool(url: &str) -> anyhow::Result<PgPool> {
    let options = url.parse().context("the database URL cannot be understood")?;
    // Lazily, because a tracker starts and serves without its database.
    Ok(PgPoolOptions::new().max_connections(4).connect_lazy_with(options))
}

/// Serves until the process is asked to end, and then until the open requests are answered.
async fn serve(listener: TcpListener, router: Router) -> anyhow::Result<()> {
    let listener = listener.tap_io(|stream| {
        // An answer is one small packet: it must not wait for another.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let (stop, mut stopping) = watch::channel(false);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        ended().await;
        stop.send_replace(true);
    });
    let drained = async move {
        // The sender lives in the server, which ends this function when it ends.
        let _ = stopping.wait_for(|stopping| *stopping).await;
        sleep(DRAINING_PATIENCE).await;
    };
    tokio::select! {
        served = server.into_future() => Ok(served?),
        () = drained => Ok(()),
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
