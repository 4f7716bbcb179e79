//! `cargo xtask judge rules`: what decisions about fraud hold and whom they wrong, as they would have been made, in worlds
//! whose truth is known.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::Args;
use domain::Clock;
use serde::Deserialize;

use super::{
    fraud::{Labels, Programs},
    worlds::Worlds,
};
use crate::{bench::machine::Machine, external, workspace};

/// The worlds, which stay as they are.
const WORLDS: &str = include_str!("rules/worlds.txt");
const RULES: &str = include_str!("rules/rules.json");
/// The page that this writes, below the workspace's folder.
const PAGE: &str = "docs/fraud-decisions-evaluation.md";
/// When conversions are scored from, and from when on they are judged: models learn from what is before.
const DAYS: [&str; 2] = ["2026-01-28", "2026-02-05"];

/// What is judged
#[derive(Args)]
pub struct Options {
    /// Judge in these worlds only, plain, usual or hidden; may be repeated
    #[arg(long, value_name = "WORLD")]
    only: Vec<String>,
    /// Leave docs/fraud-decisions-evaluation.md as it is; a run of a part only never writes it
    #[arg(long)]
    no_write: bool,
}

/// Who speaks: what it is called, the model whose scores are given, and from how many points on conversions are held.
struct Speakers {
    name: &'static str,
    model: Option<(&'static str, Labels)>,
    points: &'static str,
}

/// Points were fixed in worlds of other seeds, so that fewer than one honest conversion in a hundred is held by rules, and
/// fewer than two with models.
const SPEAKERS: [Speakers; 3] = [
    Speakers { name: "rules and rings", model: None, points: "45" },
    Speakers {
        name: "rules, rings, and a model without labels",
        model: Some(("forest", Labels::Unseen)),
        points: "50",
    },
    Speakers {
        name: "rules, rings, and a model from reviews",
        model: Some(("labels", Labels::Reviewed)),
        points: "65",
    },
];

/// What `tributary-train fraud --rescore` measures against the truth.
#[derive(Deserialize)]
struct Measured {
    judged: Judged,
    without_first_reason: Lowered,
}

#[derive(Deserialize)]
struct Judged {
    fraud: Held,
    honest: Held,
    affiliates: u64,
    affiliates_beyond: u64,
    patterns: BTreeMap<String, Held>,
}

/// Conversions of one kind, and those of them that were held.
#[derive(Clone, Copy, Default, Deserialize)]
struct Held {
    events: u64,
    held: u64,
    value: f64,
    held_value: f64,
    #[serde(default)]
    is_fraud: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Lowered {
    held: u64,
    fell: u64,
}

/// All seeds together.
#[derive(Default)]
struct Total {
    fraud: Held,
    honest: Held,
    affiliates: u64,
    affiliates_beyond: u64,
    patterns: BTreeMap<String, Held>,
    lowered: Lowered,
}

/// Simulates, learns, decides, and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    let worlds = Worlds::read(WORLDS)?;
    let programs = Programs::build()?;
    let mut sections = String::new();
    for (name, flags) in worlds.only(&options.only)? {
        let totals = judge(&programs, &worlds, flags).with_context(|| format!("in the world «{name}»"))?;
        let section = section(name, flags, &worlds, &totals);
        print!("{section}");
        sections.push_str(&section);
    }
    if options.only.is_empty() && !options.no_write {
        let machine = Machine::here(workspace::root(), &Clock::system())?;
        let page = workspace::root().join(PAGE);
        fs::write(&page, format!("{}{sections}", head(&worlds, &machine)))
            .with_context(|| format!("{PAGE} cannot be written"))?;
    }
    Ok(())
}

/// What came of all worlds of a kind, for each of those who speak.
fn judge(programs: &Programs, worlds: &Worlds, flags: &[String]) -> Result<[Total; 3]> {
    let folder = tempfile::tempdir()?;
    let mut totals = [(); 3].map(|()| Total::default());
    fs::write(folder.path().join("rules.json"), RULES)?;
    for seed in &worlds.seeds {
        let place = folder.path().join(seed);
        programs.world(seed, worlds.days, flags, &place)?;
        for labels in [Labels::Unseen, Labels::Reviewed] {
            programs.learn(seed, ("ensemble", 0.02), &place, labels)?;
        }
        for (total, speakers) in totals.iter_mut().zip(&SPEAKERS) {
            total.add(decided(programs, &place, speakers)?);
        }
        // A lake is large, and nobody reads it again.
        fs::remove_dir_all(place)?;
    }
    Ok(totals)
}

fn decided(programs: &Programs, place: &Path, speakers: &Speakers) -> Result<Measured> {
    let out: PathBuf = place.join("decided");
    let mut rescore = Command::new(&programs.train);
    rescore.args(["fraud", "--rescore", "--without-reviews", "--replace", "--hold-from", speakers.points]);
    rescore.args(["--from", DAYS[0], "--calibrate-until", DAYS[1]]);
    rescore.arg("--rules").arg(place.with_file_name("rules.json"));
    let network = place.join("world/network");
    rescore.arg("--networks").arg(network.join("networks.csv")).arg("--records").arg(network);
    rescore.arg("--truth").arg(place.join("world/truth/labels.parquet"));
    if let Some((model, labels)) = speakers.model {
        let scores = place.join(labels.folder()).join("scores.csv");
        rescore.arg("--scores").arg(format!("{model}={}", scores.display()));
    }
    external::read(rescore.arg("--lake").arg(place.join("lake")).arg("--out").arg(&out))?;
    let text = fs::read_to_string(out.join("metrics.json"))?;
    serde_json::from_str(&text).context("metrics.json of the job says something else")
}

impl Held {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.held += other.held;
        self.value += other.value;
        self.held_value += other.held_value;
        self.is_fraud |= other.is_fraud;
    }

