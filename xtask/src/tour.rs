//! `cargo xtask tour`: three people use the pages in headless Chromium while visitors go on, then every page is looked at:
//! wide and narrow, light and dark, by axe-core, and with the keyboard alone.

use std::{
    collections::VecDeque,
    fs,
    future::pending,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use client::{Browser, Client, Message};
use domain::{Chance, Clock};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::spawn_blocking, time::sleep};

use crate::{
    cluster::{Cluster, Plan, Profile},
    database::Server,
    demo::{
        cases, logins, program, rates,
        summary::trial_balance,
        traffic::{BROWSERS, Scene},
    },
    native::browser,
    workspace,
};

/// What they do.
const SCRIPT: &str = include_str!("tour/tour.py");
const DATABASE: &str = "tributary_tour";
const SEED: u64 = 11;
/// Between two visitors, and how many come before one of them has made up their mind.
const BETWEEN: Duration = Duration::from_millis(1_500);
const CONSIDERING: u64 = 30;

/// Shows them around, and fails where something was not as it should be.
pub fn run() -> Result<()> {
    let server = Server::find_or_start()?;
    Runtime::new()?.block_on(show(&server))
}

async fn show(server: &Server) -> Result<()> {
    // Brought before anything else takes time.
    let python = browser()?;
    let folder = tempfile::tempdir()?;
    let database_url = server.empty_database(DATABASE).await?;
    let plan = Plan {
        folder: folder.path().to_owned(),
        database_url,
        port: embedded::free_port()?,
        profile: Profile::Dev,
        flags: ["--trusted-proxy", "127.0.0.1/32", "--links-to-log", "--requests-per-minute", "100000"]
            .map(str::to_owned)
            .to_vec(),
    };
    let cluster = Cluster::start(plan, "tour").await?;
    let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
    let program = program::create(&client).await?;
    let (clock, chance) = (Clock::system(), Chance::seeded(SEED));
    let scene = Scene { client: &client, program: &program, clock: &clock, chance: &chance };
    scene.play().await?;
    rates::change(&client, &program, &clock).await?;
    let held = cases::hold(&scene).await?;
    let case = case_of(&client, &held).await?;
    let password = logins::make(&cluster, &program.affiliates[0].id, &Chance::system()).await?.1;
    let pictures = workspace::root().join(".tributary/tour");
    fs::create_dir_all(&pictures)?;
    let seen = folder.path().join("seen");
    let told = json!({
        "base": cluster.base_url(),
        "password": password,
        "held": held,
        "case": case,
        "campaign": program.campaign,
        "pictures": pictures,
        "seen": seen,
    });
    tokio::select! {
        told = drive(python, &told) => told.with_context(|| format!("its pictures are in {}", pictures.display()))?,
        failed = visit(&scene, &seen) => failed?,
    }
    followed(&client, &held).await?;
    cluster.stop()?;
    server.remove_database(DATABASE).await
}

/// The case that a held conversion is in, among those of others that are held by now.
async fn case_of(client: &Client, held: &str) -> Result<String> {
    for case in client.list("/cases").await? {
        let id = case["id"].as_str().context("a case has an id")?;
        if client.get(&format!("/cases/{id}")).await?.to_string().contains(held) {
            return Ok(id.to_owned());
        }
    }
    bail!("no case is about {held}, which is held")
}

/// Runs the script; what it says is seen by whoever runs this.
async fn drive(mut python: Command, told: &Value) -> Result<()> {
    python.args(["-c", SCRIPT]).arg(told.to_string()).stdin(Stdio::null());
    let status = spawn_blocking(move || python.status()).await?.context("python3 could not be run")?;
    ensure!(status.success(), "the tour ended early, and its reason stands above");
    Ok(())
}

/// Visitors of one partner go on until they were seen: every sixth buys, as long after the click as people take.
async fn visit(scene: &Scene<'_>, seen: &Path) -> Result<()> {
    let link = &scene.program.links[0].url;
    let mut considering = VecDeque::new();
    for number in 1..254_u64 {
        if seen.exists() {
            break;
        }
        sleep(BETWEEN).await;
        let address = format!("203.0.113.{number}");
        let browser = Browser { user_agent: BROWSERS[0], address: &address, cookie: "" };
        let landing = scene.client.click(Method::GET, link, browser).await?;
        let click = landing.click_id.context("a visitor was sent on without an id")?;
        if number.is_multiple_of(6) {
            considering.push_back((number + CONSIDERING, click));
        }
        while let Some((_, click)) = considering.pop_front_if(|(until, _)| *until <= number) {
            let (order, at) = (format!("tour-{number}"), scene.clock.now());
            let fields =
                [("click_id", click.as_str()), ("event", "sale"), ("amount", "49.90"), ("currency", "EUR")];
            let fields = [&fields[..], &[("order_id", order.as_str()), ("status", "pending")]].concat();
            scene.client.postback(&scene.program.shop, &Message { id: &order, at }, &fields).await?;
        }
    }
    pending().await
}

/// What the analyst turned down has no commission left, and the books balance.
async fn followed(client: &Client, held: &str) -> Result<()> {
    let conversion = client.get(&format!("/conversions/{held}")).await?;
    ensure!(conversion["status"] == "rejected", "what was turned down on a page is {}", conversion["status"]);
    let lines = client.list(&format!("/commissions?conversion_id={held}")).await?;
    let taken_back =
        |line: &Value| line["amount"]["value"].as_str().is_some_and(|amount| amount.starts_with('-'));
    ensure!(lines.iter().any(taken_back), "its commission was not taken back: {lines:?}");
    trial_balance(client).await.map(drop)
}
