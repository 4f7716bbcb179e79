//! How long the feature store takes in memory, for an event and for a model's vector, and how much memory an entity
//! needs.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use crate::{
    bench::{
        cores::{self, Cores},
        figure::{Bound, Figure, Promise, Report, count, readable},
    },
    cluster, external,
};

/// What an event may take, and a vector of fifty features at its 99th percentile.
const AT_MOST_US: f64 = 2.0;
/// What a hundred vectors may take.
const HUNDRED_AT_MOST_US: f64 = 100.0;

/// How many events
#[derive(Args)]
#[group(id = "online_size")]
pub struct Size {
    /// How many events the state is told; half of them before it is measured
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(10_000..=2_000_000))]
    events: u64,
}

/// What one run of `features/examples/online.rs` prints.
#[derive(Clone, Default, Deserialize)]
struct Run {
    features: u64,
    floor_ns: f64,
    update_ns: f64,
    vector_ns: f64,
    vector_p99_ns: f64,
    hundred_ns: f64,
    judged_p99_ns: f64,
    fraud_judged_p99_ns: f64,
    fraud_update_ns: f64,
    fraud_vector_ns: f64,
    fraud_vector_p99_ns: f64,
    fraud_hundred_ns: f64,
    snapshot_bytes: u64,
    snapshot_ms: f64,
    addresses: u64,
    address_bytes: f64,
    busy_address_bytes: f64,
}

/// Builds the example and runs it on a core of its own.
pub fn run(size: &Size, repetitions: u32) -> Result<Report> {
    let target = ["--example", "online"];
    let program = cluster::build(&target, cluster::Profile::Release, "online")?;
    let cores = Cores::choose()?;
    let mut runs = Vec::new();
    for _ in 0..repetitions {
        let mut command = Command::new(&program);
        command.arg(size.events.to_string());
        let printed = cores::on(&cores.server, || external::read(&mut command))?;
        let run: Run =
            serde_json::from_str(&printed).context("the measured program printed something else")?;
        eprintln!("{} ns an event, {} ns a vector", readable(run.update_ns), readable(run.vector_ns));
        runs.push(run);
    }
    report(size, &runs)
}

fn report(size: &Size, runs: &[Run]) -> Result<Report> {
    let last = runs.last().context("there is at least one run")?;
    let values = |value: fn(&Run) -> f64, parts: f64| -> Vec<f64> {
        runs.iter().map(|run| value(run) / parts).collect()
    };
    let time = |case: &str, of: &str, value: fn(&Run) -> f64| {
        Figure::median(case, of, &values(value, 1_000.0), "µs")
    };
    let bytes = |case: &str, value: fn(&Run) -> f64| {
        Figure::median(case, "all definitions", &values(value, 1.0), "bytes")
    };
    let (all, fraud) = ("all definitions", "those of fraud_v1");
    let figures = vec![
        time("an event", all, |run| run.update_ns),
        time("an event", fraud, |run| run.fraud_update_ns),
        time("an event", "bare maps", |run| run.floor_ns),
        time("a vector of 50 features", all, |run| run.vector_ns),
        time("a vector of 50 features", fraud, |run| run.fraud_vector_ns),
        time("a vector of 50 features, p99", all, |run| run.vector_p99_ns),
        time("a vector of 50 features, p99", fraud, |run| run.fraud_vector_p99_ns),
        time("a vector after its conversion, p99", all, |run| run.judged_p99_ns),
        time("a vector after its conversion, p99", fraud, |run| run.fraud_judged_p99_ns),
        time("100 vectors of one request", all, |run| run.hundred_ns),
        time("100 vectors of one request", fraud, |run| run.fraud_hundred_ns),
        bytes("an address with one click", |run| run.address_bytes),
        bytes("an address with 20 clicks", |run| run.busy_address_bytes),
    ];
    let promise = |says: &str, place: usize, most| Promise {
        says: says.to_owned(),
        value: figures[place].value,
        unit: "µs",
        bound: Bound::AtMost(most),
    };
    let promises = vec![
        promise("an event over all definitions takes at most 2 µs on average", 0, AT_MOST_US),
        promise("an event over those of one model takes at most 2 µs on average", 1, AT_MOST_US),
        promise("a vector of 50 features takes at most 2 µs at the 99th percentile", 5, AT_MOST_US),
        promise(
            "the same, right after the conversion that it judges, over the definitions of its model",
            8,
            AT_MOST_US,
        ),
        promise("100 vectors of one request take at most 100 µs", 9, HUNDRED_AT_MOST_US),
    ];
    Ok(Report { notes: vec![note(size, last)], figures, promises })
}

fn note(size: &Size, last: &Run) -> String {
    format!(
        "In memory: {} events of 30 days, one in 25 a conversion, seed 1; {} definitions, of which a click changes \
         those of its address, visit, partner, offer and pair. Half of the events are told before anything is \
         measured. «Bare maps» is what cannot be avoided: one entry of a map for each entity that an event is about. \
         The vectors of one request are those of one visitor with a hundred partners and offers. A vector after its \
         conversion also puts events into place that nobody has asked about yet. Times are those on the processor; a \
         percentile is by the clock, and includes reading it. The state then knows {} addresses; its snapshot has {} \
         MiB and takes {} ms. Memory is what the process holds more with 50,000 such addresses, divided by them.",
        readable(count(size.events)),
        readable(count(last.features)),
        readable(count(last.addresses)),
        readable(count(last.snapshot_bytes) / f64::from(1 << 20)),
        readable(last.snapshot_ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_judged_by_the_median_of_the_runs() {
        let run = |update_ns| Run {
            update_ns,
            fraud_update_ns: 700.0,
            vector_p99_ns: 2_500.0,
            hundred_ns: 90_000.0,
            ..Run::default()
        };
        let size = Size { events: 300_000 };
        let report = report(&size, &[run(1_500.0), run(9_000.0), run(1_900.0)]).expect("there are runs");
        let held: Vec<bool> = report.promises.iter().map(Promise::is_held).collect();
        assert_eq!(held, [true, true, false, true, true]);
    }
}
