//! How many events a second the simulator makes on one core, and how much memory a longer world takes.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use clap::Args;

use super::{
    cores::{self, Cores},
    figure::{Bound, Figure, Promise, Report, count, median, readable, several},
};
use crate::{cluster, external, workspace};

const AFFILIATES: u32 = 300;
/// What one core is to make in a second.
const AT_LEAST: f64 = 500_000.0;
/// What a world of ten times as many days may take.
const FLAT: f64 = 1.25;

/// How often everything is measured
#[derive(Args)]
pub struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    repetitions: u32,
}

/// How much passes, and how long it takes to; memory follows how much passes in a day.
struct World {
    clicks: u64,
    days: u32,
}

const SHORT: World = World { clicks: 1_000_000, days: 60 };
const LONG: World = World { clicks: 10_000_000, days: 600 };

/// Lets worlds pass on one core, and clones events on the same.
pub fn run(options: &Options) -> Result<Report> {
    let (cores, release) = (Cores::choose()?, cluster::Profile::Release);
    let simulator = cluster::build(&["--bin", "tributary-sim"], release, "tributary-sim")?;
    let floor = cluster::build(&["--example", "clone_events"], release, "clone_events")?;
    let lake = workspace::root().join(".tributary/bench/lake");
    let (mut figures, mut memory) = (Vec::new(), Vec::new());
    let ways: [(&World, &str, &[&str]); 3] = [
        (&SHORT, "simulator", &["--dry-run"]),
        (&LONG, "simulator", &["--dry-run"]),
        (&SHORT, "into a lake", &["--replace", "--lake"]),
    ];
    for (world, of, flags) in ways {
        let (mut rates, mut bare, mut mib) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..options.repetitions {
            let mut command = Command::new(&simulator);
            command.args(world.flags()).args(flags);
            if flags.contains(&"--lake") {
                command.arg(&lake);
            }
            let said = cores::on(&cores.server, || external::read(&mut command))?;
            rates.push(rate(&said)?);
            mib.push(before(&said, " MiB").context("the simulator did not say how much memory it took")?);
            bare.push(rate(&cores::on(&cores.server, || external::read(&mut Command::new(&floor)))?)?);
        }
        let case = format!("{} clicks in {} days", readable(count(world.clicks)), world.days);
        figures.push(Figure::median(&case, of, &rates, "events/s"));
        figures.push(Figure::median(&case, of, &mib, "MiB"));
        if flags == ["--dry-run"] {
            figures.push(Figure::median(&case, "events cloned", &bare, "events/s"));
            memory.push((median(&rates), median(&mib)));
        }
    }
    remove(&lake)?;
    let [short, long] = memory.try_into().ok().context("two worlds were measured")?;
    Ok(report(options, figures, short, long))
}

fn remove(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

impl World {
    fn flags(&self) -> Vec<String> {
        let flags =
            format!("--seed 1 --affiliates {AFFILIATES} --days {} --clicks {}", self.days, self.clicks);
        flags.split(' ').map(str::to_owned).collect()
    }
}

/// What each world took: events a second, and MiB.
fn report(options: &Options, figures: Vec<Figure>, short: (f64, f64), long: (f64, f64)) -> Report {
    let promises = vec![
        Promise {
            says: "one core makes at least 500,000 events/s".to_owned(),
            value: short.0.min(long.0),
            unit: "events/s",
            bound: Bound::AtLeast(AT_LEAST),
        },
        Promise {
            says: format!("ten times as many days take at most {FLAT} × the memory"),
            value: long.1 / short.1,
            unit: "×",
            bound: Bound::AtMost(FLAT),
        },
    ];
    let notes = vec![format!(
        "{} on one core, of {AFFILIATES} affiliates and seed 1, with the 45 days before the first in the time. The events \
         that are cloned are the simulator's, in memory, over and over: their strings and no thought. The memory is the most \
         that was resident.",
        several(u64::from(options.repetitions), "run")
    )];
    Report { figures, promises, notes }
}

/// Events a second, from «… events in … s».
fn rate(said: &str) -> Result<f64> {
    let events = before(said, " events in ").context("no events were counted")?;
    let seconds = before(said, " s").context("no seconds were measured")?;
    Ok(events / seconds)
}

/// The number before some words.
fn before(said: &str, words: &str) -> Option<f64> {
    let (number, _) = said.lines().find(|line| line.contains(" events in "))?.split_once(words)?;
    number.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_how_fast_it_was_and_how_large() {
        let said = "clicks 7 MB\n300 events in 1.50 s; at most 12 waited at a time, in 34 MiB of memory\n\nand more\n";
        assert_eq!(rate(said).ok(), Some(200.0));
        assert_eq!(before(said, " MiB"), Some(34.0));
        assert!(rate("nothing\n").is_err());
    }
}
