//! The demo's models: each job learns from the simulated days, and what came of it becomes champion of the running service.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use client::Client;
use serde_json::json;

use crate::{
    cluster::{self, Profile},
    external,
};

/// The jobs of which a version comes that the service asks, and how they are called, with the files below the demo's folder.
const JOBS: [(&str, &str); 3] = [
    ("fraud", "fraud --input fraud.parquet --label fraud"),
    ("attribution", "attribution --lake lake --by affiliate --model learned"),
    ("match", "match --lake lake --currency EUR --model value --lookalikes --gaps country,source"),
];
/// What the first of them learns from.
const TRAINING_SET: &str =
    "features --set fraud_v1 --labels events --verdicts --lake lake --from 2026-01-01 --to 2026-01-31";

/// Where the demo's registry is.
pub fn registry(folder: &Path) -> PathBuf {
    folder.join("registry")
}

/// Empties the registry, before a service reads it.
pub fn forget(folder: &Path) -> Result<()> {
    let old = ["registry", "learned", "fraud.parquet", "fraud.parquet.profile.json"];
    for old in old.map(|name| folder.join(name)) {
        let gone = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", old.display()));
            }
            _ => {}
        }
    }
    fs::create_dir_all(registry(folder)).context("cannot make the registry's folder")
}

/// Runs every job and promotes its version; returns what a person is told of that.
pub async fn learn(folder: &Path, client: &Client) -> Result<String> {
    let program = cluster::build(&["--bin", "tributary-train"], Profile::Dev, "tributary-train")?;
    let run = |line: &str, out: &Path| {
        let mut job = Command::new(&program);
        job.current_dir(folder).args(line.split(' ')).arg("--out").arg(out);
        job
    };
    external::read(&mut run(TRAINING_SET, Path::new("fraud.parquet")))?;
    let mut told = String::from("\nLearned from these days, and champion of the running service:\n");
    for (model, line) in JOBS {
        external::read(run(line, &Path::new("learned").join(model)).args(["--registry", "registry"]))?;
        let promotion = json!({"version": 1, "why": "the demo's first"});
        client.post(&format!("/models/{model}/promote"), &promotion).await?;
        let served = client.get(&format!("/models/{model}")).await?;
        ensure!(served["champion"]["serves"] == 1, "{model} is not served: {served}");
        told += &format!("  - {model}: `tributary-train {line}`\n");
    }
    Ok(told)
}
