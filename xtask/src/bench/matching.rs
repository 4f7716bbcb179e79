//! What matching costs, and how good it is: vectors learned from a million interactions beside `implicit` on the same log by
//! turns, and the ten nearest of a hundred thousand vectors beside reading the same bytes once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::figure::{Bound, Figure, Promise, Report, median, readable, several};
use crate::{cluster, external, native::run_pip, workspace};

/// The same by implicit.
const PEER: &str = include_str!("matching/peer.py");
/// What it needs.
const PACKAGES: [&str; 3] = ["implicit==0.7.*", "numpy", "scipy"];
const THREADS: &str = "2";
/// Vectors that are searched, and how long they are.
const VECTORS: [&str; 2] = ["100000", "64"];
const QUALITY_WITHIN: f64 = 0.01;

/// How much
#[derive(Args)]
pub struct Options {
    /// How many interactions there are, of which four fifths are learned from
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    rows: u32,
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
}

impl Options {
    /// Whether nothing is left out.
    pub fn is_complete(&self) -> bool {
        1_000_000 <= self.rows
    }
}

/// What learning prints: of `train/examples/match_speed.rs als`, or of `matching/peer.py`.
#[derive(Clone, Debug, Deserialize)]
struct Learned {
    wall_s: f64,
    cpu_s: f64,
    ndcg: f64,
    users: u32,
    items: u32,
    pairs: u32,
    /// Implicit's.
    #[serde(default)]
    version: String,
}

/// What `train/examples/match_speed.rs nearest` prints.
#[derive(Clone, Debug, Deserialize)]
struct Searched {
    floor_ms: f64,
    all_ms: f64,
    tenth_ms: f64,
    batched_per_s: f64,
    batched_per_core_s: f64,
}

/// Builds the program, makes a log, and lets both learn from it by turns.
pub fn run(options: &Options) -> Result<Report> {
    let program = cluster::build(&["--example", "match_speed"], cluster::Profile::Release, "match_speed")?;
    let packages = packages();
    let folder = tempfile::tempdir()?;
    external::read(Command::new(&program).arg("log").arg(folder.path()).arg(options.rows.to_string()))?;
    let (mut ours, mut peers, mut searched) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.repetitions {
        ours.push(printed::<Learned>(Command::new(&program).arg("als").arg(folder.path()).arg(THREADS))?);
        if let Ok(packages) = &packages {
            peers.push(printed::<Learned>(&mut peer_on(packages, folder.path()))?);
        }
        searched.push(printed::<Searched>(Command::new(&program).arg("nearest").args(VECTORS))?);
    }
    let mut report = report(options, (&ours, &peers), &searched);
    if let Err(error) = packages {
        report.notes.push(format!("pip could not install implicit, so there is no peer: {error:#}"));
    }
    Ok(report)
}

fn peer_on(packages: &Path, folder: &Path) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", PEER]).arg(packages).arg(folder).arg(THREADS);
    // Its threads would otherwise count as busy while they wait for each other.
    python.env("OMP_WAIT_POLICY", "passive");
    python
}

fn printed<T: for<'a> Deserialize<'a>>(command: &mut Command) -> Result<T> {
    serde_json::from_str(&external::read(command)?).context("the measured program printed something else")
}

/// Where implicit is; it is brought the first time.
fn packages() -> Result<PathBuf> {
    let folder = workspace::root().join(".tributary/bench/implicit");
    if !folder.join("implicit").is_dir() {
        fs::create_dir_all(&folder)?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--only-binary=:all:", "--target"]).arg(&folder).args(PACKAGES);
        run_pip(&mut pip)?;
    }
    Ok(folder)
}

/// What is measured, its unit, and where its number is.
type Measure<T> = (&'static str, &'static str, fn(&T) -> f64);

