//! `cargo xtask judge fraud`: what detectors of fraud find, and whom they wrong, in worlds whose truth is known.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

mod left_out;

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};
use clap::Args;
use domain::Clock;

use super::worlds::Worlds;
use crate::{bench::machine::Machine, cluster, external, workspace};

/// The worlds, which stay as they are.
const WORLDS: &str = include_str!("fraud/worlds.txt");
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
    /// Also with --only, judge what is found of schemes that no label knows
    #[arg(long)]
    left_out: bool,
    /// Leave docs/fraud-evaluation.md as it is; a run of a part only never writes it
    #[arg(long)]
    no_write: bool,
}

/// What simulates and what learns.
pub(super) struct Programs {
    sim: PathBuf,
    pub(super) train: PathBuf,
}

/// Simulates, learns, judges, and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    let worlds = Worlds::read(WORLDS)?;
    let programs = Programs::build()?;
    let mut sections = String::new();
    for (name, flags) in worlds.only(&options.only)? {
        let judged = programs.judge(&worlds, flags, options);
        let section = judged.with_context(|| format!("in the world «{name}»"))?.section(name, flags, &worlds);
        print!("{section}");
        sections.push_str(&section);
    }
    if options.only.is_empty() || options.left_out {
        let section = left_out::section(&programs, &worlds, options)?;
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

/// What was said of one kind of world: without labels, and with what its reviewers had found.
struct Judged {
    without: String,
    with: String,
}

impl Judged {
    fn section(&self, name: &str, flags: &[String], worlds: &Worlds) -> String {
        format!(
            "## {name}\n\n`tributary-sim {} --days {}`\n\n### Without labels\n\n{}\n\
             ### With what reviewers had found\n\n{}\n",
            flags.join(" "),
            worlds.days,
            self.without,
            self.with
        )
    }
}

impl Programs {
    pub(super) fn build() -> Result<Self> {
        let release = |name: &str| cluster::build(&["--bin", name], cluster::Profile::Release, name);
        Ok(Self { sim: release("tributary-sim")?, train: release("tributary-train")? })
    }

    /// The tables for one kind of world, over all seeds.
    fn judge(&self, worlds: &Worlds, flags: &[String], options: &Options) -> Result<Judged> {
        let folder = tempfile::tempdir()?;
        let [mut without, mut with] = [(); 2].map(|()| self.judgement());
        for seed in &worlds.seeds {
            let place = folder.path().join(seed);
            self.world(seed, worlds.days, flags, &place)?;
            // The lake is large, and nobody reads it again.
            fs::remove_dir_all(place.join("lake"))?;
            self.learn(seed, (&options.model, options.false_positive_rate), &place, Labels::Unseen)?;
            self.learn(seed, (&options.model, options.false_positive_rate), &place, Labels::Reviewed)?;
            for (judge, labels) in [(&mut without, Labels::Unseen), (&mut with, Labels::Reviewed)] {
                judge.arg("--world").arg(place.join("world"));
                judge.arg("--scores").arg(place.join(labels.folder()).join("scores.csv"));
            }
        }
        Ok(Judged { without: external::read(&mut without)?, with: external::read(&mut with)? })
    }

    fn judgement(&self) -> Command {
        let mut judge = Command::new(&self.sim);
        judge.arg("judge");
        judge
    }

    /// A world, and its conversions as a training set with what reviewers found.
    pub(super) fn world(&self, seed: &str, days: u64, flags: &[String], place: &Path) -> Result<()> {
        let mut sim = Command::new(&self.sim);
        sim.args(flags).args(["--seed", seed, "--days", &days.to_string()]);
        sim.arg("--lake").arg(place.join("lake")).arg("--out").arg(place.join("world"));
        external::read(&mut sim)?;
        let first = NaiveDate::from_ymd_opt(2026, 1, 1).context("the simulator's first day")?;
        let end = first.checked_add_days(Days::new(days)).context("its last day")?;
        let mut features = Command::new(&self.train);
        features.args(["features", "--set", "fraud_v1", "--labels", "events", "--verdicts"]);
        features.arg("--lake").arg(place.join("lake"));
        features.args(["--from", &first.to_string(), "--to", &end.to_string()]);
        external::read(features.arg("--out").arg(place.join("set.parquet"))).map(drop)
    }

    pub(super) fn learn(
        &self,
        seed: &str,
        (model, false_positive_rate): (&str, f64),
        place: &Path,
        labels: Labels,
    ) -> Result<()> {
        let mut fraud = Command::new(&self.train);
        fraud.arg("fraud").arg("--input").arg(place.join("set.parquet")).args(["--model", model]);
        if labels == Labels::Reviewed {
            fraud.args(["--label", "fraud"]);
        }
        fraud.args(["--id", "conversion_id", "--id", "affiliate_id", "--seed", seed, "--no-publish"]);
        fraud.args(["--false-positive-rate", &false_positive_rate.to_string()]);
        external::read(fraud.arg("--out").arg(place.join(labels.folder()))).map(drop)
    }
}

/// What a detector is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    /// Nothing.
    Unseen,
    /// What reviewers had found by the end of what it learns from.
    Reviewed,
}

impl Labels {
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Unseen => "without",
            Self::Reviewed => "with",
        }
    }
}

fn head(options: &Options, worlds: &Worlds, machine: &Machine) -> String {
    let facts: String = machine.lines().iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "\
# What the fraud job finds, and whom it wrongs

`cargo xtask judge fraud` writes this page. Worlds are [simulated](simulator.md) with known truth; the job
(`tributary-train fraud --model {model}`, at most {rate} of ordinary conversions to be flagged) learns from the first 60 % of
their conversions, takes its threshold from the next 20 %, and is judged on the last 20 %. It sees no truth: either no label
at all, or (`--label fraud`, of `features --verdicts`) what reviewers had found by the end of the first 60 %. Reviewers of
these worlds look at 41 % of the fraud and 2.5 % of the rest, and see 92 % and 98 % of that for what it is.
Each table is of {worlds} worlds of other seeds ({seeds}). «flagged» is recall in a row of
fraud, and the share of false alarms in a row of honest events. Intervals come from drawing occurrences (an attack, a crowd,
an affiliate's orders) with replacement. The worlds were [written down](../xtask/src/judge/fraud/worlds.txt) before a detector was tuned, and no detector is
tuned to them. A click farm or stuffed cookies that led to no conversion are not in these tables, which are of conversions.

{facts}
",
        model = options.model,
        rate = options.false_positive_rate,
        worlds = worlds.seeds.len(),
        seeds = worlds.seeds.join(", "),
    )
}