    /// The share that was held, with Wilson's interval at 95 % (Wilson 1927), as if events were independent.
    fn share(self) -> String {
        let (n, p) = (self.events as f64, self.held as f64 / self.events.max(1) as f64);
        let z = 1.959_964;
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        format!("{p:.3} ({:.3} to {:.3})", (middle - half).max(0.0), (middle + half).min(1.0))
    }

    fn share_of_value(self) -> f64 {
        if 0.0 < self.value { self.held_value / self.value } else { 0.0 }
    }
}

impl Total {
    fn add(&mut self, measured: Measured) {
        let Measured { judged, without_first_reason } = measured;
        self.fraud.add(judged.fraud);
        self.honest.add(judged.honest);
        self.affiliates += judged.affiliates;
        self.affiliates_beyond += judged.affiliates_beyond;
        for (pattern, held) in judged.patterns {
            self.patterns.entry(pattern).or_default().add(held);
        }
        self.lowered.held += without_first_reason.held;
        self.lowered.fell += without_first_reason.fell;
    }
}

fn section(name: &str, flags: &[String], worlds: &Worlds, totals: &[Total; 3]) -> String {
    let mut text = format!(
        "## {name}\n\n`tributary-sim {} --days {}`\n\n\
         | who speaks | points | fraud held, by count | by value | honest held | partners beyond 2 % | first reason lowers |\n\
         |---|---:|---|---:|---|---:|---:|\n",
        flags.join(" "),
        worlds.days
    );
    for (speakers, total) in SPEAKERS.iter().zip(totals) {
        text.push_str(&format!(
            "| {} | {} | {} | {:.3} | {} | {} of {} | {} of {} |\n",
            speakers.name,
            speakers.points,
            total.fraud.share(),
            total.fraud.share_of_value(),
            total.honest.share(),
            total.affiliates_beyond,
            total.affiliates,
            total.lowered.fell,
            total.lowered.held,
        ));
    }
    text.push_str(
        "\n| scheme or crowd | events | by rules and rings | and without labels | and from reviews |\n",
    );
    text.push_str("|---|---:|---|---|---|\n");
    let mut patterns: Vec<(&String, &Held)> = totals[0].patterns.iter().collect();
    patterns.sort_by_key(|(name, held)| (!held.is_fraud, *name));
    for (pattern, held) in patterns {
        let of = |total: &Total| total.patterns.get(pattern).copied().unwrap_or_default().share();
        let kind = if held.is_fraud { "" } else { " (honest)" };
        let [rules, unseen, reviewed] = totals.each_ref().map(of);
        text.push_str(&format!("| {pattern}{kind} | {} | {rules} | {unseen} | {reviewed} |\n", held.events));
    }
    text.push('\n');
    text
}

fn head(worlds: &Worlds, machine: &Machine) -> String {
    let facts: String = machine.lines().iter().map(|line| format!("- {line}\n")).collect();
    format!(
        "\
# What decisions about fraud hold, and whom they wrong

`cargo xtask judge rules` writes this page. Worlds are [simulated](simulator.md) with known truth, and their past is decided about
[as it would have been](fraud-rescore.md): point in time, by the default [rules](fraud-rules.md) with one brand term, rings, and
models ([fraud job](fraud-model.md), ensembles) that learned from the first 60 % of conversions: without a label, or from what reviewers had found by then,
who had looked at 41 % of the fraud and 2.5 % of the rest. Judged are the last ten days. Conversions are held from a number of
points on that was fixed in worlds of other seeds. Each table is of {count} worlds (seeds {seeds}), which nothing was
looked at in before; intervals are Wilson's at 95 %, as if conversions were independent, which those of one attack are
not. «Partners beyond 2 %» are those with a hundred honest conversions in those days of whom more than 2 % were held; «first
reason lowers» counts held conversions whose score falls when the first reason is taken away.

{facts}
",
        count = worlds.seeds.len(),
        seeds = worlds.seeds.join(", "),
    )
}
