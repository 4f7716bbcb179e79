//! The Python that the manuals show reads a lake that we wrote, and finds in it what we put there: whole, exact to the
//! cent and the microsecond, and also while partitions are being replaced.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::{
    cluster::{Profile, build},
    external,
    native::readers,
    workspace,
};

/// What runs the lines and says what they read.
const SCRIPT: &str = include_str!("readers/read.py");
/// The manuals whose Python is run, with the names in it.
const MANUALS: [&str; 2] = ["docs/lake.md", "README.md"];

/// The first of March 2026, midnight UTC, in microseconds.
const MARCH_US: i64 = 1_772_323_200_000_000;
const HOUR_US: i64 = 3_600_000_000;
const CLICKS: i64 = 20_000;
/// Not a divisor of anything, so that times have all their digits.
const APART_US: i64 = 7_777_777;
const ORDERS: i64 = 2_000;
/// How often a partition is replaced while it is read, and by how many rows it grows each time.
const ROUNDS: i64 = 8;
const GROWTH: i64 = 1_000;

/// Writes a lake, has it read, and compares.
pub fn compare() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world =
        World { folder: folder.path(), program: build(&["--bin", "tributary"], Profile::Dev, "tributary")? };
    fs::write(folder.path().join("read.py"), SCRIPT)?;
    world.import("clicks", &clicks("c", CLICKS, |number| MARCH_US + number * APART_US))?;
    world.import("conversions", &orders())?;
    world.check_own_summary()?;
    for manual in MANUALS {
        world.check_manual(manual)?;
    }
    world.check_while_it_grows()
}

struct World<'a> {
    /// Where the lines are run; the lake in it is called as in them.
    folder: &'a Path,
    program: std::path::PathBuf,
}

impl World<'_> {
    fn tributary(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder).env("TRIBUTARY_LAKE", "LAKE").env("RUST_LOG", "off");
        command
    }

    fn import(&self, rows: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join("rows.csv"), text)?;
        external::read(self.tributary().args([
            "import",
            "rows.csv",
            "--rows",
            rows,
            "--set",
            "campaign=spring",
        ]))?;
        Ok(())
    }

    /// What Rust says is there.
    fn check_own_summary(&self) -> Result<()> {
        let summary = external::read(self.tributary().args(["lake", "summary"]))?;
        for (table, events) in [("clicks", CLICKS), ("conversions", ORDERS)] {
            let line = summary.lines().find(|line| line.starts_with(table)).unwrap_or_default();
            let told = line.split_whitespace().nth(2);
            ensure!(
                told == Some(&events.to_string()),
                "{events} {table} were imported, and the summary says: {line}"
            );
        }
        Ok(())
    }

    fn python(&self, manual: &str) -> Result<Command> {
        let text = fs::read_to_string(workspace::root().join(manual))?;
        let lines =
            python_in(&text).with_context(|| format!("{manual} shows no Python that reads the lake"))?;
        let mut command = readers()?;
        command.current_dir(self.folder).args(["read.py", lines]);
        Ok(command)
    }

    fn check_manual(&self, manual: &str) -> Result<()> {
        let said = external::read(&mut self.python(manual)?)?;
        let said: Value = serde_json::from_str(&said)?;
        let expected = expected(manual);
        ensure!(said == expected, "the Python of {manual} reads {said}, and what is there is {expected}");
        println!("  the Python of {manual} reads what is there");
        Ok(())
    }

    /// Reads again and again while one partition is replaced by larger ones: each time it must be one of them, whole.
    fn check_while_it_grows(&self) -> Result<()> {
        let mut python = self.python("docs/lake.md")?;
        let mut python = python.arg("stop").stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(python.stdout.take().context("its output was asked for")?).lines();
        let mut seen = BTreeSet::from([clicks_in(lines.next())?]);
        for round in 0..ROUNDS {
            let at = |number: i64| MARCH_US + 5 * HOUR_US + round * GROWTH + number;
            self.import("clicks", &clicks(&format!("more-{round}-"), GROWTH, at))?;
        }
        fs::write(self.folder.join("stop"), "")?;
        let mut reads = 1;
        for line in lines {
            seen.insert(clicks_in(Some(line))?);
            reads += 1;
        }
        let status = python.wait()?;
        ensure!(status.success(), "reading the lake while it grew failed ({status})");
        let whole: BTreeSet<i64> = (0..=ROUNDS).map(|rounds| CLICKS + rounds * GROWTH).collect();
        ensure!(seen.is_subset(&whole), "half a partition was read: {seen:?}, where {whole:?} can be");
        if seen.len() < 3 {
            bail!("{reads} reads saw {seen:?} clicks only: the partition was not replaced while it was read");
        }
        println!("  {reads} reads while a partition was replaced {ROUNDS} times saw whole ones only");
        Ok(())
    }
}

