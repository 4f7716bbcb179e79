//! `cargo xtask fuzz` lets Schemathesis attack the API by its own OpenAPI document.
//!
//! Requests are made up from the document, valid and invalid ones; every answer must be one that the document
//! announces, in its shape, and none may be a server error.

mod known_ids;

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Runtime;

use crate::{
    cluster::{Cluster, Plan, Profile},
    database::Server,
    demo, external,
    native::schemathesis,
};
use known_ids::KnownIds;

/// The database that is attacked.
const DATABASE: &str = "tributary_fuzz";
/// What is checked of every answer.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// The operation that revokes a key.
const REVOKING: &str = "/api/v1/api-keys/{id}";
/// The fuzzer is one client that asks as fast as it can; being told to slow down would hide what is behind. The
/// visitors of the demo come from many addresses, told by a proxy in front, which is the demo itself.
const FLAGS: [&str; 6] = [
    "--requests-per-minute",
    "1000000000",
    "--failures-per-minute",
    "1000000000",
    "--trusted-proxy",
    "127.0.0.1/32",
];

/// How hard to try.
#[derive(Args)]
pub struct Options {
    /// How many made-up requests each operation of the API gets at most, in each phase
    #[arg(long, default_value_t = 30)]
    max_examples: u32,
    /// The same seed makes the same requests
    #[arg(long, default_value_t = 20_260_101)]
    seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_examples: 30, seed: 20_260_101 }
    }
}

/// Attacks the API with a server found or started for it.
pub fn run(options: &Options) -> Result<()> {
    attack(&Server::find_or_start()?, options)
}

/// Starts a Tributary on this server, fills it with the demo's program and traffic, and attacks it.
pub fn attack(server: &Server, options: &Options) -> Result<()> {
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("schemathesis.toml");
    let cluster = runtime.block_on(async {
        let database_url = server.empty_database(DATABASE).await?;
        let plan = Plan {
            folder: folder.path().to_owned(),
            database_url: database_url.clone(),
            port: embedded::free_port()?,
            profile: Profile::Dev,
            flags: FLAGS.map(str::to_owned).to_vec(),
        };
        let cluster = Cluster::start(plan, "fuzz").await?;
        demo::fill(&cluster, &database_url, options.seed).await?;
        fs::write(&settings, KnownIds::of(&cluster).await?.settings()?)?;
        anyhow::Ok(cluster)
    })?;
    let attacked = attack_running(&cluster, &settings, options);
    let log = end_of_errors(&cluster);
    cluster.stop()?;
    runtime.block_on(server.remove_database(DATABASE))?;
    attacked.with_context(|| format!("the API does not keep what its OpenAPI document promises{log}"))
}

/// The fuzzer revokes whatever keys it finds, its own among them, and would be locked out of the rest: so that comes
/// last.
fn attack_running(cluster: &Cluster, settings: &Path, options: &Options) -> Result<()> {
    external::run(fuzzer(cluster, settings, options)?.args(["--exclude-path", REVOKING]))?;
    external::run(fuzzer(cluster, settings, options)?.args(["--include-path", REVOKING]))
}

fn fuzzer(cluster: &Cluster, settings: &Path, options: &Options) -> Result<Command> {
    let mut command = schemathesis()?;
    command.arg("--config-file").arg(settings);
    command.arg("run").arg(format!("{}/api/openapi.json", cluster.base_url()));
    command.arg("--header").arg(format!("Authorization: Bearer {}", cluster.api_key));
    // One worker: with more, the requests of a seed depend on chance, and CPython before 3.12 fails now and then.
    command.args(["--checks", CHECKS, "--workers", "1", "--request-timeout", "20", "--no-color"]);
    command.args(["--generation-database", "none", "--generation-with-security-parameters", "false"]);
    command.args(["--suppress-health-check", "all", "--warnings", "off"]);
    command.arg("--seed").arg(options.seed.to_string());
    command.arg("--max-examples").arg(options.max_examples.to_string());
    Ok(command)
}

/// What the server itself complained about, because a server error has its reason there and not in the answer.
fn end_of_errors(cluster: &Cluster) -> String {
    let log = fs::read_to_string(cluster.log()).unwrap_or_default();
    let errors: Vec<&str> =
        log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    let last: Vec<&str> = errors.iter().rev().take(5).rev().copied().collect();
    if last.is_empty() { String::new() } else { format!(" (the server's log says: {})", last.join(" | ")) }
}
