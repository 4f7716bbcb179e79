//! How fast clicks are redirected, and how long each takes, beside servers that do less.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Result, bail, ensure};
use clap::Args;

use super::{
    contestant::Contestant,
    disk,
    figure::{Bound, Figure, Promise, Report, count, median, readable, several},
    load::{Load, Pace, Seen},
    program::{self, LINKS},
    requests::{self, REQUESTS},
    stage::Stage,
    tracker,
    watch::CoreUse,
};

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// In closed loops, where contestants are compared, the machine's own moods are what differs most: they are measured
/// more often and as much shorter, so that a ratio is the median of many pairs of neighbours.
const PAIRS: u32 = 3;
/// So many visitors may wait at once in an open loop.
const OPEN_CONNECTIONS: usize = 512;
/// A run is repeated when others took more of the server's core, or when the load was so late one time in a hundred.
const OTHERS: f64 = 0.1;
const LATE_MS: f64 = 1.0;
/// But only so often.
const ATTEMPTS: u32 = 3;
/// What is answered when the log cannot take a click.
const BUSY: u16 = 503;

/// What to measure, and how thoroughly
#[derive(Args)]
pub struct Options {
    /// Only these, as CONTESTANT, /CASE or CONTESTANT/CASE, such as commit/512; may be repeated. Contestants: commit,
    /// interval, nginx, axum, hyper. Cases: 64 and 512 connections, 10000 and 30000 a second
    #[arg(long, value_name = "WHAT")]
    only: Vec<String>,
    /// How often every open loop is measured; closed loops are three times as often
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
    /// How long each time, in seconds; closed loops take a third of it
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Case {
    Connections(usize),
    PerSecond(u32),
}

const CASES: [Case; 4] =
    [Case::Connections(64), Case::Connections(512), Case::PerSecond(10_000), Case::PerSecond(30_000)];

/// What was seen, one entry for each repetition.
type Runs = BTreeMap<(Case, Contestant), Vec<Seen>>;

/// What disturbed the measuring.
#[derive(Default)]
struct Disturbances {
    /// Runs that were repeated because of others.
    repeated: u64,
    /// The most of the server's core that others took in a run that counts.
    others: f64,
}

impl Options {
    /// Whether this is all there is to measure.
    pub fn is_complete(&self) -> bool {
        self.only.is_empty()
    }

    fn selects(&self, contestant: Contestant, case: Case) -> bool {
        self.only.is_empty()
            || self.only.iter().any(|only| {
                let (who, what) = only.split_once('/').unwrap_or((only, ""));
                (who.is_empty() || who == contestant.key()) && (what.is_empty() || what == case.key())
            })
    }
}

impl Case {
    fn key(self) -> String {
        match self {
            Self::Connections(number) => number.to_string(),
            Self::PerSecond(number) => number.to_string(),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Connections(number) => format!("{number} connections"),
            Self::PerSecond(number) => format!("{} a second", readable(f64::from(number))),
        }
    }

    /// Whether it takes place in that repetition of the closed loops.
    fn is_measured_in(self, repetition: u32) -> bool {
        match self {
            Self::Connections(_) => true,
            Self::PerSecond(_) => repetition.is_multiple_of(PAIRS),
        }
    }

    fn length(self, options: &Options) -> Duration {
        let whole = Duration::from_secs(options.seconds);
        match self {
            Self::Connections(_) => whole / PAIRS,
            Self::PerSecond(_) => whole,
        }
    }

