//! `cargo xtask judge`: what detectors of fraud find, and whom they wrong, in worlds whose truth is known.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};
use clap::Args;
use domain::Clock;

use crate::{bench::machine::Machine, cluster, external, workspace};

/// The worlds, which stay as they are.
const WORLDS: &str = include_str!("judge/worlds.txt");
/// The page that this writes, below the workspace's folder.
const PAGE: &str = "docs/fraud-evaluation.md";

/// What is judged
#[derive(Args)]
pub struct Options {
    /// The detector; `tributary-train fraud --help` names them
    #[arg(long, default_value = "ensemble")]
    model: String,
    /// Which share of ordinary conversions may be flagged
    #[arg(long, default_value_t = 0.02, value_name = "SHARE")]
    false_positive_rate: f64,
    /// Judge in these worlds only, open, usual or hidden; may be repeated
    #[arg(long, value_name = "WORLD")]
    only: Vec<String>,
    /// Leave docs/fraud-evaluation.md as it is; a run of a part only never writes it
    #[arg(long)]
    no_write: bool,
}

/// What worlds.txt says.
#[derive(Debug, PartialEq, Eq)]
struct Worlds {
    seeds: Vec<String>,
    days: u64,
    /// What each is called, and its flags.
    worlds: Vec<(String, Vec<String>)>,
}

struct Programs {
    sim: PathBuf,
    train: PathBuf,
}

/// Simulates, learns, judges, and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    let worlds = Worlds::read(WORLDS)?;
    let release = |name: &str| cluster::build(&["--bin", name], cluster::Profile::Release, name);
    let programs = Programs { sim: release("tributary-sim")?, train: release("tributary-train")? };
    let mut sections = String::new();
    for (name, flags) in &worlds.worlds {
        if !options.only.is_empty() && !options.only.contains(name) {
            continue;
        }
        let table =
            programs.judge(&worlds, flags, options).with_context(|| format!("in the world «{name}»"))?;
        let section =
            format!("## {name}\n\n`tributary-sim {} --days {}`\n\n{table}\n", flags.join(" "), worlds.days);
        print!("{section}");
        sections.push_str(&section);
    }
    let whole = options.only.is_empty() && options.model == "ensemble" && options.false_positive_rate <= 0.02;
    if whole && !options.no_write {
        let machine = Machine::here(workspace::root(), &Clock::system())?;
        let page = workspace::root().join(PAGE);
        fs::write(&page, format!("{}{sections}", head(options, &worlds, &machine)))
            .with_context(|| format!("{PAGE} cannot be written"))?;
    }
    Ok(())
}

impl Worlds {
    fn read(text: &str) -> Result<Self> {
        let mut worlds = Self { seeds: Vec::new(), days: 0, worlds: Vec::new() };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("seeds") => worlds.seeds = words.collect(),
                Some("days") => worlds.days = words.next().context("days wants a number")?.parse()?,
                Some("world") => {
                    worlds.worlds.push((words.next().context("a world has a name")?, words.collect()));
                }
                _ => anyhow::bail!(
                    "worlds.txt has a line that begins with neither seeds, days nor world: {line}"
                ),
            }
        }
        Ok(worlds)
    }
}

impl Programs {
    /// The table for one kind of world, over all seeds.
    fn judge(&self, worlds: &Worlds, flags: &[String], options: &Options) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let mut judge = Command::new(&self.sim);
        judge.arg("judge");
        for seed in &worlds.seeds {
            let place = folder.path().join(seed);
            self.world(seed, worlds.days, flags, &place)?;
            self.learn(seed, worlds.days, options, &place)?;
            judge.arg("--world").arg(place.join("world")).arg("--scores").arg(place.join("fraud/scores.csv"));
            // The lake is large, and nobody reads it again.
            fs::remove_dir_all(place.join("lake"))?;
        }
        external::read(&mut judge)
    }

    fn world(&self, seed: &str, days: u64, flags: &[String], place: &Path) -> Result<()> {
        let mut sim = Command::new(&self.sim);
        sim.args(flags).args(["--seed", seed, "--days", &days.to_string()]);
        sim.arg("--lake").arg(place.join("lake")).arg("--out").arg(place.join("world"));
        external::read(&mut sim).map(drop)
    }

    fn learn(&self, seed: &str, days: u64, options: &Options, place: &Path) -> Result<()> {
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).context("the simulator's first day")?;
        let end = first.checked_add_days(Days::new(days)).context("its last day")?;
        let mut features = Command::new(&self.train);
        features
            .args(["features", "--set", "fraud_v1", "--labels", "events"])
            .arg("--lake")
            .arg(place.join("lake"));
        features.args(["--from", &first.to_string(), "--to", &end.to_string()]);
        external::read(features.arg("--out").arg(place.join("set.parquet")))?;
        let mut fraud = Command::new(&self.train);
        fraud.arg("fraud").arg("--input").arg(place.join("set.parquet")).args(["--model", &options.model]);
        fraud.args(["--id", "conversion_id", "--id", "affiliate_id", "--seed", seed, "--no-publish"]);
        fraud.args(["--false-positive-rate", &options.false_positive_rate.to_string()]);
        external::read(fraud.arg("--out").arg(place.join("fraud"))).map(drop)
    }
}

fn head(options: &Options, worlds: &Worlds, machine: &Machine) -> String {
    let facts: String = machine.lines().iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "\
# What the fraud job finds, and whom it wrongs

`cargo xtask judge` writes this page. Worlds are [simulated](simulator.md) with known truth; the job
(`tributary-train fraud --model {model}`, at most {rate} of ordinary conversions to be flagged) learns from the first 60 % of
their conversions, takes its threshold from the next 20 %, and is judged on the last 20 %. It sees no label and no truth.
Each table is of {worlds} worlds of other seeds ({seeds}). «flagged» is recall in a row of
fraud, and the share of false alarms in a row of honest events. Intervals come from drawing occurrences (an attack, a crowd,
an affiliate's orders) with replacement. The worlds were [written down](../xtask/src/judge/worlds.txt) before a detector was tuned, and no detector is
tuned to them. A click farm or stuffed cookies that led to no conversion are not in these tables, which are of conversions.

{facts}
",
        model = options.model,
        rate = options.false_positive_rate,
        worlds = worlds.seeds.len(),
        seeds = worlds.seeds.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worlds_are_read() {
        let worlds = Worlds::read(WORLDS).unwrap();
        assert_eq!((worlds.seeds.len(), worlds.days, worlds.worlds.len()), (5, 45, 3));
        assert!(Worlds::read("wrold x --days 3").is_err());
    }
}
