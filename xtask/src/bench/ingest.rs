//! How fast one connection stores clicks, each once however often it comes.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use tokio::time::sleep;

use super::{
    cores,
    figure::{Bound, Figure, Promise, Report, count, readable, several},
    load::{Load, Pace},
    numbers::Numbers,
    program::{self, LINKS, Stored},
    requests,
    stage::Stage,
    tracker::{Durability, Tracker},
};
use crate::external;

const CONNECTIONS: usize = 256;
/// How often it is looked at how far a tracker is: often for its batches, seldom for its core.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(600);
/// The load ends by its count, long before.
const NEVER: Duration = Duration::from_secs(3_600);
/// What one connection is to store in a second.
const AT_LEAST: f64 = 65_000.0;

/// How many clicks, and how often
#[derive(Args)]
pub struct Options {
    /// How many clicks are stored
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100_000..=10_000_000))]
    clicks: u64,
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
}

/// Rows a second, one entry for each repetition.
#[derive(Default)]
struct Rates {
    new: Vec<f64>,
    repeats: Vec<f64>,
    bare: Vec<f64>,
}

/// Lets a tracker whose database is away take clicks, and then trackers with copies of its log ship them: first into
/// a database without them, then into the same once more.
pub async fn run(options: &Options) -> Result<Report> {
    let stage = Stage::set_up().await?;
    let origin = stage.folder.join("origin");
    fill_log(&stage, &origin, options.clicks).await?;
    let mut rates = Rates::default();
    let all = Stored { rows: options.clicks, counted: options.clicks };
    for _ in 0..options.repetitions {
        let (rate, stored) = ship(&stage, &origin, options.clicks).await?;
        ensure!(stored == options.clicks, "{stored} of {} new clicks were stored", options.clicks);
        expect(&stage, all).await?;
        rates.new.push(rate);
        let (rate, stored) = ship(&stage, &origin, options.clicks).await?;
        ensure!(stored == 0, "{stored} clicks were stored a second time");
        expect(&stage, all).await?;
        rates.repeats.push(rate);
        rates.bare.push(bare_copy(&stage, options.clicks)?);
        program::forget_clicks(&stage.database_url).await?;
        let last = |rates: &[f64]| readable(rates.last().copied().unwrap_or_default());
        eprintln!(
            "rows/s: {} new, {} again, {} bare COPY",
            last(&rates.new),
            last(&rates.repeats),
            last(&rates.bare)
        );
    }
    Ok(report(options, &stage, &rates))
}

/// Clicks as visitors make them, in a log that nobody ships yet.
async fn fill_log(stage: &Stage, folder: &Path, clicks: u64) -> Result<()> {
    // The first start keeps the directory of links on disk, and the second one serves from there.
    Tracker::new(stage, Durability::Interval, folder).start()?.stop()?;
    let serving = Tracker::new(stage, Durability::Interval, folder).without_database().start()?;
    let load = Load {
        address: serving.address,
        requests: requests::prepare(None),
        expected_status: 302,
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        length: NEVER,
        pace: Pace::Closed,
        at_most: Some(clicks),
        ids: None,
        bodies: Vec::new(),
    };
    let seen = load.run(&stage.cores.load)?;
    ensure!(seen.answered == clicks, "{} of {clicks} visitors were redirected", seen.answered);
    let numbers = Numbers::of(serving.address).await?;
    ensure!(numbers.shipped == 0, "clicks were shipped although there was no database");
    serving.stop()
}

/// Ships a copy of the log; returns how many clicks a second were done with, and how many rows were new.
async fn ship(stage: &Stage, origin: &Path, clicks: u64) -> Result<(f64, u64)> {
    let folder = stage.folder.join("ingest");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    external::read(Command::new("cp").arg("--recursive").arg(origin).arg(&folder))?;
    // What the copy has left to write must not be written while it is measured.
    rustix::fs::sync();
    let serving = Tracker::new(stage, Durability::Interval, &folder).start()?;
    let (mut begun, deadline) = (None, Instant::now() + PATIENCE);
    let (rate, stored) = loop {
        let (numbers, now) = (Numbers::of(serving.address).await?, Instant::now());
        // From the end of a first batch on, because nothing says when that began.
        if begun.is_none() && 0 < numbers.shipped {
            begun = Some((now, numbers.shipped));
        }
        if let Some((begin, done)) = begun.filter(|_| clicks <= numbers.shipped) {
            break (count(clicks - done) / (now - begin).as_secs_f64(), numbers.stored);
        }
        ensure!(now < deadline, "the log was not shipped within {} s: {numbers:?}", PATIENCE.as_secs());
        sleep(PAUSE).await;
    };
    serving.stop()?;
    Ok((rate, stored))
}

async fn expect(stage: &Stage, expected: Stored) -> Result<()> {
    let stored = program::stored(&stage.database_url).await?;
    ensure!(stored == expected, "the database should have {expected:?}, but has {stored:?}");
    Ok(())
}

/// The same rows in one COPY into a table without indexes, sent from the server's core as a tracker's rows are.
fn bare_copy(stage: &Stage, clicks: u64) -> Result<f64> {
    let copying = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let took = runtime.block_on(program::bare_copy(&stage.database_url))?;
        Ok(count(clicks) / took.as_secs_f64())
    };
    // On a thread of its own, because that is what has cores.
    std::thread::scope(|scope| scope.spawn(|| cores::on(&stage.cores.server, copying)).join())
        .ok()
        .context("the bare COPY panicked")?
}

fn report(options: &Options, stage: &Stage, rates: &Rates) -> Report {
    let clicks = readable(count(options.clicks));
    let case = format!("{clicks} clicks on {} links", readable(f64::from(LINKS)));
    let figure = |of, values: &[f64]| Figure::median(&case, of, values, "rows/s");
    let figures = vec![
        figure("new", &rates.new),
        figure("all of them again", &rates.repeats),
        figure("bare COPY", &rates.bare),
    ];
    let stores = |says: &str, value| Promise {
        says: format!("one connection stores at least 65,000 rows/s, {says}"),
        value,
        unit: "rows/s",
        bound: Bound::AtLeast(AT_LEAST),
    };
    let promises = vec![stores("new ones", figures[0].value), stores("repeated ones", figures[1].value)];
    let notes = vec![
        stage.note(),
        format!(
            "{}. A tracker took {clicks} clicks of browsers while its database was away; a tracker with a copy of \
             that log reads, decodes and stores them over one connection, from the end of a first batch to that of the last \
             ({clicks} rows, counters raised by as many); and a second one with another copy does so again (no row, \
             no counter changed).",
            several(u64::from(options.repetitions), "run")
        ),
        "The bare COPY sends the same rows, ready made, into a table without indexes, in one transaction."
            .to_owned(),
    ];
    Report { figures, promises, notes }
}
