//! Triton's Python client runs a model of a running Tributary over the Open Inference Protocol, and gets what the model's
//! manifest says is right.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use crate::{
    cluster::{Cluster, Plan, Profile, build},
    database::Server,
    external,
    native::readers,
};

/// What asks and compares.
const SCRIPT: &str = include_str!("inference/ask.py");
/// The database of the service.
const DATABASE: &str = "tributary_inference";
const ROWS: u32 = 400;

/// Trains and promotes a model, serves it, and has it asked.
pub fn compare(server: &Server) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let registry = folder.path().join("registry");
    train(folder.path(), &registry)?;
    let runtime = Runtime::new()?;
    let cluster = runtime.block_on(async {
        let plan = Plan {
            folder: folder.path().join("service"),
            database_url: server.empty_database(DATABASE).await?,
            port: embedded::free_port()?,
            profile: Profile::Dev,
            flags: vec!["--registry".to_owned(), registry.display().to_string()],
        };
        Cluster::start(plan, "inference").await
    })?;
    let script = folder.path().join("ask.py");
    fs::write(&script, SCRIPT)?;
    let base = cluster.base_url();
    let address = base.strip_prefix("http://").context("the service is reached over http")?;
    let mut python = readers()?;
    python.arg(script).args([address, &cluster.api_key, "fraud"]).arg(registry.join("fraud/1/manifest.json"));
    let answers = external::read(&mut python)?;
    println!("  Triton's client got {} outputs of a model, all as its manifest has them", answers.trim());
    cluster.stop()?;
    runtime.block_on(server.remove_database(DATABASE))
}

/// A small model of fraud, and its promotion.
pub fn train(folder: &Path, registry: &Path) -> Result<()> {
    let rows = folder.join("rows.csv");
    let row = |number: u32| format!("{},{},{}", number % 97, number * number % 89, number % 7);
    let text: Vec<String> =
        std::iter::once("clicks,seconds,devices".to_owned()).chain((0..ROWS).map(row)).collect();
    fs::write(&rows, text.join("\n") + "\n")?;
    let program = build(&["--bin", "tributary-train"], Profile::Dev, "tributary-train")?;
    let mut fit = Command::new(&program);
    fit.args(["fraud", "--model", "iforest", "--input"]).arg(&rows).arg("--out").arg(folder.join("model"));
    external::read(fit.arg("--registry").arg(registry))?;
    let mut promote = Command::new(&program);
    promote.args(["models", "promote", "fraud", "1", "--by", "a test", "--why", "to be asked", "--registry"]);
    external::read(promote.arg(registry)).map(|_| ())
}
