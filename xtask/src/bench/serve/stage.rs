//! Where the service is measured: models that were trained and published, a database with a program and its clicks, the whole
//! of Tributary on a core of its own, and beside it the floor and the peer.

use std::{
    fs::{self, Permissions},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use client::{Browser, Client};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{Options, asked::inferences};
use crate::{
    bench::{
        cores::{self, Cores},
        serving::{self, Serving},
    },
    cluster::{self, Cluster, Plan},
    database::Server,
    demo::{
        program::{self, Program},
        traffic::BROWSERS,
    },
    external,
    native::run_pip,
    workspace,
};

/// The same by others.
const PEER: &str = include_str!("peer.py");
/// What it needs, of which pip finds the rest.
const PACKAGES: [&str; 4] = ["fastapi", "uvicorn[standard]", "onnxruntime", "numpy"];
/// Where everything is kept.
pub const DATABASE: &str = "tributary_bench_serve";
/// The ensemble that is asked over the Open Inference Protocol.
pub const MODEL: &str = "ensemble";
/// Visitors whose orders are reported.
const CLICKS: usize = 500;
/// More requests a minute than anybody sends.
const MANY: &str = "1000000000";
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);
/// Everything that is built, in one go.
const TARGETS: [&str; 10] = [
    "--bin",
    "tributary",
    "--bin",
    "tributary-train",
    "--bin",
    "tributary-sim",
    "--example",
    "ensembles",
    "--example",
    "json_echo",
];

/// Everything that is measured; dropping it takes it away.
pub struct Stage {
    /// Who runs where.
    pub cores: Cores,
    /// Tributary.
    pub cluster: Cluster,
    /// Where it is.
    pub address: SocketAddr,
    /// Where the API is by itself, without clicks and the worker.
    pub alone: SocketAddr,
    /// Where the floor is.
    pub floor: SocketAddr,
    /// Where the peer is, or why there is none.
    pub peer: Result<SocketAddr>,
    /// Its API.
    pub client: Client,
    /// What was created in it.
    pub program: Program,
    /// Clicks that are stored.
    pub clicks: Vec<String>,
    /// The folder of the registry.
    pub registry: PathBuf,
    /// Versions that no service may take, with what is wrong with them.
    pub bad: Vec<(u32, String)>,
    /// What of a decision about a conversion could not be asked, each in a sentence.
    pub degraded: Vec<String>,
    /// What the database is, as a sentence.
    pub database: String,
    /// Where it is.
    pub database_url: String,
    _others: Vec<Serving>,
    _server: Server,
    folder: TempDir,
}

impl Stage {
    /// Builds, trains, publishes and starts everything.
    pub async fn set_up(options: &Options) -> Result<Self> {
        let build = |name: &str| cluster::build(&TARGETS, options.profile, name);
        let (trainer, simulator) = (build("tributary-train")?, build("tributary-sim")?);
        let (ensembles, echo) = (build("ensembles")?, build("json_echo")?);
        let cores = Cores::choose()?;
        let folder = tempfile::tempdir()?;
        // The server of the database, which is nobody's superuser, has its folder in it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let registry = folder.path().join("registry");
        let bad = publish(&ensembles, &registry, options.bad())?;
        learn(&simulator, &trainer, folder.path())?;
        promote(&trainer, &registry, MODEL)?;
        cores.leave_the_server_alone()?;
        let server = Server::find_or_start_in(&folder.path().join("postgres"))?;
        let database_url = server.empty_database(DATABASE).await?;
        let plan = plan(options, folder.path(), database_url.clone())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
        let cluster = cores::on_during(&cores.server, Cluster::start(plan, "bench")).await?;
        let client = Client::new(&cluster.base_url(), &cluster.base_url(), cluster.api_key.clone())?;
        let program = program::create(&client).await?;
        let clicks = click(&client, &program, &database_url).await?;
        let degraded = ready(&client, &clicks).await?;
        let api = alone(&cluster, &registry, (&cores, folder.path()))?;
        let mut others = vec![api, floor(&echo, &cores, folder.path())?];
        let peer = if options.without_peer {
            Err(anyhow::anyhow!("it was not asked for"))
        } else {
            peer(&registry, &cores, folder.path())
        };
        let (alone, floor) = (others[0].address, others[1].address);
        let peer = peer.map(|peer| {
            let address = peer.address;
            others.push(peer);
            address
        });
        let database = described(&server, &database_url).await?;
        let (_others, _server) = (others, server);
        Ok(Self {
            cores,
            cluster,
            address,
            alone,
            floor,
            peer,
            client,
            program,
            clicks,
            registry,
            bad,
            degraded,
            database,
            database_url,
            _others,
            _server,
            folder,
        })
    }
}

