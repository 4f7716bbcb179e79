//! What dividing credit costs: rules, the sum game, Markov chains and an exact game, beside ChannelAttribution and
//! marketing-attribution-models.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::figure::{Bound, Figure, Promise, Report};
use crate::{cluster, external, native::run_pip, workspace};

/// The same by others.
const PEER: &str = include_str!("attribution/peer.py");
/// What it needs, of which pip finds the rest.
const PACKAGES: [&str; 4] = ["ChannelAttribution", "marketing-attribution-models", "matplotlib", "pandas"];
/// What peers are asked about.
const PEER_CHANNELS: &str = "200";

/// How much
#[derive(Args)]
pub struct Options {
    /// How many journeys over 200 channels; chains of order 3 are of a tenth of them, over 50
    #[arg(long, default_value_t = 10_000_000)]
    journeys: u64,
    /// How many journeys peers are given; 0 for no peer
    #[arg(long, default_value_t = 1_000_000)]
    peer_journeys: u64,
}

impl Options {
    /// Whether nothing is left out.
    pub fn is_complete(&self) -> bool {
        10_000_000 <= self.journeys && 1_000_000 <= self.peer_journeys
    }
}

/// A line of `domain/examples/attribution_speed.rs`.
#[derive(Debug, Deserialize)]
struct Case {
    case: String,
    wall_s: f64,
    cpu_s: f64,
}

/// A line of `attribution/peer.py`.
#[derive(Debug, Deserialize)]
struct Peer {
    peer: String,
    #[serde(default)]
    wall_s: f64,
    #[serde(default)]
    cpu_s: f64,
    /// The largest error of a channel, in parts of the exact credit.
    #[serde(default)]
    worst: f64,
    error: Option<String>,
}

/// What must not take longer, in seconds of one core, or of two where the program uses them.
const PROMISES: [(&str, f64); 4] = [
    ("five rules and the sum game", 2.0),
    ("markov 1, statistics", 4.0),
    ("markov 3, effects on two threads", 5.0),
    ("20 players exactly", 0.5),
];
const MEMORY_AT_MOST_MIB: f64 = 1_024.0;

/// Builds the programs and runs them.
pub fn run(options: &Options) -> Result<Report> {
    let build =
        |name: &str| cluster::build(&["-p", "domain", "--example", name], cluster::Profile::Release, name);
    let (speed, exact) = (build("attribution_speed")?, build("attribution_exact")?);
    let said = external::read(Command::new(speed).arg(options.journeys.to_string()))?;
    let mut report = of_ours(&said);
    if 0 < options.peer_journeys {
        match peers(&exact, options) {
            Ok(peers) => add_peers(&mut report, options, &peers),
            Err(error) => report.notes.push(format!("there is no peer: {error:#}")),
        }
    }
    Ok(report)
}

fn of_ours(said: &str) -> Report {
    let mut report = Report::default();
    let cases: Vec<Case> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for Case { case, wall_s, cpu_s } in cases.iter().filter(|it| !it.case.starts_with("generate")) {
        report.figures.push(Figure::new(case.clone(), "seconds", *wall_s, "s"));
        report.figures.push(Figure::new(case.clone(), "seconds of a core", *cpu_s, "s"));
    }
    for (case, at_most) in PROMISES {
        if let Some(found) = cases.iter().find(|it| it.case == case) {
            let says = format!("{case}: at most {at_most} s of a core");
            report.promises.push(Promise {
                says,
                value: found.cpu_s,
                unit: "s",
                bound: Bound::AtMost(at_most),
            });
        }
    }
    // The columns of all journeys and all that was computed from them until then.
    let columns = said.lines().find(|line| line.contains("peak memory, columns"));
    if let Some(mib) = columns.and_then(mib_of) {
        let says = "journeys, rules and a chain of order 1 take at most a gibibyte".to_owned();
        report.promises.push(Promise {
            says,
            value: mib,
            unit: "MiB",
            bound: Bound::AtMost(MEMORY_AT_MOST_MIB),
        });
    }
    report.notes.push(
        "Journeys are those of domain/tests/attribution/synthetic.rs: 2.6 touches each, of which 7 % convert, in memory as \
         columns. Rules and chains of order 1 are folded by one thread here; the job folds them by as many as there are."
            .to_owned(),
    );
    report
}

/// The mebibytes of a line that says `VmHWM` in kB.
fn mib_of(line: &str) -> Option<f64> {
    let digits: String = line.rsplit("\"VmHWM\"").next()?.chars().filter(char::is_ascii_digit).collect();
    Some(digits.parse::<f64>().ok()? / 1_024.0)
}

fn peers(exact: &PathBuf, options: &Options) -> Result<Vec<Peer>> {
    let packages = packages()?;
    let folder = tempfile::tempdir()?;
    let credit =
        external::read(Command::new(exact).arg(options.peer_journeys.to_string()).arg(PEER_CHANNELS))?;
    let place = folder.path().join("exact.json");
    fs::write(&place, credit)?;
    let mut python = Command::new("python3");
    python
        .args(["-c", PEER])
        .arg(packages)
        .arg(options.peer_journeys.to_string())
        .arg(PEER_CHANNELS)
        .arg(place);
    let said = external::read(&mut python)?;
    said.lines().map(|line| serde_json::from_str(line).context("the peer printed something else")).collect()
}

fn add_peers(report: &mut Report, options: &Options, peers: &[Peer]) {
    for peer in peers {
        if let Some(error) = &peer.error {
            report.notes.push(format!("{} did not work: {error}", peer.peer));
            continue;
        }
        let case = format!("markov 1 of {} journeys", options.peer_journeys);
        report.figures.push(Figure::new(case.clone(), peer.peer.clone(), peer.wall_s, "s"));
        report.figures.push(Figure::new(format!("{case}, of a core"), peer.peer.clone(), peer.cpu_s, "s"));
        let off = format!("{case}, worst channel off by");
        report.figures.push(Figure::new(off, peer.peer.clone(), 100.0 * peer.worst, "%"));
    }
    report.notes.push(
        "The worst channel is that of the channels with a tenth of the most credit or more whose credit is furthest from the \
         exact one, which ours is to twelve digits."
            .to_owned(),
    );
}

/// Where the peers' packages are; they are brought the first time.
fn packages() -> Result<PathBuf> {
    let folder = workspace::root().join(".tributary/bench/attribution");
    if !folder.join("ChannelAttribution").is_dir() {
        fs::create_dir_all(&folder)?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--target"]).arg(&folder).args(PACKAGES);
        run_pip(&mut pip)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_promises_are_those_of_the_lines() {
        let said = "{\"case\": \"generate 200 channels\", \"wall_s\": 9, \"cpu_s\": 9}\n\
                    {\"case\": \"20 players exactly\", \"wall_s\": 0.2, \"cpu_s\": 0.6}\n{\"states\": 7}\n\
                    {\"case\": \"peak memory, columns\", \"VmHWM\": \"VmHWM:\t  533504 kB\"}";
        let report = of_ours(&said.replace('\t', " "));
        assert_eq!(report.figures.len(), 2);
        let held: Vec<bool> = report.promises.iter().map(Promise::is_held).collect();
        assert_eq!(held, [false, true]);
        assert!((report.promises[1].value - 521.0).abs() < 0.1, "{}", report.promises[1].value);
    }
}
