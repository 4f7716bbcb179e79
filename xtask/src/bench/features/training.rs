//! How long training data takes: tables joined point in time, beside polars' own `join_asof`, and a training set from a
//! lake of ten million clicks.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    bench::figure::{Bound, Figure, Promise, Report, count, median, readable},
    cluster, external,
};

/// What a join of a million rows with ten views may take, in seconds and in MiB.
const JOIN_AT_MOST_S: f64 = 2.5;
const JOIN_AT_MOST_MIB: f64 = 1_024.0;
/// How much longer than polars' own join, which knows one time only.
const JOIN_AT_MOST_RATIO: f64 = 1.3;
/// What a training set from ten million clicks may take, in seconds.
const BUILD_AT_MOST_S: f64 = 60.0;

/// The sizes that are promised.
const ROWS: u64 = 1_000_000;
const CLICKS: u64 = 10_000_000;

/// How much
#[derive(Args)]
#[group(id = "training_size")]
pub struct Size {
    /// Rows of the join, and of each of its ten views
    #[arg(long, default_value_t = ROWS, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    rows: u64,
    /// Clicks of the lake
    #[arg(long, default_value_t = CLICKS, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    clicks: u64,
}

impl Size {
    /// Whether it is what was promised that is measured.
    pub fn is_complete(&self) -> bool {
        (self.rows, self.clicks) == (ROWS, CLICKS)
    }
}

/// What one run of `features/examples/point_in_time.rs` prints.
#[derive(Clone, Debug, Deserialize)]
struct Join {
    seconds: f64,
    peak_kib: u64,
    rows: u64,
    values: u64,
    missing: u64,
    sum: f64,
}

/// What one run of `features/examples/training_build.rs` prints.
#[derive(Clone, Debug, Deserialize)]
struct Build {
    seconds: f64,
    peak_kib: u64,
    rows: u64,
    features: u64,
}

/// Everything that was run.
struct Runs {
    ours: Vec<Join>,
    polars: Vec<Join>,
    builds: Vec<Build>,
}

/// Builds the programs, writes what they read, and runs them by turns.
pub fn run(size: &Size, repetitions: u32) -> Result<Report> {
    let build = |name: &str| cluster::build(&["--example", name], cluster::Profile::Release, name);
    let (join, make) = (build("point_in_time")?, build("training_build")?);
    let folder = std::env::temp_dir().join(format!("tributary-training-{}", std::process::id()));
    let ran = play((&join, &make), &folder, size, repetitions);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    report(size, &ran?)
}

fn play((join, make): (&Path, &Path), folder: &Path, size: &Size, repetitions: u32) -> Result<Runs> {
    let (tables, lake) = (folder.join("tables"), folder.join("lake"));
    let (rows, clicks) = (size.rows.to_string(), size.clicks.to_string());
    external::read(Command::new(join).arg("prepare").arg(&tables).arg(rows))?;
    let mut runs = Runs { ours: Vec::new(), polars: Vec::new(), builds: Vec::new() };
    for _ in 0..repetitions {
        runs.ours.push(ran(Command::new(join).arg("ours").arg(&tables))?);
        runs.polars.push(ran(Command::new(join).arg("polars").arg(&tables))?);
    }
    fs::remove_dir_all(&tables)?;
    external::read(Command::new(make).arg("prepare").arg(&lake).arg(clicks))?;
    for _ in 0..repetitions {
        runs.builds.push(ran(Command::new(make).arg("make").arg(&lake))?);
    }
    Ok(runs)
}

fn ran<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let printed = external::read(command)?;
    serde_json::from_str(&printed).context("the measured program printed something else")
}

