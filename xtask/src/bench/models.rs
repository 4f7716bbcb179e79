//! How fast an isolation forest is grown, asked, and answers from its ONNX file, beside scikit-learn and skl2onnx on the
//! same core.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    cores::{self, Cores},
    figure::{Bound, Figure, Promise, Report, median},
};
use crate::{cluster, external, native::run_pip, workspace};

/// The same by others.
const PEER: &str = include_str!("models/peer.py");
/// What it needs, of which pip finds the rest.
const PACKAGES: [&str; 3] = ["scikit-learn==1.9.*", "skl2onnx", "onnxruntime"];

const FIT_AT_MOST_MS: f64 = 5.0;
const SCORED_AT_LEAST: f64 = 1_000_000.0;
const LOAD_AT_MOST_MS: f64 = 20.0;
const ROW_AT_MOST_US: f64 = 15.0;
const ROW_WITH_REASONS_AT_MOST_US: f64 = 25.0;
const BATCH_AT_LEAST: f64 = 300_000.0;

/// How often
#[derive(Args)]
pub struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
}

/// What one run of `train/examples/forest_fit.rs` prints.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Grown {
    fit_ms: f64,
    rows_s: f64,
}

/// What a line of `models/examples/forest_speed.rs` says.
#[derive(Clone, Debug, Deserialize)]
struct File {
    case: String,
    load_ms: f64,
    p50_us: f64,
    rows_s: f64,
}

/// What `models/peer.py` prints.
#[derive(Clone, Debug, Deserialize)]
struct Peer {
    version: String,
    fit_ms: f64,
    rows_s: f64,
    load_ms: f64,
    p50_us: f64,
    batch_rows_s: f64,
}

/// Builds the programs and runs them by turns on one core.
pub fn run(options: &Options) -> Result<Report> {
    let build = |name: &str| cluster::build(&["--example", name], cluster::Profile::Release, name);
    let (grow, ask, cores) = (build("forest_fit")?, build("forest_speed")?, Cores::choose()?);
    let packages = packages();
    let (mut grown, mut files, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.repetitions {
        let on_one = |command: &mut Command| cores::on(&cores.server, || external::read(command));
        grown.push(read::<Grown>(&on_one(&mut native(&grow))?)?);
        let said = on_one(&mut native(&ask))?;
        files.push(said.lines().map(read::<File>).collect::<Result<Vec<_>>>()?);
        if let Ok(packages) = &packages {
            let mut python = Command::new("python3");
            peers.push(read::<Peer>(&on_one(python.args(["-c", PEER]).arg(packages))?)?);
        }
    }
    let mut report = report(&grown, &files, &peers);
    if let Err(error) = packages {
        report
            .notes
            .push(format!("pip could not install scikit-learn and skl2onnx, so there is no peer: {error:#}"));
    }
    Ok(report)
}

/// A program of ours, which finds the native libraries.
fn native(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("ORT_DYLIB_PATH", workspace::root().join(".native/onnxruntime/libonnxruntime.so"));
    command
}

/// Where the peer's packages are; they are brought the first time.
fn packages() -> Result<PathBuf> {
    let folder = workspace::root().join(".tributary/bench/sklearn");
    if !folder.join("sklearn").is_dir() {
        fs::create_dir_all(&folder)?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--only-binary=:all:", "--target"]).arg(&folder).args(PACKAGES);
        run_pip(&mut pip)?;
    }
    Ok(folder)
}

fn read<T: DeserializeOwned>(printed: &str) -> Result<T> {
    serde_json::from_str(printed).context("the measured program printed something else")
}

fn report(grown: &[Grown], files: &[Vec<File>], peers: &[Peer]) -> Report {
    let of = |values: &mut dyn Iterator<Item = f64>| values.collect::<Vec<f64>>();
    let mut report = Report::default();
    let mut add = |case: &str, who: &str, values: Vec<f64>, unit: &'static str| {
        let figure = Figure::median(case, who, &values, unit);
        report.figures.push(figure);
        median(&values)
    };
    let fit = add("grown from 100,000 rows", "ours", of(&mut grown.iter().map(|it| it.fit_ms)), "ms");
    let scored = add("asked, 100,000 rows", "ours", of(&mut grown.iter().map(|it| it.rows_s)), "rows/s");
    let cases: Vec<String> = files.first().into_iter().flatten().map(|file| file.case.clone()).collect();
    let mut held = Vec::new();
    for case in cases {
        let runs = || files.iter().flatten().filter(|file| file.case == case);
        let load = add("file loaded", &case, of(&mut runs().map(|it| it.load_ms)), "ms");
        let row = add("file, a row, median", &case, of(&mut runs().map(|it| it.p50_us)), "µs");
        let batch = add("file, 4,096 rows", &case, of(&mut runs().map(|it| it.rows_s)), "rows/s");
        held.push((case, load, row, batch));
    }
    if !peers.is_empty() {
        add("grown from 100,000 rows", "scikit-learn", of(&mut peers.iter().map(|it| it.fit_ms)), "ms");
        add("asked, 100,000 rows", "scikit-learn", of(&mut peers.iter().map(|it| it.rows_s)), "rows/s");
        add("file loaded", "scikit-learn", of(&mut peers.iter().map(|it| it.load_ms)), "ms");
        add("file, a row, median", "scikit-learn", of(&mut peers.iter().map(|it| it.p50_us)), "µs");
        add("file, 4,096 rows", "scikit-learn", of(&mut peers.iter().map(|it| it.batch_rows_s)), "rows/s");
        report.notes.push(format!(
            "scikit-learn is {}; its file is skl2onnx's, in single precision and without reasons, which it has none of.",
            peers[0].version
        ));
    }
    let mut promise = |says: String, value: f64, unit: &'static str, bound: Bound| {
        report.promises.push(Promise { says, value, unit, bound });
    };
    promise("a forest is grown in at most 5 ms".to_owned(), fit, "ms", Bound::AtMost(FIT_AT_MOST_MS));
    let says = "one core scores at least a million rows a second".to_owned();
    promise(says, scored, "rows/s", Bound::AtLeast(SCORED_AT_LEAST));
    for (case, load, row, batch) in held {
        let row_us =
            if case.ends_with("with reasons") { ROW_WITH_REASONS_AT_MOST_US } else { ROW_AT_MOST_US };
        promise(format!("{case}: loads in at most 20 ms"), load, "ms", Bound::AtMost(LOAD_AT_MOST_MS));
        promise(format!("{case}: a row takes at most {row_us} µs"), row, "µs", Bound::AtMost(row_us));
        if !case.ends_with("with reasons") {
            let says = format!("{case}: at least 300,000 rows a second in batches of 4,096");
            promise(says, batch, "rows/s", Bound::AtLeast(BATCH_AT_LEAST));
        }
    }
    report.notes.push(
        "An isolation forest of 100 trees of 256 rows, of 30 features, everything on one core. Our files are run by ONNX \
         Runtime as they are served: raw features in, score and reasons (one for each feature) out."
            .to_owned(),
    );
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_promise_is_about_its_own_figure() {
        let file =
            |case: &str, p50_us: f64| File { case: case.to_owned(), load_ms: 5.0, p50_us, rows_s: 4e5 };
        let files = [vec![file("double, without reasons", 12.0), file("double, with reasons", 30.0)]];
        let report = report(&[Grown { fit_ms: 4.0, rows_s: 9e5 }], &files, &[]);
        let held: Vec<bool> = report.promises.iter().map(Promise::is_held).collect();
        assert_eq!(held, [true, false, true, true, true, true, false]);
    }
}
