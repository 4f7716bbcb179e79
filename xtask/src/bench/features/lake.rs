//! How fast events become partitions of the lake.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{
    bench::{
        cores::{self, Cores},
        figure::{Bound, Figure, Promise, Report, count, median, readable},
    },
    cluster, external,
};

/// How many clicks are written at least in a second, with all cores.
const AT_LEAST: f64 = 1_000_000.0;
const CLICKS: u64 = 4_000_000;

/// What one run of `features/examples/lake_write.rs` prints.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Run {
    seconds: f64,
    events: u64,
    bytes: u64,
    files: u64,
}

/// Builds the example, and runs it on one core and on all.
pub fn run(repetitions: u32) -> Result<Report> {
    let program = cluster::build(&["--example", "lake_write"], cluster::Profile::Release, "lake_write")?;
    let cores = Cores::choose()?;
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let mut command = Command::new(&program);
        command.arg(CLICKS.to_string());
        one.push(read(&cores::on(&cores.server, || external::read(&mut command))?)?);
        all.push(read(&external::read(&mut command)?)?);
    }
    report(&one, &all)
}

fn read(printed: &str) -> Result<Run> {
    serde_json::from_str(printed).context("the measured program printed something else")
}

fn report(one: &[Run], all: &[Run]) -> Result<Report> {
    let first = one.first().context("there is at least one run")?;
    let rates = |runs: &[Run]| runs.iter().map(|run| count(run.events) / run.seconds).collect::<Vec<f64>>();
    let case = format!("{} clicks into partitions", readable(count(first.events)));
    let figures = vec![
        Figure::median(case.as_str(), "all cores", &rates(all), "events/s"),
        Figure::median(case.as_str(), "one core", &rates(one), "events/s"),
        Figure::new(case.as_str(), "on the disk", count(first.bytes) / count(first.events), "bytes/event"),
    ];
    let promises = vec![Promise {
        says: "the lake takes at least a million events a second".to_owned(),
        value: median(&rates(all)),
        unit: "events/s",
        bound: Bound::AtLeast(AT_LEAST),
    }];
    let notes = vec![format!(
        "Clicks of 1,000 visitors on 50 links, 500 a second of theirs, in order, into {} files; making them is in the time.",
        readable(count(first.files))
    )];
    Ok(Report { figures, promises, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promise_is_about_all_cores() {
        let run = |seconds| Run { seconds, events: 4_000_000, bytes: 100, files: 3 };
        let report = report(&[run(5.0)], &[run(3.0)]).expect("there is a run");
        let held: Vec<bool> = report.promises.iter().map(Promise::is_held).collect();
        assert_eq!(held, [true]);
    }
}
