//! How long a decision about fraud takes in process, and rings of a million edges, at once and event by event.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;

use super::{
    cores::{self, Cores},
    figure::{Bound, Figure, Promise, Report, count, readable},
};
use crate::{
    cluster::{self, Profile},
    external,
};

/// What a conversion may take at the 99th percentile, from evidence to reasons.
const DECISION_AT_MOST_US: f64 = 100.0;
const RINGS_AT_MOST_S: f64 = 2.0;
const EVENT_AT_MOST_US: f64 = 5_000.0;

/// How often, and how it is built
#[derive(Args)]
pub struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
    /// How the program is built
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

impl Options {
    /// Whether nothing is left out.
    pub fn is_complete(&self) -> bool {
        self.profile == Profile::Release
    }
}

/// A line of `domain/examples/fraud_speed.rs`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    About(About),
    Decisions(Decisions),
    Floor(Times),
    Rings(Rings),
}

/// What is decided about.
#[derive(Clone, Copy, Deserialize)]
struct About {
    rules: u64,
    conversions: u64,
    fields: u64,
}

/// How long each took, by the clock.
#[derive(Clone, Copy, Deserialize)]
struct Times {
    p50_ns: f64,
    p99_ns: f64,
    most_ns: f64,
}

/// One of them.
type Quantile = fn(&Times) -> f64;

#[derive(Clone, Deserialize)]
struct Decisions {
    case: String,
    times: Times,
    flags: f64,
    several: f64,
    held: f64,
}

#[derive(Clone, Copy, Deserialize)]
struct Rings {
    affiliates: u64,
    edges: u64,
    s: f64,
    sort_s: f64,
    found: u64,
    planted: u64,
    online: Times,
}

/// What all runs printed.
#[derive(Default)]
struct Runs {
    about: Option<About>,
    decisions: Vec<Decisions>,
    floors: Vec<Times>,
    rings: Vec<Rings>,
}

impl Runs {
    fn read(&mut self, printed: &str) -> Result<()> {
        for line in printed.lines() {
            let said = serde_json::from_str(line);
            match said.with_context(|| format!("the measured program printed {line:?}"))? {
                Line::About(about) => self.about = Some(about),
                Line::Decisions(decisions) => self.decisions.push(decisions),
                Line::Floor(times) => self.floors.push(times),
                Line::Rings(rings) => self.rings.push(rings),
            }
        }
        Ok(())
    }
}

/// Builds the program and runs it: decisions on a core of their own, rings on all.
pub fn run(options: &Options) -> Result<Report> {
    let program = cluster::build(&["--example", "fraud_speed"], options.profile, "fraud_speed")?;
    let cores = Cores::choose()?;
    let mut runs = Runs::default();
    for _ in 0..options.repetitions {
        runs.read(&cores::on(&cores.server, || external::read(&mut Command::new(&program)))?)?;
        runs.read(&external::read(Command::new(&program).arg("rings"))?)?;
    }
    report(&runs)
}

fn report(runs: &Runs) -> Result<Report> {
    let mut report = Report::default();
    of_decisions(runs, &mut report)?;
    of_rings(runs, &mut report);
    Ok(report)
}

fn of_decisions(runs: &Runs, report: &mut Report) -> Result<()> {
    let about = runs.about.context("the measured program did not say what it decides about")?;
    let rows: [(&str, Quantile); 3] =
        [("median", |it| it.p50_ns), ("p99", |it| it.p99_ns), ("longest", |it| it.most_ns)];
    for (row, of) in rows {
        let case = format!("a decision, {row}");
        for kind in cases(runs.decisions.iter().map(|it| it.case.as_str())) {
            let same = runs.decisions.iter().filter(|it| it.case == kind);
            let figure = Figure::median(&case, kind, &micros(same.map(|it| of(&it.times))), "µs");
            if row == "p99" {
                let says =
                    format!("all rules, score and reasons of a conversion take at most 100 µs, {kind}");
                let bound = Bound::AtMost(DECISION_AT_MOST_US);
                report.promises.push(Promise { says, value: figure.value, unit: "µs", bound });
            }
            report.figures.push(figure);
        }
        let floors = micros(runs.floors.iter().map(of));
        report.figures.push(Figure::median(&case, "evidence written once", &floors, "µs"));
    }
    let last = runs.decisions.first().context("the measured program decided nothing")?;
    report.notes.push(format!(
        "A decision is what the service makes of evidence: all {} rules, what those lacked that could not be asked, the score \
         with a model beside them, a policy with thresholds of segments and of a thousand affiliates, and the reasons in \
         order. It is made 200,000 times after 20,000 others, on one core, about {} different conversions of {} fields, seed \
         7: of one in three all is known, of one nothing that jobs find out, of one the request alone. On average {} rules \
         flag one; {} % have three reasons or more, and {} % are held. Percentiles are by the clock, and include reading it. \
         The floor writes the same evidence once as JSON, which every decision that is kept has to.",
        about.rules,
        readable(count(about.conversions)),
        about.fields,
        readable(last.flags),
        readable(100.0 * last.several),
        readable(100.0 * last.held),
    ));
    Ok(())
}

