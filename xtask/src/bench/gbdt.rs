//! What growing boosted trees costs, and how good they are, beside LightGBM on the same rows by turns.

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

/// The same by LightGBM.
const PEER: &str = include_str!("gbdt/peer.py");
/// What it needs.
const PACKAGES: [&str; 2] = ["lightgbm==4.7.*", "numpy"];
/// What is learned, and by what it is judged on rows that were held out.
const LOSSES: [(&str, &str); 2] = [("logistic", "AUC"), ("squared", "RMSE")];
const THREADS: &str = "2";
const EXTRA_AT_MOST_MIB: f64 = 100.0;
const QUALITY_WITHIN: f64 = 0.002;

/// How much
#[derive(Args)]
pub struct Options {
    /// How many rows are learned from; a tenth as many judge
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
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

/// What one run prints: of `train/examples/gbdt_speed.rs`, or of `gbdt/peer.py`.
#[derive(Clone, Debug, Deserialize)]
struct Grown {
    loss: String,
    wall_s: f64,
    cpu_s: f64,
    extra_mib: f64,
    quality: f64,
    /// Of how many rows the file says another number than the trainer.
    #[serde(default)]
    rows_off: u32,
    #[serde(default)]
    asked_rows: u32,
    /// LightGBM's.
    #[serde(default)]
    version: String,
}

/// Builds the program, makes the rows, and lets both learn from them by turns.
pub fn run(options: &Options) -> Result<Report> {
    let program = cluster::build(&["--example", "gbdt_speed"], cluster::Profile::Release, "gbdt_speed")?;
    let packages = packages();
    let folder = tempfile::tempdir()?;
    external::read(Command::new(&program).arg("table").arg(folder.path()).arg(options.rows.to_string()))?;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..options.repetitions {
        for (loss, _) in LOSSES {
            ours.push(grown(&mut program_on(&program, folder.path(), loss))?);
            if let Ok(packages) = &packages {
                peers.push(grown(&mut peer_on(packages, folder.path(), loss))?);
            }
        }
    }
    let mut report = report(options, &ours, &peers);
    if let Err(error) = packages {
        report.notes.push(format!("pip could not install LightGBM, so there is no peer: {error:#}"));
    }
    Ok(report)
}

fn program_on(program: &Path, folder: &Path, loss: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("fit").arg(folder).args([loss, THREADS]);
    command.env("ORT_DYLIB_PATH", workspace::root().join(".native/onnxruntime/libonnxruntime.so"));
    command
}

fn peer_on(packages: &Path, folder: &Path, loss: &str) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", PEER]).arg(packages).arg(folder).args([loss, THREADS]);
    // Its threads would otherwise count as busy while they wait for each other.
    python.env("OMP_WAIT_POLICY", "passive");
    python
}

fn grown(command: &mut Command) -> Result<Grown> {
    serde_json::from_str(&external::read(command)?).context("the measured program printed something else")
}

/// Where LightGBM is; it is brought the first time.
fn packages() -> Result<PathBuf> {
    let folder = workspace::root().join(".tributary/bench/lightgbm");
    if !folder.join("lightgbm").is_dir() {
        fs::create_dir_all(&folder)?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--only-binary=:all:", "--target"]).arg(&folder).args(PACKAGES);
        run_pip(&mut pip)?;
    }
    Ok(folder)
}

