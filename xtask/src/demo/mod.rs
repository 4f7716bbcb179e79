//! `cargo xtask demo`: a click becomes money, on real HTTP traffic, checked to the cent.

mod book;
pub mod cases;
pub mod logins;
mod models;
mod past;
pub mod program;
pub mod rates;
mod scores;
pub mod summary;
pub mod traffic;
mod tries;

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use client::Client;
use domain::{Chance, Clock};
use sqlx::{Connection, PgConnection};
use tokio::{runtime::Runtime, signal, time::sleep};

use crate::{
    cluster::{Cluster, Plan, Profile},
    database::Server,
    workspace,
};
use traffic::{Scene, Sent};

/// The database that the demo fills; an older one of this name is dropped.
const DATABASE: &str = "tributary_demo";
/// Where it listens when nobody says otherwise and nobody else does.
const USUAL_PORT: u16 = 8080;
const STORED_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// How to show it.
#[derive(Args)]
pub struct Options {
    /// Check the numbers and exit instead of staying up
    #[arg(long)]
    once: bool,
    /// The port on 127.0.0.1; 8080 if it is free, or else any, when absent
    #[arg(long)]
    port: Option<u16>,
    /// The same seed makes the same visitors and orders
    #[arg(long, default_value_t = 2026)]
    seed: u64,
}

/// Builds and starts everything, plays the scene, compares, tells, and stays up unless told not to.
pub fn run(options: &Options) -> Result<()> {
    Runtime::new()?.block_on(show(options))
}

async fn show(options: &Options) -> Result<()> {
    let folder = workspace::root().join(".tributary/demo");
    let log = folder.join("data");
    if log.exists() {
        // The log belongs to the older database, which is about to be dropped.
        fs::remove_dir_all(&log).with_context(|| format!("cannot empty {}", log.display()))?;
    }
    let server = Server::find_or_start_in(&folder.join("postgres"))?;
    println!("database       {}", server.description());
    let database_url = server.empty_database(DATABASE).await?;
    let port = options.port.map_or_else(usual_or_free_port, Ok)?;
    // The visitors come from many addresses, told by a proxy in front, which is the demo itself.
    models::forget(&folder)?;
    let registry = models::registry(&folder).display().to_string();
    let flags = ["--trusted-proxy", "127.0.0.1/32", "--links-to-log", "--registry", &registry]
        .map(str::to_owned)
        .to_vec();
    println!("building       `tributary`: minutes the first time, seconds later");
    let plan = Plan {
        folder: folder.clone(),
        database_url: database_url.clone(),
        port,
        profile: Profile::Dev,
        flags,
    };
    let cluster = Cluster::start(plan, "demo").await?;
    println!("started        {}", cluster.base_url());

    let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
    let program = program::create(&client).await?;
    let (clock, chance) = (Clock::system(), Chance::seeded(options.seed));
    let scene = Scene { client: &client, program: &program, clock: &clock, chance: &chance };
    let sent = scene.play().await?;
    let stored = wait_until_stored(&database_url, &sent).await?;
    let found = summary::check(&client, &program, &sent, stored).await?;
    let told = rates::change(&client, &program, &clock).await?;
    let suspected = scores::check(&client, sent.conversions).await?;
    let decided = cases::play(&scene).await?;
    println!("{}", past::simulate(&folder, options.seed)?);
    println!("{}", models::learn(&folder, &client).await?);
    println!("{}", summary::tell(&sent, &found, &cluster.base_url()));
    println!("{told}");
    println!("{suspected}");
    println!("{decided}");
    println!("{}", tries::check(&client, &program, (&cluster.base_url(), &cluster.api_key)).await?);

    println!("{}", logins::make(&cluster, &program.affiliates[0].id, &Chance::system()).await?.0);

    if !options.once {
        println!("Staying up, and visitors go on; Ctrl-C stops it.");
        tokio::select! {
            stopped = signal::ctrl_c() => stopped.context("Ctrl-C cannot be waited for")?,
            failed = scene.go_on() => failed?,
        }
    }
    cluster.stop()
}

/// Plays the demo's scene on an installation, for whoever needs one that is in use.
pub async fn fill(cluster: &Cluster, database_url: &str, seed: u64) -> Result<()> {
    let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
    let program = program::create(&client).await?;
    let (clock, chance) = (Clock::system(), Chance::seeded(seed));
    let sent = Scene { client: &client, program: &program, clock: &clock, chance: &chance }.play().await?;
    wait_until_stored(database_url, &sent).await.map(|_| ())
}

fn usual_or_free_port() -> Result<u16> {
    let is_free = TcpListener::bind(("127.0.0.1", USUAL_PORT)).is_ok();
    if is_free { Ok(USUAL_PORT) } else { Ok(embedded::free_port()?) }
}

/// Waits until every accepted click is a row and every early report has been taken in; returns the rows.
async fn wait_until_stored(database_url: &str, sent: &Sent) -> Result<i64> {
    let mut connection = PgConnection::connect(database_url).await?;
    let deadline = Instant::now() + STORED_PATIENCE;
    loop {
        let clicks: i64 =
            sqlx::query_scalar("SELECT count(*) FROM clicks").fetch_one(&mut connection).await?;
        let conversions: i64 =
            sqlx::query_scalar("SELECT count(*) FROM conversions").fetch_one(&mut connection).await?;
        if sent.clicks.cast_signed() <= clicks && sent.conversions.cast_signed() <= conversions {
            return Ok(clicks);
        }
        ensure!(
            Instant::now() < deadline,
            "{clicks} of {} clicks and {conversions} of {} conversions were stored within {} s",
            sent.clicks,
            sent.conversions,
            STORED_PATIENCE.as_secs()
        );
        sleep(PAUSE).await;
    }
}
