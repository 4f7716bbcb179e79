//! `tributary-train models`: which versions the registry holds, what is known of them, and which one is champion.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use domain::Clock;
use models::{
    registry::{
        Alias, Aliases, Decision, Diff, Entry, Force, ModelName, Promotion, Reference, Registry, Version,
        gate::said, manifest::Metric,
    },
    session::examine,
};
use train::onnx::runtime;

/// Looks into the registry of models, and moves champions.
#[derive(Debug, Args)]
pub struct Models {
    /// Folder, or s3://BUCKET/FOLDER, of the registry
    #[arg(
        long,
        global = true,
        env = "TRIBUTARY_REGISTRY",
        value_name = "REGISTRY",
        default_value = "registry"
    )]
    registry: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List every version with its aliases and its quality
    List {
        /// Only of this model
        model: Option<ModelName>,
    },
    /// Show the model card of a version, and the history of the aliases
    Show {
        /// Which model
        model: ModelName,
        /// Which version: a number, champion or challenger
        #[arg(default_value = "champion")]
        version: Reference,
    },
    /// Make a version champion or challenger, once its hashes, signature and parity vectors hold
    Promote {
        /// Which model
        model: ModelName,
        /// Which version: a number, or challenger
        version: Reference,
        #[command(flatten)]
        why: Why,
        /// Even if it is worse than the champion; the history keeps the reason and what was overridden
        #[arg(long)]
        force: bool,
    },
    /// Bring an alias back to where it was before
    Rollback {
        /// Which model
        model: ModelName,
        #[command(flatten)]
        why: Why,
    },
    /// Take an alias away, so that decisions are made without the model; rollback brings it back
    Withdraw {
        /// Which model
        model: ModelName,
        #[command(flatten)]
        why: Why,
    },
    /// Compare two versions: what changed in their metrics and manifests
    Diff {
        /// Which model
        model: ModelName,
        /// The first version: a number, champion or challenger
        before: Reference,
        /// The second version
        after: Reference,
    },
    /// Check every hash, the signature against the graph, and the parity vectors
    Verify {
        /// Only of this model
        model: Option<ModelName>,
        /// Only this version: a number, champion or challenger
        version: Option<Reference>,
    },
}

/// Who moves which alias, and why.
#[derive(Debug, Args)]
struct Why {
    /// Which alias: champion or challenger
    #[arg(long, default_value = "champion")]
    alias: Alias,
    /// Why, in a sentence; the history keeps it
    #[arg(long, value_name = "SENTENCE")]
    why: String,
    /// Who decides; the history keeps it
    #[arg(long, env = "USER", value_name = "NAME")]
    by: String,
}

impl Why {
    fn decision(self) -> Decision {
        Decision { by: self.by, why: self.why, at: Clock::system().now() }
    }
}

impl Models {
    /// Does it; says whether all is well.
    pub fn run(self) -> Result<bool> {
        let registry = Registry::at(&self.registry)?;
        match self.command {
            Command::List { model } => list(&registry, model.as_ref(), &self.registry)?,
            Command::Show { model, version } => show(&registry, &model, version)?,
            Command::Promote { model, version, why, force } => {
                let version = registry.resolve(&model, version)?;
                let (alias, force) = (why.alias, if force { Force::Yes } else { Force::No });
                let promotion = Promotion { model, version, alias, decision: why.decision(), force };
                let aliases = registry.promote(&promotion, &runtime()?)?;
                println!("{}", moved(&promotion.model, alias, &aliases));
            }
            Command::Rollback { model, why } => {
                let alias = why.alias;
                let aliases = registry.rollback(&model, alias, &why.decision(), &runtime()?)?;
                println!("{}", moved(&model, alias, &aliases));
            }
            Command::Withdraw { model, why } => {
                let alias = why.alias;
                let aliases = registry.withdraw(&model, alias, &why.decision())?;
                println!("{}", moved(&model, alias, &aliases));
            }
            Command::Diff { model, before, after } => {
                let (before, after) = (registry.resolve(&model, before)?, registry.resolve(&model, after)?);
                print!("{}", compared(&model, before, after, &registry.diff(&model, before, after)?));
            }
            Command::Verify { model, version } => return verify(&registry, model.as_ref(), version),
        }
        Ok(true)
    }
}