fn report(size: &Size, runs: &Runs) -> Result<Report> {
    let first = runs.ours.first().context("there is at least one run")?;
    let said = |join: &Join| (join.rows, join.values, join.missing, join.sum.to_bits());
    if runs.ours.iter().chain(&runs.polars).any(|join| said(join) != said(first)) {
        bail!("the two joins found different values");
    }
    let made = runs.builds.first().context("there is at least one run")?;
    let join_case = format!("join of {} rows, 10 views, 50 values", readable(count(size.rows)));
    let build_case = format!("fraud_v1 from {} clicks", readable(count(size.clicks)));
    let seconds = |joins: &[Join]| joins.iter().map(|join| join.seconds).collect::<Vec<f64>>();
    let mib = |kib: u64| count(kib) / 1_024.0;
    let most = |peaks: &mut dyn Iterator<Item = u64>| mib(peaks.max().unwrap_or_default());
    let figures = vec![
        Figure::median(join_case.as_str(), "point in time", &seconds(&runs.ours), "s"),
        Figure::median(join_case.as_str(), "bare polars join_asof", &seconds(&runs.polars), "s"),
        Figure::new(
            join_case.as_str(),
            "point in time",
            most(&mut runs.ours.iter().map(|it| it.peak_kib)),
            "MiB",
        ),
        Figure::new(
            join_case.as_str(),
            "bare polars join_asof",
            most(&mut runs.polars.iter().map(|it| it.peak_kib)),
            "MiB",
        ),
        Figure::median(
            build_case.as_str(),
            "training set",
            &runs.builds.iter().map(|it| it.seconds).collect::<Vec<f64>>(),
            "s",
        ),
        Figure::new(
            build_case.as_str(),
            "training set",
            most(&mut runs.builds.iter().map(|it| it.peak_kib)),
            "MiB",
        ),
    ];
    let ratio = median(&seconds(&runs.ours)) / median(&seconds(&runs.polars));
    let promise = |says: String, value, unit, most| Promise { says, value, unit, bound: Bound::AtMost(most) };
    let promises = vec![
        promise(format!("a {join_case} takes at most 2.5 s"), figures[0].value, "s", JOIN_AT_MOST_S),
        promise("… and at most 1 GiB".to_owned(), figures[2].value, "MiB", JOIN_AT_MOST_MIB),
        promise("… and at most 1.3 times as long as polars' own".to_owned(), ratio, "×", JOIN_AT_MOST_RATIO),
        promise(format!("{build_case} takes at most 60 s"), figures[4].value, "s", BUILD_AT_MOST_S),
    ];
    Ok(Report { figures, promises, notes: notes(first, made) })
}

fn notes(join: &Join, made: &Build) -> Vec<String> {
    vec![
        format!(
            "Both joins read the same Parquet files and find the same {} values, of which {} are missing; the views have \
             as many rows as are joined, of 100,000 keys, and two times, which polars' join does not look at.",
            readable(count(join.rows * join.values)),
            readable(count(join.missing)),
        ),
        format!(
            "The training set has {} rows and {} features; it is read from a lake of 30 days and written with its profile.",
            readable(count(made.rows)),
            readable(count(made.features)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(seconds: f64, sum: f64) -> Join {
        Join { seconds, peak_kib: 900 << 10, rows: 10, values: 50, missing: 3, sum }
    }

    fn runs(ours: Join, polars: Join) -> Runs {
        let build = Build { seconds: 61.0, peak_kib: 1 << 20, rows: 5, features: 50 };
        Runs { ours: vec![ours], polars: vec![polars], builds: vec![build] }
    }

    #[test]
    fn promises_are_judged_beside_polars_in_the_same_run() {
        let size = Size { rows: 10, clicks: 100 };
        let report = report(&size, &runs(join(2.0, 7.0), join(1.5, 7.0))).expect("both found the same");
        let held: Vec<bool> = report.promises.iter().map(Promise::is_held).collect();
        assert_eq!(held, [true, true, false, false]);
    }

    #[test]
    fn joins_that_differ_are_no_benchmark() {
        let size = Size { rows: 10, clicks: 100 };
        let error = report(&size, &runs(join(2.0, 7.0), join(1.5, 8.0))).expect_err("they differ");
        assert_eq!(error.to_string(), "the two joins found different values");
    }
}