fn report(options: &Options, (ours, peers): (&[Learned], &[Learned]), searched: &[Searched]) -> Report {
    let mut report = Report::default();
    let mut promise = |says: String, value: f64, unit: &'static str, bound: Bound| {
        report.promises.push(Promise { says, value, unit, bound });
    };
    let rows = format!("als, {} interactions × 64", readable(f64::from(options.rows)));
    let of = |all: &[Learned], which: fn(&Learned) -> f64| all.iter().map(which).collect::<Vec<f64>>();
    let measures: [Measure<Learned>; 3] = [
        ("on the wall", "s", |it| it.wall_s),
        ("of cores", "s", |it| it.cpu_s),
        ("NDCG at 10", "", |it| it.ndcg),
    ];
    for (what, unit, which) in measures {
        for (who, all) in [("ours", ours), ("implicit", peers)].into_iter().filter(|it| !it.1.is_empty()) {
            report.figures.push(Figure::median(format!("{rows}, {what}"), who, &of(all, which), unit));
        }
    }
    if !peers.is_empty() {
        let [ours_s, peers_s] = [ours, peers].map(|all| median(&of(all, |it| it.cpu_s)));
        promise(
            "als: at most implicit's time of cores".to_owned(),
            ours_s / peers_s,
            "×",
            Bound::AtMost(1.0),
        );
        let [ours, peers] = [ours, peers].map(|all| median(&of(all, |it| it.ndcg)));
        let says = format!("als: NDCG is no more than {QUALITY_WITHIN} of it below implicit's");
        promise(says, 1.0 - ours / peers, "", Bound::AtMost(QUALITY_WITHIN));
    }
    let searches: [Measure<Searched>; 5] = [
        ("the same bytes read once", "ms", |it| it.floor_ms),
        ("10 nearest of 100,000 × 64", "ms", |it| it.all_ms),
        ("of a tenth of them", "ms", |it| it.tenth_ms),
        ("by batches of 64, on two threads", "queries/s", |it| it.batched_per_s),
        ("the same, for each busy core", "queries/s", |it| it.batched_per_core_s),
    ];
    let mut medians = Vec::new();
    for (case, unit, which) in searches {
        let all: Vec<f64> = searched.iter().map(which).collect();
        medians.push(median(&all));
        report.figures.push(Figure::median(case, "ours", &all, unit));
    }
    let search = |says: &str| format!("nearest: {says}");
    promise(search("at most 1 ms, median, on one core"), medians[1], "ms", Bound::AtMost(1.0));
    promise(search("at most 0.35 ms with a tenth eligible"), medians[2], "ms", Bound::AtMost(0.35));
    promise(search("at least 4,000 a second batched"), medians[3], "queries/s", Bound::AtLeast(4_000.0));
    report.notes.push(note(options, ours, peers));
    report
}

fn note(options: &Options, ours: &[Learned], peers: &[Learned]) -> String {
    let version = peers.first().map_or("missing", |it| it.version.as_str());
    let [users, items, pairs] =
        ours.first().map_or([0; 3], |it| [it.users, it.items, it.pairs]).map(|it| readable(f64::from(it)));
    format!(
        "{} by turns; {pairs} different pairs of {users} users and {items} items are learned from, 64 factors, 15 rounds, \
         ridge 0.01, confidence 2, 2 threads; one user of 25 is judged on what was held out, by lists over all items. implicit is \
         {version}, and its threads wait passively. Vectors that are searched are bell-shaped; searches are exact.",
        several(u64::from(options.repetitions), "run"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_about_the_peer_and_the_clock() {
        let learned = |cpu_s: f64, ndcg: f64| Learned {
            wall_s: cpu_s / 2.0,
            cpu_s,
            ndcg,
            users: 50_000,
            items: 10_000,
            pairs: 764_732,
            version: "0.7.3".to_owned(),
        };
        let searched = |all_ms: f64, batched_per_s: f64| Searched {
            floor_ms: 0.9,
            all_ms,
            tenth_ms: 0.3,
            batched_per_s,
            batched_per_core_s: 3_000.0,
        };
        let options = Options { rows: 1_000_000, repetitions: 1 };
        let held = |report: &Report| report.promises.iter().map(Promise::is_held).collect::<Vec<bool>>();
        let both = (&[learned(5.0, 0.0905)][..], &[learned(5.5, 0.09)][..]);
        let found = report(&options, both, &[searched(0.8, 4_100.0)]);
        assert_eq!(held(&found), [true; 5]);
        assert_eq!(found.figures.len(), 11);
        let worse = (&[learned(5.6, 0.089)][..], &[learned(5.5, 0.09)][..]);
        let found = report(&options, worse, &[searched(1.1, 3_900.0)]);
        assert_eq!(held(&found), [false, false, false, true, false]);
        assert_eq!(held(&report(&options, (worse.0, &[]), &[searched(0.8, 4_100.0)])), [true; 3]);
    }
}
