//! `cargo xtask fuzz` lets Schemathesis attack the API by its own OpenAPI document.
//!
//! Requests are made up from the document, valid and invalid ones; every answer must be one that the document
//! announces, in its shape, and none may be a server error.

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Runtime;

use crate::{
    cluster::{Cluster, Plan, Profile},
    database::Server,
    external,
    native::schemathesis,
};

/// The database that is attacked.
const DATABASE: &str = "tributary_fuzz";
/// What is checked of every answer.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// The fuzzer is one client that asks as fast as it can; being told to slow down would hide what is behind.
const UNHURRIED: [&str; 4] = ["--requests-per-minute", "1000000000", "--failures-per-minute", "1000000000"];

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

/// Starts a Tributary with an empty database on this server and attacks it.
pub fn attack(server: &Server, options: &Options) -> Result<()> {
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let cluster = runtime.block_on(async {
        let plan = Plan {
            folder: folder.path().to_owned(),
            database_url: server.empty_database(DATABASE).await?,
            port: embedded::free_port()?,
            profile: Profile::Dev,
            flags: UNHURRIED.map(str::to_owned).to_vec(),
        };
        Cluster::start(plan, "fuzz").await
    })?;
    let attacked = attack_running(&cluster, options);
    let log = end_of_errors(&cluster);
    cluster.stop()?;
    runtime.block_on(server.remove_database(DATABASE))?;
    attacked.with_context(|| format!("the API does not keep what its OpenAPI document promises{log}"))
}

fn attack_running(cluster: &Cluster, options: &Options) -> Result<()> {
    let mut command = schemathesis()?;
    command.arg("run").arg(format!("{}/api/openapi.json", cluster.base_url()));
    command.arg("--header").arg(format!("Authorization: Bearer {}", cluster.api_key));
    command.args(["--checks", CHECKS, "--workers", "2", "--request-timeout", "20", "--no-color"]);
    command.args([
        "--generation-deterministic",
        "--generation-database",
        "none",
        "--suppress-health-check",
        "all",
    ]);
    command.arg("--seed").arg(options.seed.to_string());
    command.arg("--max-examples").arg(options.max_examples.to_string());
    external::run(&mut command)
}

/// What the server itself complained about, because a server error has its reason there and not in the answer.
fn end_of_errors(cluster: &Cluster) -> String {
    let log = std::fs::read_to_string(cluster.log()).unwrap_or_default();
    let errors: Vec<&str> =
        log.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")).collect();
    let last: Vec<&str> = errors.iter().rev().take(5).rev().copied().collect();
    if last.is_empty() { String::new() } else { format!(" (the server's log says: {})", last.join(" | ")) }
}
