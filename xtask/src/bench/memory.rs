//! Whether a tracker's memory stays as it is, however many clicks it has taken.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tokio::time::sleep;

use super::{
    figure::{Bound, Figure, Promise, Report, count, median, readable},
    load::{Load, Pace},
    numbers::Numbers,
    program, requests,
    stage::Stage,
    tracker::{self, Durability, Tracker},
    watch,
};

const CONNECTIONS: usize = 512;
const PAUSE: Duration = Duration::from_millis(100);
/// The load ends by its count, long before.
const NEVER: Duration = Duration::from_secs(3_600);
/// How much more memory may be resident at the end.
const FLAT: f64 = 1.05;

/// How many clicks
#[derive(Args)]
pub struct Options {
    /// How many clicks there are in all; memory is compared with that after a tenth of them
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..=100_000_000))]
    clicks: u64,
}

/// The state at one moment.
struct Moment {
    clicks: u64,
    resident_mib: f64,
    backlog: u64,
}

/// Drives a tracker at full speed while the database takes its clicks, and looks at its memory.
pub async fn run(options: &Options) -> Result<Report> {
    let stage = Stage::set_up().await?;
    let durability = Durability::Commit;
    let tracker = Tracker::new(&stage, durability, &stage.folder.join("memory"));
    let serving = tracker.start()?;
    let at_start = watch::resident_mib(serving.process())?;
    let load = Load {
        address: serving.address,
        requests: requests::prepare(None),
        expected_status: 302,
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        length: NEVER,
        pace: Pace::Closed,
        at_most: Some(options.clicks),
        ids: None,
        bodies: Vec::new(),
    };
    let mut running = load.start(&stage.cores.load)?;
    let mut moments: Vec<Moment> = Vec::new();
    while !running.is_over()? {
        let numbers = Numbers::of(serving.address).await?;
        numbers.check_sum()?;
        let resident_mib = watch::resident_mib(serving.process())?;
        moments.push(Moment { clicks: numbers.accepted, resident_mib, backlog: numbers.backlog() });
        sleep(PAUSE).await;
    }
    let seen = running.finish()?;
    ensure!(seen.broken == 0, "{} connections were closed on visitors", seen.broken);
    tracker::check_nothing_is_lost(&stage, &serving, &seen, 0).await?;
    let after_shipping = watch::resident_mib(serving.process())?;
    serving.stop()?;
    program::forget_clicks(&stage.database_url).await?;
    let mut report = report(options.clicks, at_start, &moments, after_shipping)?;
    report.notes.insert(0, stage.note());
    Ok(report)
}

fn report(clicks: u64, at_start: f64, moments: &[Moment], after_shipping: f64) -> Result<Report> {
    // A batch that is being stored comes and goes; what has gathered stays.
    let around = |end: u64| {
        let since = end - clicks / 20;
        let then = moments.iter().filter(|moment| since <= moment.clicks && moment.clicks <= end);
        let then: Vec<f64> = then.map(|moment| moment.resident_mib).collect();
        (!then.is_empty()).then(|| median(&then)).context("the load was over too soon; take more --clicks")
    };
    let (early, late) = (around(clicks / 10)?, around(clicks)?);
    let most = moments.iter().map(|moment| moment.resident_mib).fold(0.0, f64::max);
    let backlog = moments.iter().map(|moment| moment.backlog).max().unwrap_or_default();
    let figure = |of: String, value| Figure::new("resident memory", of, value, "MiB");
    let (few, many) = (readable(count(clicks / 10)), readable(count(clicks)));
    Ok(Report {
        figures: vec![
            figure("at the start".to_owned(), at_start),
            figure(format!("{few} clicks"), early),
            figure(format!("{many} clicks"), late),
            figure("at most".to_owned(), most),
            figure("all shipped".to_owned(), after_shipping),
        ],
        promises: vec![Promise {
            says: format!("memory at {many} clicks is at most {FLAT} × that at {few}"),
            value: late / early,
            unit: "×",
            bound: Bound::AtMost(FLAT),
        }],
        notes: vec![format!(
            "Commit mode, {CONNECTIONS} connections, each with its next request when it has its answer. The database \
             takes the clicks meanwhile; up to {} of them waited in the log, which is on disk.",
            readable(count(backlog))
        )],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_compared_with_that_after_a_tenth() {
        let moment = |clicks, resident_mib| Moment { clicks, resident_mib, backlog: clicks / 2 };
        let moments = [
            moment(0, 30.0),
            moment(60, 98.0),
            moment(70, 140.0),
            moment(90, 100.0),
            moment(500, 150.0),
            moment(960, 103.0),
            moment(1_000, 105.0),
        ];
        let report = report(1_000, 20.0, &moments, 90.0).expect("there are moments");
        let values: Vec<f64> = report.figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [20.0, 100.0, 104.0, 150.0, 90.0]);
        assert_eq!(
            report.promises[0].text(),
            "memory at 1,000 clicks is at most 1.05 × that at 100: 1.04×, met"
        );
        assert!(report.notes[0].contains("up to 500 of them"), "{}", report.notes[0]);
    }
}
