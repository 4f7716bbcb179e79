//! Whether everything still adds up after minutes of steady clicks, and nothing has grown.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use tokio::time::sleep;

use super::{
    figure::{Bound, Figure, Promise, Report, count, readable, several},
    load::{Load, Pace, Seen},
    numbers::Numbers,
    program, requests,
    stage::Stage,
    tracker::{self, Durability, Tracker},
    watch,
};

const CONNECTIONS: usize = 512;
const SAMPLING: Duration = Duration::from_secs(10);
/// How much more memory may be resident at the end than after the first tenth.
const FLAT: f64 = 1.05;
/// The log gives back a segment once it is shipped: one is written, one may be shipped, one may just have been begun.
const LOG_MIB: f64 = 3.0 * 64.0;

/// How long and how fast
#[derive(Args)]
pub struct Options {
    /// How many minutes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// How many clicks a second
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    rate: u32,
}

/// The state at one moment.
#[derive(Clone, Copy)]
struct Sample {
    second: u64,
    resident_mib: f64,
    log_mib: f64,
    backlog: u64,
}

/// What was counted at the end.
struct End {
    seen: Seen,
    /// Clicks whose answer named an id that is no row, and rows whose id no answer named.
    missing: usize,
    surplus: usize,
    click_bytes: f64,
}

/// Sends clicks at a fixed rate, looks at the tracker every ten seconds, and compares every single id in the end.
pub async fn run(options: &Options) -> Result<Report> {
    let stage = Stage::set_up().await?;
    let tracker = Tracker::new(&stage, Durability::Commit, &stage.folder.join("soak"));
    let serving = tracker.start()?;
    let ids = stage.folder.join("ids");
    let load = Load {
        address: serving.address,
        requests: requests::prepare(None),
        expected_status: 302,
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        length: Duration::from_secs(60 * options.minutes),
        pace: Pace::PerSecond(options.rate),
        at_most: None,
        ids: Some(ids.clone()),
        bodies: Vec::new(),
    };
    let begin = Instant::now();
    let mut running = load.start(&stage.cores.load)?;
    let (mut samples, mut next) = (Vec::new(), SAMPLING);
    while !running.is_over()? {
        sleep(next.saturating_sub(begin.elapsed()).min(Duration::from_secs(1))).await;
        if begin.elapsed() < next {
            continue;
        }
        next += SAMPLING;
        let numbers = Numbers::of(serving.address).await?;
        numbers.check_sum()?;
        let sample = Sample {
            second: begin.elapsed().as_secs(),
            resident_mib: watch::resident_mib(serving.process())?,
            log_mib: watch::folder_mib(&tracker.log())?,
            backlog: numbers.backlog(),
        };
        eprintln!("{}", progress(&sample, &numbers));
        samples.push(sample);
    }
    let seen = running.finish()?;
    ensure!(seen.broken == 0, "{} connections were closed on visitors", seen.broken);
    tracker::check_nothing_is_lost(&stage, &serving, &seen, 0).await?;
    serving.stop()?;
    let (missing, surplus) = differences(read_ids(&ids)?, &program::click_ids(&stage.database_url).await?);
    let bytes = program::clicks_size(&stage.database_url).await?;
    let click_bytes = count(bytes) / count(seen.answered.max(1));
    let mut report = report(options, &samples, &End { seen, missing, surplus, click_bytes })?;
    report.notes.insert(0, stage.note());
    Ok(report)
}

fn progress(sample: &Sample, numbers: &Numbers) -> String {
    let Sample { second, resident_mib, log_mib, backlog } = sample;
    let (accepted, refused) = (readable(count(numbers.accepted)), readable(count(numbers.refused)));
    format!(
        "{second:>5} s  {accepted:>12} accepted  {refused} refused  {backlog:>7} to be shipped  {resident_mib:.1} MiB \
         resident  {log_mib:.1} MiB of log"
    )
}

/// The ids that visitors were given, 16 bytes each.
fn read_ids(path: &Path) -> Result<Vec<u128>> {
    let bytes = fs::read(path).context("the ids of the clicks were not kept")?;
    let (ids, rest) = bytes.as_chunks::<16>();
    ensure!(rest.is_empty(), "the last id is cut off");
    Ok(ids.iter().map(|id| u128::from_be_bytes(*id)).collect())
}

/// How many of those that were given are not stored, and how many are stored that were not given; an id that was
/// given twice is stored once only.
fn differences(mut given: Vec<u128>, stored: &[u128]) -> (usize, usize) {
    given.sort_unstable();
    let missing = given.iter().filter(|id| stored.binary_search(id).is_err()).count();
    let twice = given.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let surplus = stored.iter().filter(|id| given.binary_search(id).is_err()).count();
    (missing + twice, surplus)
}