fn of_rings(runs: &Runs, report: &mut Report) {
    let programs: BTreeSet<u64> = runs.rings.iter().map(|it| it.affiliates).collect();
    for affiliates in &programs {
        let of = |value: fn(&Rings) -> f64| -> Vec<f64> {
            runs.rings.iter().filter(|it| it.affiliates == *affiliates).map(value).collect()
        };
        let edges = runs.rings.first().map_or(0, |it| it.edges);
        let case = format!("{} edges of {} affiliates", readable(count(edges)), readable(count(*affiliates)));
        let all = Figure::median(format!("{case}, all rings"), "ours", &of(|it| it.s), "s");
        let sorted =
            Figure::median(format!("{case}, all rings"), "edges sorted once", &of(|it| it.sort_s), "s");
        let event = |row: &str, value: fn(&Rings) -> f64| {
            Figure::median(format!("{case}, an event, {row}"), "ours", &of(value), "µs")
        };
        let p99 = event("p99", |it| it.online.p99_ns / 1e3);
        let most = event("longest", |it| it.online.most_ns / 1e3);
        let mut promise = |says: String, value: f64, unit: &'static str, bound: f64| {
            report.promises.push(Promise { says, value, unit, bound: Bound::AtMost(bound) });
        };
        promise(format!("{case}: all rings within 2 s"), all.value, "s", RINGS_AT_MOST_S);
        promise(format!("{case}: 99 of 100 events within 5 ms"), p99.value, "µs", EVENT_AT_MOST_US);
        promise(format!("{case}: every event within 5 ms"), most.value, "µs", EVENT_AT_MOST_US);
        report.figures.extend([all, sorted, p99, most]);
    }
    let found = |it: &Rings| format!("{} beside {}", readable(count(it.found)), readable(count(it.planted)));
    let found: Vec<String> = runs.rings.iter().take(programs.len()).map(found).collect();
    report.notes.push(format!(
        "Edges join affiliates with devices and addresses of their customers, of whom the first have most; in every hundred \
         affiliates five of a ring share four devices; rings found beside rings planted were {}. Sorting the same edges once is the floor \
         of bringing together what belongs together. An event's time is the best of three passes over all of them, because what \
         the machine does besides hits another event in each.",
        found.join(", ")
    ));
}

/// The cases in their order, each once.
fn cases<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    all.fold(Vec::new(), |mut cases, case| {
        if !cases.contains(&case) {
            cases.push(case);
        }
        cases
    })
}

fn micros(nanos: impl Iterator<Item = f64>) -> Vec<f64> {
    nanos.map(|it| it / 1_000.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: &str = r#"{"p50_ns": 9000, "p99_ns": 90000, "p999_ns": 1, "most_ns": 6000000}"#;

    fn check(line: String, held: &[bool]) {
        let mut runs = Runs::default();
        let about = r#"{"about": {"rules": 29, "conversions": 2000, "fields": 71, "known": 71}}"#;
        let decisions = |case: &str, p99: &str| {
            let times = TIMES.replace("90000", p99);
            format!(
                r#"{{"decisions": {{"case": "{case}", "times": {times}, "flags": 3.5, "several": 0.5, "held": 0.4}}}}"#
            )
        };
        let floor = format!(r#"{{"floor": {TIMES}}}"#);
        let lines =
            [about.to_owned(), decisions("as they come", "90000"), decisions("long", "120000"), floor, line];
        runs.read(&lines.join("\n")).expect("lines are read");
        let report = report(&runs).expect("all is there");
        let found: Vec<bool> = report.promises.iter().map(Promise::is_held).collect();
        assert_eq!(found, held);
    }

    #[test]
    fn each_promise_is_about_its_own_figure() {
        let rings = |s: f64| {
            let about =
                format!(r#""affiliates": 2000, "edges": 1000000, "found": 20, "planted": 20, "s": {s}"#);
            format!(r#"{{"rings": {{{about}, "sort_s": 0.1, "online": {TIMES}}}}}"#)
        };
        check(rings(1.9), &[true, false, true, true, false]);
        check(rings(2.1), &[true, false, false, true, false]);
    }

    #[test]
    fn a_line_that_is_nothing_of_the_kind_is_named() {
        let error = Runs::default().read("{\"rules\": 1}").expect_err("no such line").to_string();
        assert_eq!(error, r#"the measured program printed "{\"rules\": 1}""#);
    }
}