    fn load(self, address: SocketAddr, cookie: Option<&str>, length: Duration) -> Load {
        let (connections, pace) = match self {
            Self::Connections(number) => (number, Pace::Closed),
            Self::PerSecond(number) => (OPEN_CONNECTIONS, Pace::PerSecond(number)),
        };
        Load {
            address,
            requests: requests::prepare(cookie),
            expected_status: 302,
            connections,
            warm_up: WARM_UP,
            length,
            pace,
            at_most: None,
            ids: None,
            bodies: Vec::new(),
        }
    }
}

/// Measures everybody in every case, again and again in another order.
pub async fn run(options: &Options) -> Result<Report> {
    let contestants: Vec<Contestant> = Contestant::ALL.into_iter().filter(|it| it.is_here()).collect();
    for only in &options.only {
        let alone = Options { only: vec![only.clone()], ..*options };
        let is_known = CASES.iter().any(|case| Contestant::ALL.iter().any(|it| alone.selects(*it, *case)));
        ensure!(
            is_known,
            "--only {only} selects nothing; `cargo xtask bench redirect --help` names what there is"
        );
    }
    let stage = Stage::set_up().await?;
    let disk = disk::sync_times(&stage.folder)?;
    let (mut runs, mut disturbances) = (Runs::new(), Disturbances::default());
    for repetition in 0..PAIRS * options.repetitions {
        for case in CASES.into_iter().filter(|case| case.is_measured_in(repetition)) {
            let mut order = contestants.clone();
            order.rotate_left(usize::try_from(repetition)? % contestants.len());
            for contestant in order.into_iter().filter(|it| options.selects(*it, case)) {
                let length = case.length(options);
                let seen = undisturbed(&stage, contestant, case, length, &mut disturbances).await?;
                runs.entry((case, contestant)).or_default().push(seen);
            }
        }
    }
    let mut report =
        Report { figures: figures(&runs), promises: promises(&runs), notes: notes(&stage, options) };
    report.notes.push(format!(
        "The disk alone takes {} ms (p50), {} ms (p99) and {} ms (p999) for the `fdatasync` of 4 KiB.",
        readable(disk.p50_ms),
        readable(disk.p99_ms),
        readable(disk.p999_ms)
    ));
    report.notes.extend(findings(&runs, &disturbances));
    if !Contestant::Nginx.is_here() {
        report.notes.push("nginx is not installed here (Debian: nginx-light), so it is missing.".to_owned());
    }
    Ok(report)
}

/// Measures again while others were in the way.
async fn undisturbed(
    stage: &Stage,
    contestant: Contestant,
    case: Case,
    length: Duration,
    disturbances: &mut Disturbances,
) -> Result<Seen> {
    let mut attempt = 1;
    loop {
        let (seen, others) = measure(stage, contestant, case, length).await?;
        eprintln!("{}  {:.0}% others", progress(contestant, case, &seen), 100.0 * others);
        let is_disturbed = OTHERS < others || LATE_MS < seen.lateness.p99_ms;
        if !is_disturbed || attempt == ATTEMPTS {
            disturbances.others = disturbances.others.max(others);
            return Ok(seen);
        }
        disturbances.repeated += 1;
        attempt += 1;
    }
}

/// One run, and the share of the server's core that others took meanwhile.
async fn measure(stage: &Stage, contestant: Contestant, case: Case, length: Duration) -> Result<(Seen, f64)> {
    let (serving, cookie) = contestant.start(stage)?;
    let core = CoreUse::begin(stage.cores.server_number, serving.process())?;
    let seen = case.load(serving.address, cookie.as_deref(), length).run(&stage.cores.load)?;
    let others = core.share_of_others()?;
    if let Some((status, count)) = seen.others.iter().find(|(status, _)| **status != BUSY) {
        bail!("{} answered {count} visitors with {status}", contestant.name());
    }
    ensure!(seen.broken == 0, "{} closed {} connections on visitors", contestant.name(), seen.broken);
    if contestant.is_tracker() {
        // The visitor who found it ready was the first.
        tracker::check_nothing_is_lost(stage, &serving, &seen, 1).await?;
    }
    serving.stop()?;
    if contestant.is_tracker() {
        program::forget_clicks(&stage.database_url).await?;
    }
    Ok((seen, others))
}

fn progress(contestant: Contestant, case: Case, seen: &Seen) -> String {
    format!(
        "{:20} {:16} {:>8} req/s  p50 {:>6} ms  p99 {:>6} ms  p999 {:>6} ms  max {:>6} ms  {} refused",
        contestant.name(),
        case.name(),
        readable(seen.per_second()),
        readable(seen.latency.p50_ms),
        readable(seen.latency.p99_ms),
        readable(seen.latency.p999_ms),
        readable(seen.latency.max_ms),
        seen.unexpected(),
    )
}

/// How to take one number out of a run.
type Take = fn(&Seen) -> f64;

const LATENCIES: [(&str, Take); 4] = [
    ("p50", |seen| seen.latency.p50_ms),
    ("p99", |seen| seen.latency.p99_ms),
    ("p999", |seen| seen.latency.p999_ms),
    ("longest", |seen| seen.latency.max_ms),
];

fn figures(runs: &Runs) -> Vec<Figure> {
    let mut figures = Vec::new();
    for ((case, contestant), seen) in runs {
        let values = |take: Take| seen.iter().map(take).collect::<Vec<f64>>();
        let of = contestant.name();
        match case {
            Case::Connections(_) => {
                figures.push(Figure::median(case.name(), of, &values(Seen::per_second), "req/s"));
            }
            Case::PerSecond(_) => figures.extend(LATENCIES.iter().map(|(name, take)| {
                Figure::median(format!("{}, {name}", case.name()), of, &values(*take), "ms")
            })),
        }
    }
    figures
}

fn promises(runs: &Runs) -> Vec<Promise> {
    let middle = |case, contestant, take: Take| {
        let seen = runs.get(&(case, contestant))?;
        Some(median(&seen.iter().map(take).collect::<Vec<f64>>()))
    };
    let mut promises = Vec::new();
    let mut promise = |says: String, value: Option<f64>, unit, bound| {
        promises.extend(value.map(|value| Promise { says, value, unit, bound }));
    };
    for (peer, at_least) in [(Contestant::Nginx, 1.0), (Contestant::Axum, 0.75)] {
        for case in [Case::Connections(64), Case::Connections(512)] {
            let says = format!("interval at {} is at least {at_least} × {}", case.name(), peer.name());
            promise(says, ratio(runs, case, Contestant::Interval, peer), "×", Bound::AtLeast(at_least));
        }
    }
    let at_512 = middle(Case::Connections(512), Contestant::Commit, Seen::per_second);
    promise(
        "commit at 512 connections is at least 50,000 req/s".into(),
        at_512,
        "req/s",
        Bound::AtLeast(50e3),
    );
    for (name, take, at_most) in [("p99", LATENCIES[1].1, 3.0), ("p999", LATENCIES[2].1, 10.0)] {
        let value = middle(Case::PerSecond(10_000), Contestant::Commit, take);
        let says = format!("{name} of commit at 10,000 a second is at most {at_most} ms");
        promise(says, value, "ms", Bound::AtMost(at_most));
    }
    promises
}

/// The one against the other within each repetition, because the machine is not as fast in every minute.
fn ratio(runs: &Runs, case: Case, one: Contestant, other: Contestant) -> Option<f64> {
    let (one, other) = (runs.get(&(case, one))?, runs.get(&(case, other))?);
    let ratios: Vec<f64> =
        one.iter().zip(other).map(|(one, other)| one.per_second() / other.per_second()).collect();
    Some(median(&ratios))
}

fn notes(stage: &Stage, options: &Options) -> Vec<String> {
    let Options { repetitions, seconds, .. } = options;
    vec![
        stage.note(),
        format!(
            "{pairs} of {} s each at so many connections, where each sends its next request when it has its answer, and \
             {runs} of {seconds} s each at so many a second, where requests are due at fixed instants over \
             {OPEN_CONNECTIONS} connections and their latency counts from then. Each after {} s of warm-up, in another \
             order each time, every server started anew; a ratio is the median of those of single repetitions.",
            readable(Case::Connections(1).length(options).as_secs_f64()),
            WARM_UP.as_secs(),
            pairs = several(u64::from(PAIRS * repetitions), "run"),
            runs = several(u64::from(*repetitions), "run"),
        ),
        format!(
            "The load is {} different requests of browsers to {} links, some with sub-ids, UTM parameters or \
             the cookie of an earlier visit, the same for everybody. While a tracker is measured it ships its clicks \
             into the database, on its own core; after each run all of its redirects were found there, each once.",
            readable(count(REQUESTS as u64)),
            readable(f64::from(LINKS))
        ),
        "`commit` and `interval` are the tracker. The floors have its allocator and one thread: axum makes the whole click, with cookie and landing page, and keeps \
         nothing; hyper answers every request with the same redirect; nginx writes the same facts of a click to an \
         access log with a buffer of 64 KiB that is flushed once a second."
            .to_owned(),
    ]
}

/// What a reader must know beside the figures.
fn findings(runs: &Runs, disturbances: &Disturbances) -> Vec<String> {
    let mut findings = Vec::new();
    for ((case, contestant), seen) in runs {
        let refused: u64 = seen.iter().map(Seen::unexpected).sum();
        let answered: u64 = seen.iter().map(|seen| seen.answered).sum();
        if 0 < refused {
            let all = refused + answered;
            let who = contestant.name();
            let (refused, all) = (readable(count(refused)), readable(count(all)));
            findings.push(format!("{who} refused {refused} of {all} visitors at {} with 503.", case.name()));
        }
    }
    let Disturbances { repeated, others } = disturbances;
    findings.push(format!(
        "Other programs, the kernel's threads and the machine's host took at most {} % of the server's core in any run; {} with more than {} \
         %, or with a load that was late, came to nothing and took place again, up to {ATTEMPTS} times each.",
        readable(100.0 * others),
        several(*repeated, "run"),
        100.0 * OTHERS,
    ));
    let open = runs.iter().filter(|((case, _), _)| matches!(case, Case::PerSecond(_)));
    let late = open.flat_map(|(_, seen)| seen).map(|seen| seen.lateness.p999_ms).fold(0.0, f64::max);
    if 0.0 < late {
        let late = readable(late);
        findings.push(format!(
            "The load generator itself sent no more than one request in a thousand later than {late} ms after it was \
             due, in its worst run; that is part of the latencies."
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::Quantiles;

    fn seen(measured: u64, p99_ms: f64) -> Seen {
        Seen {
            answered: measured,
            measured,
            others: BTreeMap::new(),
            broken: 0,
            strange: 0,
            length: Duration::from_secs(1),
            latency: Quantiles { p99_ms, p999_ms: 2.0 * p99_ms, ..Quantiles::default() },
            lateness: Quantiles::default(),
        }
    }

    #[test]
    fn a_part_can_be_selected() {
        let selected = |only: &str| {
            let options = Options { only: vec![only.to_owned()], repetitions: 1, seconds: 1 };
            let pairs = CASES.iter().flat_map(|case| Contestant::ALL.map(|it| (it, *case)));
            pairs.filter(|(contestant, case)| options.selects(*contestant, *case)).count()
        };
        assert_eq!(selected("commit/512"), 1);
        assert_eq!(selected("commit"), 4);
        assert_eq!(selected("/512"), 5);
        assert_eq!(selected("fastly"), 0);
    }

    #[test]
    fn ratios_are_taken_within_a_repetition() {
        let case = Case::Connections(512);
        let runs = Runs::from([
            ((case, Contestant::Interval), vec![seen(100, 1.0), seen(50, 1.0), seen(300, 1.0)]),
            ((case, Contestant::Nginx), vec![seen(100, 1.0), seen(100, 1.0), seen(100, 1.0)]),
        ]);
        assert_eq!(ratio(&runs, case, Contestant::Interval, Contestant::Nginx), Some(1.0));
        assert_eq!(ratio(&runs, case, Contestant::Interval, Contestant::Axum), None);
    }

    #[test]
    fn promises_are_about_what_was_measured() {
        let runs = Runs::from([
            ((Case::Connections(512), Contestant::Commit), vec![seen(60_000, 9.0)]),
            ((Case::PerSecond(10_000), Contestant::Commit), vec![seen(10_000, 3.5)]),
        ]);
        let texts: Vec<String> = promises(&runs).iter().map(Promise::text).collect();
        assert_eq!(
            texts,
            [
                "commit at 512 connections is at least 50,000 req/s: 60,000 req/s, met",
                "p99 of commit at 10,000 a second is at most 3 ms: 3.50 ms, **not met**",
                "p999 of commit at 10,000 a second is at most 10 ms: 7 ms, met",
            ]
        );
    }
}
