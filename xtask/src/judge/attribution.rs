//! `cargo xtask judge attribution`: how much credit models misplace, in worlds in which it is known who caused each conversion.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::Args;
use domain::Clock;
use serde::Deserialize;

use super::worlds::Worlds;
use crate::{bench::machine::Machine, cluster, external, workspace};

/// The worlds, which stay as they are.
const WORLDS: &str = include_str!("attribution/worlds.txt");
/// The page that this writes, below the workspace's folder.
const PAGE: &str = "docs/attribution-evaluation.md";
/// What the model is called that reads time the other way.
const DECAYING: &str = "learned, decaying";

/// What is judged
#[derive(Args)]
pub struct Options {
    /// Judge in these worlds only, such as additive; may be repeated
    #[arg(long, value_name = "WORLD")]
    only: Vec<String>,
    /// Leave docs/attribution-evaluation.md as it is; a run of a part only never writes it
    #[arg(long)]
    no_write: bool,
}

struct Programs {
    sim: PathBuf,
    train: PathBuf,
}

/// What `tributary-sim judge-credit --json` says.
#[derive(Deserialize)]
struct Judgement {
    conversions: u64,
    organic: f64,
    models: Vec<Misplaced>,
    in_one: f64,
}

#[derive(Clone, Deserialize)]
struct Misplaced {
    model: String,
    share: f64,
    among_affiliates: Option<f64>,
    organic: f64,
}

/// Simulates, divides, judges, and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    let worlds = Worlds::read(WORLDS)?;
    let built = |name: &str| cluster::build(&["--bin", name], cluster::Profile::Dev, name);
    let programs = Programs { sim: built("tributary-sim")?, train: built("tributary-train")? };
    let mut sections = String::new();
    for (name, flags) in worlds.only(&options.only)? {
        let judged: Result<Vec<Judgement>> =
            worlds.seeds.iter().map(|seed| programs.judge(seed, worlds.days, flags)).collect();
        let judged = judged.with_context(|| format!("in the world «{name}»"))?;
        let section = section(name, flags, worlds.days, &judged);
        print!("{section}");
        sections.push_str(&section);
    }
    if options.only.is_empty() && !options.no_write {
        let machine = Machine::here(workspace::root(), &Clock::system())?;
        fs::write(workspace::root().join(PAGE), format!("{}{sections}", head(&worlds, &machine)))
            .with_context(|| format!("{PAGE} cannot be written"))?;
    }
    Ok(())
}

impl Programs {
    fn judge(&self, seed: &str, days: u64, flags: &[String]) -> Result<Judgement> {
        let folder = tempfile::tempdir()?;
        let (lake, world) = (folder.path().join("lake"), folder.path().join("world"));
        let mut sim = Command::new(&self.sim);
        sim.args(flags).args(["--seed", seed, "--days", &days.to_string()]);
        external::read(sim.arg("--lake").arg(&lake).arg("--out").arg(&world))?;
        let (all, decaying) = (folder.path().join("all"), folder.path().join("decaying"));
        self.divide(&lake, &all, &["--model", "all"])?;
        self.divide(&lake, &decaying, &["--model", "learned", "--timing", "decaying"])?;
        let mut judged = self.judgement(&world, &all)?;
        let other = self.judgement(&world, &decaying)?.models.into_iter();
        judged.models.extend(other.map(|it| Misplaced { model: DECAYING.to_owned(), ..it }));
        Ok(judged)
    }

    fn divide(&self, lake: &Path, out: &Path, how: &[&str]) -> Result<()> {
        let mut attribution = Command::new(&self.train);
        attribution.arg("attribution").arg("--lake").arg(lake).args([
            "--by",
            "affiliate",
            "--bootstrap",
            "0",
        ]);
        external::read(attribution.args(how).args(["--no-publish", "--out"]).arg(out)).map(drop)
    }

    fn judgement(&self, world: &Path, credit: &Path) -> Result<Judgement> {
        let mut judge = Command::new(&self.sim);
        judge.args(["judge-credit", "--json", "--world"]).arg(world).arg("--credit").arg(credit);
        serde_json::from_str(&external::read(&mut judge)?)
            .context("judge-credit said something else than JSON")
    }
}

/// A mean, and the least and the most.
fn spread(values: &[f64], told: fn(f64) -> String) -> String {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({} to {})", told(mean), told(least), told(most))
}

fn section(name: &str, flags: &[String], days: u64, judged: &[Judgement]) -> String {
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let of = |value: fn(&Judgement) -> f64| judged.iter().map(value).collect::<Vec<_>>();
    let mut told = format!(
        "## {name}\n\n`tributary-sim {} --days {days}`\n\nConversions: {}; nobody caused {} % of them. In a single conversion \
         learned misplaces {} %.\n\n\
         | model | credit misplaced, % | among affiliates, % | share of nobody, points |\n|---|---:|---:|---:|\n",
        flags.join(" "),
        spread(&of(|it| it.conversions as f64), |it| format!("{it:.0}")),
        spread(&of(|it| it.organic), percent),
        spread(&of(|it| it.in_one), percent),
    );
    let models = judged.first().map_or(&[][..], |it| it.models.as_slice());
    for (place, model) in models.iter().enumerate() {
        let of = |value: fn(&Misplaced) -> f64| -> Vec<f64> {
            judged.iter().filter_map(|it| it.models.get(place)).map(value).collect()
        };
        told.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            model.model,
            spread(&of(|it| it.share), percent),
            spread(&of(|it| it.among_affiliates.unwrap_or(f64::NAN)), percent),
            spread(&of(|it| it.organic), |it| format!("{:+.1}", 100.0 * it)),
        ));
    }
    told.push('\n');
    told
}

fn head(worlds: &Worlds, machine: &Machine) -> String {
    let facts: String = machine.lines().iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "\
# How much credit models misplace

`cargo xtask judge attribution` writes this page. Worlds are [simulated](simulator.md): it is known who caused each conversion,
and which of them nobody caused. `tributary-train attribution --lake LAKE --by affiliate` divides them among affiliates and
sees no truth; learned is told nothing of them either (`--organic-share` stays at 0.2). «Misplaced» is half of what all affiliates and nobody have too much or too
little, as a share of all credit; «among affiliates» leaves nobody out and scales each model's credit to what affiliates
caused, for models that know of nobody. Figures are means over the seeds {seeds}, with the least and the most in brackets.

The credit of the truth is each visit's Shapley value in a game that the simulator plays for the journey: visits add up
(additive), unlike kinds of visits persuade more together (synergy), or later visits count half as much again (order). None of
these is a sum of hazards, which is what the model learns. In the usual world tracking loses journeys and fraudsters take part; what tracking
never saw cannot be credited by anybody. The worlds were [written down](../xtask/src/judge/attribution/worlds.txt) before a model was judged in them; how the model
reads time was chosen by somebody who knew how the simulator's customers decide, so that strangers' data may be less kind.

{facts}
",
        seeds = worlds.seeds.join(", "),
    )
}
