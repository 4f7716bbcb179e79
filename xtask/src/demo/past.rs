//! Thirty days of a network of which everything is known, simulated into a lake: what models will learn from.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use domain::event::Kind;

use crate::{
    cluster::{self, Profile},
    external,
};

const AFFILIATES: u32 = 250;
const DAYS: u32 = 30;
const CLICKS: u32 = 30_000;

/// Lets the days pass into the demo's folder, and returns what the simulator says of the lake; an older lake there is
/// replaced.
pub fn simulate(folder: &Path, seed: u64) -> Result<String> {
    let simulator = cluster::build(&["--bin", "tributary-sim"], Profile::Dev, "tributary-sim")?;
    let mut command = Command::new(simulator);
    command.args(["--affiliates", &AFFILIATES.to_string(), "--days", &DAYS.to_string()]);
    command.args(["--clicks", &CLICKS.to_string(), "--seed", &seed.to_string(), "--replace"]);
    command.arg("--lake").arg(folder.join("lake")).arg("--out").arg(folder.join("world"));
    let said = external::read(&mut command)?;
    check(&said)?;
    let heading =
        format!("{DAYS} days of {AFFILIATES} affiliates, simulated into {}", folder.join("lake").display());
    Ok(format!("\n{heading}\n\n{said}"))
}

/// Refuses a lake that lacks a kind of event, or has others than were told.
fn check(said: &str) -> Result<()> {
    let mut stored = 0;
    for kind in Kind::HAPPENS {
        let count = said.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(kind.name())).then(|| words.next()?.parse::<u64>().ok()).flatten()
        });
        let count = count.with_context(|| format!("the simulator said nothing of {kind}"))?;
        ensure!(0 < count, "there are no {kind} in the lake");
        stored += count;
    }
    let told = said.lines().find_map(|line| line.split_once(" events in ")?.0.parse::<u64>().ok());
    let told = told.context("the simulator did not say how many events there were")?;
    // One in a thousand is told twice, and stands in the lake once.
    ensure!(
        stored <= told && told < stored + stored / 100,
        "{told} events were told, and the lake has {stored}"
    );
    ensure!(said.contains("affiliate_fraud_rate"), "no feature was read from the lake");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the simulator says when it has told so many events of each kind.
    fn said(each: u64, told: u64) -> String {
        let rows = Kind::HAPPENS.iter().map(|kind| format!("{:<16}{each:>12}{:>8}\n", kind.name(), 3));
        let rows: String = rows.collect();
        format!(
            "events count files\n{rows}{told} events in 1.00 s; at most 3 waited at a time\naffiliate_fraud_rate 0.4\n"
        )
    }

    #[test]
    fn a_lake_has_all_that_was_told_once() {
        assert!(check(&said(1_000, 7_007)).is_ok());
        assert!(check(&said(1_000, 6_999)).is_err());
        assert!(check(&said(1_000, 7_100)).is_err());
        assert!(check(&said(0, 0)).is_err());
        assert!(check("nothing").is_err());
    }
}