/// A case, its unit, and where its number is.
type Measure = (String, &'static str, fn(&Grown) -> f64);

fn report(options: &Options, ours: &[Grown], peers: &[Grown]) -> Report {
    let mut report = Report::default();
    for (loss, measure) in LOSSES {
        let of = |all: &[Grown], which: fn(&Grown) -> f64| -> Vec<f64> {
            all.iter().filter(|it| it.loss == loss).map(which).collect()
        };
        let rows = format!("{} rows × 30, {loss}", readable(f64::from(options.rows)));
        let measures: [Measure; 4] = [
            (format!("{rows}, on the wall"), "s", |it| it.wall_s),
            (format!("{rows}, of cores"), "s", |it| it.cpu_s),
            (format!("{rows}, memory besides"), "MiB", |it| it.extra_mib),
            (format!("{rows}, {measure}"), "", |it| it.quality),
        ];
        for (case, unit, which) in &measures {
            for (who, all) in [("ours", ours), ("LightGBM", peers)].into_iter().filter(|it| !it.1.is_empty())
            {
                report.figures.push(Figure::median(case, who, &of(all, *which), unit));
            }
        }
        let mut promise = |says: String, value: f64, unit: &'static str, bound: Bound| {
            report.promises.push(Promise { says, value, unit, bound });
        };
        if !peers.is_empty() {
            let [wall, cpu, _, quality] = measures.map(|(_, _, which)| {
                let [ours, peer] = [ours, peers].map(|all| median(&of(all, which)));
                (ours / peer, (ours - peer).abs())
            });
            let long = |what: &str| format!("{loss}: at most LightGBM's {what}");
            promise(long("time on the wall"), wall.0, "×", Bound::AtMost(1.0));
            promise(long("time of cores"), cpu.0, "×", Bound::AtMost(1.0));
            let says = format!("{loss}: {measure} is within {QUALITY_WITHIN} of LightGBM's");
            promise(says, quality.1, "", Bound::AtMost(QUALITY_WITHIN));
        }
        let extra = of(ours, |it| it.extra_mib).into_iter().fold(0.0, f64::max);
        let says = format!("{loss}: at most {EXTRA_AT_MOST_MIB} MiB beside the table");
        promise(says, extra, "MiB", Bound::AtMost(EXTRA_AT_MOST_MIB));
        let off = of(ours, |it| f64::from(it.rows_off)).into_iter().fold(0.0, f64::max);
        let says = format!("{loss}: rows of which the file says another number than the trainer");
        promise(says, off, "rows", Bound::AtMost(0.0));
    }
    report.notes.push(note(options, ours, peers));
    report.notes.extend(LOSSES.iter().map(|(loss, measure)| qualities((loss, measure), ours, peers)));
    report
}

/// How good both are, with more digits than a table has.
fn qualities((loss, measure): (&str, &str), ours: &[Grown], peers: &[Grown]) -> String {
    let of = |all: &[Grown]| {
        let found = all.iter().find(|it| it.loss == loss);
        found.map_or("missing".to_owned(), |it| format!("{:.5}", it.quality))
    };
    format!("{loss}: {measure} is {}, and LightGBM's is {}.", of(ours), of(peers))
}

fn note(options: &Options, ours: &[Grown], peers: &[Grown]) -> String {
    let version = peers.first().map_or("missing", |it| it.version.as_str());
    let asked = ours.first().map_or(0, |it| it.asked_rows);
    format!(
        "{} by turns; 200 trees of 31 leaves, rate 0.1, 255 bins, 2 threads; making bins of a table in memory is in the time. \
         LightGBM is {version} with its defaults otherwise, and its threads wait passively. Columns are epoch seconds, amounts \
         in cents up to some trillions, bell-shaped numbers, one with holes, counts, and one that is mostly zero; {} other \
         rows judge. The file is in double precision and run by ONNX Runtime; it has to say the same bits.",
        several(u64::from(options.repetitions), "run"),
        readable(f64::from(asked)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_about_each_loss_and_its_peer() {
        let grown = |loss: &str, cpu_s: f64, quality: f64| Grown {
            loss: loss.to_owned(),
            wall_s: cpu_s / 2.0,
            cpu_s,
            extra_mib: 90.0,
            quality,
            rows_off: 0,
            asked_rows: 10,
            version: "4.7.0".to_owned(),
        };
        let options = Options { rows: 1_000_000, repetitions: 1 };
        let ours = [grown("logistic", 20.0, 0.75), grown("squared", 30.0, 1.0)];
        let peers = [grown("logistic", 25.0, 0.751), grown("squared", 25.0, 1.01)];
        let held = |report: &Report| report.promises.iter().map(Promise::is_held).collect::<Vec<bool>>();
        let both = report(&options, &ours, &peers);
        assert_eq!(held(&both), [true, true, true, true, true, false, false, false, true, true]);
        assert_eq!(both.figures.len(), 16);
        let off = [Grown { rows_off: 1, extra_mib: 101.0, ..ours[0].clone() }];
        assert_eq!(held(&report(&options, &off, &[]))[..2], [false, false]);
    }
}