fn list(registry: &Registry, model: Option<&ModelName>, folder: &Path) -> Result<()> {
    let entries = registry.list(model)?;
    if entries.is_empty() {
        println!("no model is in {} yet: a training job publishes one", folder.display());
        return Ok(());
    }
    let head =
        ["MODEL", "VERSION", "ALIAS", "FAMILY", "FEATURES", "MADE", "QUALITY"].map(str::to_owned).to_vec();
    print!("{}", table(head, entries.iter().map(row).collect()));
    Ok(())
}

fn row(entry: &Entry) -> Vec<String> {
    let aliases: Vec<String> = entry.aliases.iter().map(Alias::to_string).collect();
    let mut row = vec![entry.model.to_string(), entry.version.to_string(), aliases.join(", ")];
    match &entry.manifest {
        Ok(manifest) => {
            let about = &manifest.about;
            let gated = |metric: &&Metric| about.gates.iter().any(|gate| gate.metric == metric.name);
            let quality: Vec<String> = about
                .metrics
                .iter()
                .filter(gated)
                .map(|metric| format!("{} {}", metric.name, said(metric)))
                .collect();
            let made = about.created_at.format("%Y-%m-%d %H:%M").to_string();
            row.extend([about.family.clone(), about.features.set.clone(), made, quality.join(", ")]);
        }
        Err(error) => row.extend(["–".to_owned(), "–".to_owned(), "–".to_owned(), error.to_string()]),
    }
    row
}

/// Columns that are as wide as their widest cell.
fn table(head: Vec<String>, mut rows: Vec<Vec<String>>) -> String {
    rows.insert(0, head);
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn show(registry: &Registry, model: &ModelName, version: Reference) -> Result<()> {
    let version = registry.resolve(model, version)?;
    print!("{}", registry.card(model, version)?);
    let history = registry.aliases(model)?.history;
    if history.is_empty() {
        return Ok(());
    }
    println!("\n## History of {model}\n");
    for step in history {
        let place =
            |version: Option<Version>| version.map_or("none".to_owned(), |version| version.to_string());
        let at = step.at.format("%Y-%m-%d %H:%M");
        let (from, to) = (place(step.from), place(step.to));
        println!("- {at} {}: {from} → {to}, by {}: {}", step.alias, step.by, step.why);
        step.overridden.iter().for_each(|gate| println!("  forced, although {gate}"));
    }
    Ok(())
}

fn moved(model: &ModelName, alias: Alias, aliases: &Aliases) -> String {
    match aliases.get(alias) {
        Some(version) => format!("{model} {version} is {alias} now"),
        None => format!("{model} has no {alias} now"),
    }
}

fn compared(model: &ModelName, before: Version, after: Version, diff: &Diff) -> String {
    let cell = |value: Option<&str>| value.unwrap_or("–").to_owned();
    let mut rows = Vec::new();
    for metric in &diff.metrics {
        let values = [&metric.before, &metric.after].map(|value| value.as_ref().map(said));
        let moved = metric.before.as_ref().zip(metric.after.as_ref()).map(|(one, two)| two.value - one.value);
        let moved = moved.map(|by| format!("{by:+.4}"));
        rows.push(vec![
            metric.name.clone(),
            cell(values[0].as_deref()),
            cell(values[1].as_deref()),
            moved.unwrap_or_default(),
        ]);
    }
    for change in &diff.changes {
        rows.push(vec![change.place.clone(), cell(change.before.as_deref()), cell(change.after.as_deref())]);
    }
    table(vec![model.to_string(), before.to_string(), after.to_string()], rows)
}

fn verify(registry: &Registry, model: Option<&ModelName>, version: Option<Reference>) -> Result<bool> {
    let runtime = runtime()?;
    let mut versions: Vec<(ModelName, Version)> =
        registry.list(model)?.into_iter().map(|entry| (entry.model, entry.version)).collect();
    if let (Some(model), Some(version)) = (model, version) {
        versions = vec![(model.clone(), registry.resolve(model, version)?)];
    }
    let mut failures = 0;
    for (model, version) in &versions {
        match examine(registry, &runtime, model, *version) {
            Ok(it) => println!(
                "{model} {version} holds: its files, its signature, and {} rows of parity, the worst at {:.0} % of its tolerance",
                it.rows,
                it.strain * 100.0
            ),
            Err(error) => {
                failures += 1;
                println!("{error}");
            }
        }
    }
    if versions.is_empty() {
        bail!("there is nothing to verify: the registry holds no model");
    }
    Ok(failures == 0)
}