fn report(options: &Options, samples: &[Sample], end: &End) -> Result<Report> {
    let (first, last) =
        samples.first().zip(samples.last()).context("the soak ended before its first sample")?;
    let early = samples.get(samples.len() / 10).unwrap_or(first);
    let middle = samples.get(samples.len() / 2).unwrap_or(last);
    let mut figures = Vec::new();
    for sample in [early, middle, last] {
        let of = format!("after {} s", sample.second);
        figures.push(Figure::new("resident memory", &of, sample.resident_mib, "MiB"));
        figures.push(Figure::new("log on disk", &of, sample.log_mib, "MiB"));
        figures.push(Figure::new("waiting to be shipped", &of, count(sample.backlog), "clicks"));
    }
    figures.dedup_by(|one, other| (&one.case, &one.of) == (&other.case, &other.of));
    let most = |take: fn(&Sample) -> f64| samples.iter().map(take).fold(0.0, f64::max);
    let log_mib = most(|sample| sample.log_mib);
    for (case, value, unit) in [
        ("resident memory", most(|sample| sample.resident_mib), "MiB"),
        ("log on disk", log_mib, "MiB"),
        ("waiting to be shipped", most(|sample| count(sample.backlog)), "clicks"),
    ] {
        figures.push(Figure::new(case, "at most", value, unit));
    }
    let promise = |says: String, value, unit, bound| Promise { says, value, unit, bound };
    #[expect(clippy::cast_precision_loss, reason = "clicks of one run are far below 2^52")]
    let wrong = (end.missing + end.surplus) as f64;
    let promises = vec![
        promise(
            "redirects without a row of that id, and rows without a redirect".into(),
            wrong,
            "clicks",
            Bound::AtMost(0.0),
        ),
        promise(
            format!("memory at the end is at most {FLAT} × that after a tenth of the time"),
            last.resident_mib / early.resident_mib,
            "×",
            Bound::AtMost(FLAT),
        ),
        promise(
            "the log never takes more than three segments".into(),
            log_mib,
            "MiB",
            Bound::AtMost(LOG_MIB),
        ),
    ];
    Ok(Report { figures, promises, notes: notes(options, end) })
}

fn notes(options: &Options, end: &End) -> Vec<String> {
    let Seen { answered, latency, .. } = &end.seen;
    vec![
        format!(
            "{} of {} clicks a second in commit mode: {} redirects = as many rows = the sum of the links' \
             counters; {} visitors were refused, as many as the tracker says. Every ten seconds accepted = durable + \
             refused + in flight. The id in every single redirect was looked for among the rows.",
            several(options.minutes, "minute"),
            readable(f64::from(options.rate)),
            readable(count(*answered)),
            end.seen.unexpected(),
        ),
        format!(
            "Latency from the intended start: {} ms (p50), {} ms (p99), {} ms (p999), {} ms (longest).",
            readable(latency.p50_ms),
            readable(latency.p99_ms),
            readable(latency.p999_ms),
            readable(latency.max_ms)
        ),
        format!("A click takes {} bytes of the database, with its indexes.", readable(end.click_bytes)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_counted() {
        assert_eq!(differences(vec![3, 1, 2], &[1, 2, 3]), (0, 0));
        assert_eq!(differences(vec![3, 1], &[1, 2]), (1, 1));
        assert_eq!(differences(vec![1, 1], &[1]), (1, 0));
    }

    #[test]
    fn ids_come_back_as_they_were_written() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let ids = [1_u128, u128::MAX - 1];
        fs::write(file.path(), ids.map(u128::to_be_bytes).concat()).expect("written");
        assert_eq!(read_ids(file.path()).expect("two ids"), ids);
        fs::write(file.path(), [0; 17]).expect("written");
        assert!(read_ids(file.path()).is_err());
    }

    #[test]
    fn growth_is_what_comes_after_the_first_tenth() {
        let sample = |second, resident_mib| Sample { second, resident_mib, log_mib: 64.0, backlog: 5 };
        let samples: Vec<Sample> =
            (1..=60).map(|number| sample(number * 10, if number < 7 { 50.0 } else { 100.0 })).collect();
        let seen = serde_json::from_str(
            r#"{"answered":6,"measured":6,"others":{},"broken":0,"strange":0,"length":{"secs":600,"nanos":0},
                "latency":{"p50_ms":1,"p99_ms":1,"p999_ms":1,"max_ms":1},
                "lateness":{"p50_ms":1,"p99_ms":1,"p999_ms":1,"max_ms":1}}"#,
        );
        let end = End { seen: seen.expect("as it is written"), missing: 0, surplus: 1, click_bytes: 500.0 };
        let report =
            report(&Options { minutes: 10, rate: 10_000 }, &samples, &end).expect("there are samples");
        let texts: Vec<String> = report.promises.iter().map(Promise::text).collect();
        assert_eq!(
            texts,
            [
                "redirects without a row of that id, and rows without a redirect: 1 clicks, **not met**",
                "memory at the end is at most 1.05 × that after a tenth of the time: 1×, met",
                "the log never takes more than three segments: 64 MiB, met",
            ]
        );
    }
}
