//! `cargo xtask chaos`: the database dies and comes back, the stream is cut, and the registry is emptied, while visitors
//! click, a shop reports and others ask. What was accepted is there afterwards, once, and the ledger balances; whoever asked had an answer that
//! tells when to come again, and models answered all the time.

mod people;

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use client::Client;
use domain::{Chance, Clock};
use embedded::{Postgres, nats};
use sqlx::{Connection, PgConnection};
use tokio::{runtime::Runtime, task::JoinSet, time::sleep};

use self::people::{People, Tally};
use crate::{
    cluster::{Cluster, Plan, Profile},
    demo::{program, summary::trial_balance},
    inference,
};

const DATABASE: &str = "tributary_chaos";
/// More requests a minute than anybody sends.
const MANY: &str = "1000000000";
/// For how long a fault lasts, and how long there is peace after it.
const FAULT: Duration = Duration::from_secs(4);
const PEACE: Duration = Duration::from_secs(6);
/// Until everything that was accepted has to be stored.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// How much of it.
#[derive(Args)]
pub struct Options {
    /// How often the database dies, and the stream is cut; the registry is emptied once, between
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    outages: u32,
    /// The same seed makes the same visitors and orders
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How the programs are built
    #[arg(long, value_enum, default_value = "dev")]
    profile: Profile,
}

/// What every change has to stand.
pub fn short() -> Result<()> {
    run(&Options { outages: 1, seed: 1, profile: Profile::Dev })
}

/// Builds and starts everything, harms it, and fails when a promise was broken.
pub fn run(options: &Options) -> Result<()> {
    Runtime::new()?.block_on(harm(options))
}

async fn harm(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let registry = folder.path().join("registry");
    inference::train(folder.path(), &registry)?;
    let mut postgres = Postgres::start_temporary()?;
    let database_url = embedded::empty_database(&postgres.url("postgres"), DATABASE).await?;
    let mut stream = nats::Cluster::start(1)?;
    let plan = plan(options, folder.path(), (&database_url, &stream.url(0), &registry))?;
    let cluster = Cluster::start(plan, "chaos").await?;
    let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
    let program = program::create(&client).await?;
    let people = Arc::new(People::new(client, program, (cluster.base_url(), cluster.api_key.clone())));
    let mut crowd = JoinSet::new();
    for number in 0..3 {
        let chance = Chance::seeded(options.seed.wrapping_mul(31).wrapping_add(number));
        crowd.spawn(Arc::clone(&people).shop(Clock::system(), chance));
    }
    crowd.spawn(Arc::clone(&people).infer());
    crowd.spawn(Arc::clone(&people).score());
    for outage in 0..options.outages {
        sleep(PEACE).await;
        people.faults.fetch_add(1, Ordering::AcqRel);
        postgres.halt()?;
        sleep(FAULT).await;
        postgres.resume()?;
        sleep(PEACE).await;
        stream.kill(0)?;
        sleep(FAULT).await;
        stream.restart(0)?;
        if outage == 0 {
            sleep(PEACE).await;
            empty(&registry)?;
        }
    }
    sleep(PEACE).await;
    people.is_over.store(true, Ordering::Release);
    while let Some(ended) = crowd.join_next().await {
        ended.context("somebody was lost")??;
    }
    let tally = people.tally();
    settle(&database_url, &tally).await?;
    trial_balance(&people.client).await?;
    cluster.stop()?;
    postgres.stop()?;
    println!("{tally}");
    println!(
        "the database died {0} times, the stream was cut {0} times and the registry was emptied: nothing was lost or stored \
         twice",
        options.outages
    );
    Ok(())
}

/// Everything in one process, with a database, a stream and a registry that others harm.
fn plan(options: &Options, folder: &Path, (database, stream, registry): (&str, &str, &Path)) -> Result<Plan> {
    let registry = registry.display().to_string();
    let flags = ["--requests-per-minute", MANY, "--trusted-proxy", "127.0.0.1/32", "--registry", &registry];
    Ok(Plan {
        folder: folder.join("service"),
        database_url: database.to_owned(),
        port: embedded::free_port()?,
        profile: options.profile,
        flags: flags.into_iter().chain(["--stream", stream]).map(str::to_owned).collect(),
    })
}

/// Takes away everything in the registry.
fn empty(registry: &Path) -> Result<()> {
    for entry in fs::read_dir(registry)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

/// Waits until everything that was accepted is stored, and refuses what is there twice or was never accepted.
async fn settle(database_url: &str, tally: &Tally) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut db = PgConnection::connect(database_url).await?;
    loop {
        let clicks: i64 = sqlx::query_scalar("SELECT count(*) FROM clicks WHERE id = ANY ($1)")
            .bind(&tally.clicks)
            .fetch_one(&mut db)
            .await?;
        let orders: Vec<(String, i64)> =
            sqlx::query_as("SELECT order_id, count(*) FROM conversions GROUP BY order_id")
                .fetch_all(&mut db)
                .await?;
        ensure!(orders.iter().all(|(_, count)| *count == 1), "an order is stored twice");
        let missing = tally.orders.iter().filter(|order| !orders.iter().any(|(id, _)| id == *order)).count();
        if usize::try_from(clicks)? == tally.clicks.len() && missing == 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{clicks} of {} clicks are stored, and {missing} of {} orders are missing",
            tally.clicks.len(),
            tally.orders.len()
        );
        sleep(PAUSE).await;
    }
}