/// How many clicks a line of what was read tells of; pandas and DuckDB read one after the other, and either may come
/// first to a new partition.
fn clicks_in(line: Option<std::io::Result<String>>) -> Result<i64> {
    let line = line.context("reading the lake failed")??;
    let said: Value = serde_json::from_str(&line)?;
    let days = said["days"]["days"].as_object().map(|days| days.values().filter_map(Value::as_i64).sum());
    let (pandas, duckdb): (Option<i64>, Option<i64>) = (said["clicks"]["rows"].as_i64(), days);
    let (pandas, duckdb) = pandas.zip(duckdb).with_context(|| format!("{line} tells of no clicks"))?;
    ensure!((duckdb - CLICKS) % GROWTH == 0, "DuckDB read half a partition: {line}");
    Ok(pandas)
}

/// The block of Python that reads the lake.
fn python_in(manual: &str) -> Option<&str> {
    let blocks = manual.split("```python\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.map(|(block, _)| block).find(|block| block.contains("LAKE/"))
}

fn clicks(name: &str, count: i64, at_us: impl Fn(i64) -> i64) -> String {
    let head = "id,occurred_at,affiliate\n".to_owned();
    (0..count).fold(head, |mut text, number| {
        let _ = writeln!(text, "{name}{number},{},blog", at_us(number));
        text
    })
}

fn amount_minor(number: i64) -> i64 {
    100 + number * 37 % 4_999
}

fn orders() -> String {
    let head = "occurred_at,order_id,amount,currency\n".to_owned();
    (0..ORDERS).fold(head, |mut text, number| {
        let (at_us, minor) = (order_at_us(number), amount_minor(number));
        let _ = writeln!(text, "{at_us},N-{number},{}.{:02},EUR", minor / 100, minor % 100);
        text
    })
}

fn order_at_us(number: i64) -> i64 {
    MARCH_US + number * 50_000_001
}

/// What the names in a manual's Python hold when all is well.
fn expected(manual: &str) -> Value {
    let sum: i64 = (0..ORDERS).map(amount_minor).sum();
    let orders = json!({"rows": ORDERS, "sum": sum});
    if manual == "README.md" {
        let all = json!({"rows": ORDERS, "sum": sum, "times": [order_at_us(0), order_at_us(ORDERS - 1)]});
        return json!({"orders": all, "table": all, "relation": all});
    }
    let mut days: BTreeMap<String, i64> = BTreeMap::new();
    for number in 0..CLICKS {
        *days.entry(format!("2026-03-{:02}", 1 + number * APART_US / (24 * HOUR_US))).or_default() += 1;
    }
    let days: Map<String, Value> = days.into_iter().map(|(day, clicks)| (day, clicks.into())).collect();
    json!({
        "clicks": {"rows": CLICKS, "times": [MARCH_US, MARCH_US + (CLICKS - 1) * APART_US]},
        "conversions": orders,
        "days": {"rows": days.len(), "days": days},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manual_shows_python_that_reads_the_lake() {
        for manual in MANUALS {
            let text = fs::read_to_string(workspace::root().join(manual)).expect("a manual");
            let lines = python_in(&text).expect("Python");
            assert!(
                ["pandas", "pyarrow", "duckdb"].iter().all(|reader| lines.contains(reader)),
                "{manual}: {lines}"
            );
        }
    }
}