impl Stage {
    /// Where it may put files; they are taken away with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What the database is, and whether commits wait for its disk.
async fn described(server: &Server, database_url: &str) -> Result<String> {
    let mut db = PgConnection::connect(database_url).await?;
    let waits = "SELECT current_setting('fsync')::boolean AND current_setting('synchronous_commit') <> 'off'";
    let waits: bool = sqlx::query_scalar(waits).fetch_one(&mut db).await?;
    let waits = if waits {
        "whose commits wait for its disk, except those of decisions that were only asked for"
    } else {
        "whose commits wait for no disk"
    };
    Ok(format!("{}, {waits}", server.description()))
}

fn plan(options: &Options, folder: &Path, database_url: String) -> Result<Plan> {
    let registry = folder.join("registry").display().to_string();
    // The visitors come from many addresses, told by a proxy in front, which is the benchmark itself.
    let flags = ["--requests-per-minute", MANY, "--trusted-proxy", "127.0.0.1/32", "--registry", &registry];
    Ok(Plan {
        folder: folder.join("service"),
        database_url,
        port: embedded::free_port()?,
        profile: options.profile,
        flags: flags.map(str::to_owned).to_vec(),
    })
}

/// Publishes the ensembles, good ones and bad ones; says which are bad.
fn publish(program: &Path, registry: &Path, bad: u32) -> Result<Vec<(u32, String)>> {
    let said = external::read(Command::new(program).arg(registry).arg(bad.to_string()))?;
    let read = |line: &str| -> Result<Option<(u32, String)>> {
        let line: Value = serde_json::from_str(line)?;
        let version = line["version"].as_u64().and_then(|version| u32::try_from(version).ok());
        let version = version.context("a version has a number")?;
        Ok(line["bad"].as_str().map(|what| (version, what.to_owned())))
    };
    said.lines().filter_map(|line| read(line).transpose()).collect()
}

/// A model of fraud from a small simulated network, as its champion.
fn learn(simulator: &Path, trainer: &Path, folder: &Path) -> Result<()> {
    let simulate = "--affiliates 100 --days 30 --clicks 10000 --seed 10 --lake lake --out world";
    let features = "features --set fraud_v1 --labels events --verdicts --lake lake --from 2026-01-01 --to 2026-01-30 \
                    --out fraud.parquet";
    let fit = "fraud --input fraud.parquet --label fraud --registry registry --out model";
    for (program, told) in [(simulator, simulate), (trainer, features), (trainer, fit)] {
        external::read(Command::new(program).current_dir(folder).args(told.split_whitespace()))?;
    }
    promote(trainer, &folder.join("registry"), "fraud")
}

fn promote(trainer: &Path, registry: &Path, model: &str) -> Result<()> {
    let mut promote = Command::new(trainer);
    promote.args(["models", "promote", model, "1", "--by", "bench", "--why", "bench", "--registry"]);
    external::read(promote.arg(registry)).map(drop)
}

/// Visitors click links until there are enough, and all of it is stored.
async fn click(client: &Client, program: &Program, database_url: &str) -> Result<Vec<String>> {
    let mut clicks = Vec::with_capacity(CLICKS);
    for number in 0..CLICKS {
        let link = &program.links[number % program.links.len()];
        let address = format!("203.0.{}.{}", 113 + number / 250, 1 + number % 250);
        let browser =
            Browser { user_agent: BROWSERS[number % BROWSERS.len()], address: &address, cookie: "" };
        let landing = client.click(Method::GET, &link.url, browser).await?;
        clicks.push(landing.click_id.context("a click that counts has an id")?);
    }
    let mut db = PgConnection::connect(database_url).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM clicks").fetch_one(&mut db).await?;
        if usize::try_from(stored)? == CLICKS {
            return Ok(clicks);
        }
        ensure!(Instant::now() < deadline, "{stored} of {CLICKS} clicks are stored");
        sleep(PAUSE).await;
    }
}

/// Waits until models serve and features are filled; what decisions lack even then.
async fn ready(client: &Client, clicks: &[String]) -> Result<Vec<String>> {
    let asked = json!({"conversions": [{"report": {"click_id": clicks[0], "amount": "80.00"}}]});
    let deadline = Instant::now() + PATIENCE;
    loop {
        let serves = |model: Value| model["champion"]["serves"].is_u64();
        let models = client.get("/models/fraud").await.is_ok_and(serves)
            && client.get(&format!("/models/{MODEL}")).await.is_ok_and(serves);
        let score = client.post("/score/conversions", &asked).await?;
        let degraded =
            score["scores"][0]["degraded"].as_array().context("a score says what it lacks")?.clone();
        let is_over = deadline < Instant::now();
        ensure!(models || !is_over, "the models do not serve");
        if models && degraded.is_empty() || is_over {
            return Ok(degraded.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect());
        }
        sleep(PAUSE).await;
    }
}

/// The API by itself, over the same database and models.
fn alone(cluster: &Cluster, registry: &Path, (cores, folder): (&Cores, &Path)) -> Result<Serving> {
    let (address, folder) = (serving::free_address()?, folder.join("alone"));
    fs::create_dir_all(&folder)?;
    let mut command = cluster.command();
    command.env("TRIBUTARY_DATA_DIR", folder.join("data"));
    command.args(["serve", "--requests-per-minute", MANY, "--listen", &address.to_string(), "--registry"]);
    command.arg(registry);
    let mut serving = Serving::start(command, address, cores, &folder)?;
    let ready = format!(
        "GET /v2/models/{MODEL}/ready HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        cluster.api_key
    );
    serving.wait_for(200, &ready)?;
    Ok(serving)
}

fn floor(echo: &Path, cores: &Cores, folder: &Path) -> Result<Serving> {
    start(
        Command::new(echo),
        |command, address| {
            command.arg(address.to_string());
        },
        (cores, folder, "floor"),
    )
}

fn peer(registry: &Path, cores: &Cores, folder: &Path) -> Result<Serving> {
    let packages = packages()?;
    let arguments = |command: &mut Command, address: SocketAddr| {
        command.args(["-c", PEER]).arg(&packages).arg(registry.join(MODEL).join("1/model.onnx"));
        command.arg(address.port().to_string());
    };
    start(Command::new("python3"), arguments, (cores, folder, "peer"))
}

/// Starts a server of the same inferences on the server's core and waits until it answers.
fn start(
    mut command: Command,
    arguments: impl FnOnce(&mut Command, SocketAddr),
    (cores, folder, name): (&Cores, &Path, &str),
) -> Result<Serving> {
    let (address, folder) = (serving::free_address()?, folder.join(name));
    fs::create_dir_all(&folder)?;
    arguments(&mut command, address);
    let mut serving = Serving::start(command, address, cores, &folder)?;
    serving.wait_for(200, &inferences("no key", 1)[0])?;
    Ok(serving)
}

/// Where the peer's packages are; they are brought the first time.
fn packages() -> Result<PathBuf> {
    let folder = workspace::root().join(".tributary/bench/fastapi");
    if !folder.join("fastapi").is_dir() {
        fs::create_dir_all(&folder)?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--only-binary=:all:", "--target"]).arg(&folder).args(PACKAGES);
        run_pip(&mut pip)?;
    }
    Ok(folder)
}
