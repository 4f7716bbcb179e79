//! `cargo xtask bench` measures what we promise, each figure beside a floor or a peer measured in the same run.
//!
//! A benchmark is one file below `bench/` and one line in [`BENCHES`]. It names its sizes and seed in the case, builds
//! what it measures with `--release`, and is never a timed test.

mod figure;
mod load;
mod redirect;

use anyhow::{Result, bail};
use clap::Args;

use figure::{Figure, table};

/// Something worth measuring.
struct Bench {
    name: &'static str,
    /// What is measured and against what, as a full sentence.
    doc: &'static str,
    run: fn() -> Result<Vec<Figure>>,
}

/// Every benchmark.
const BENCHES: &[Bench] = &[Bench {
    name: "redirect",
    doc: "Clicks made durable and redirected, beside a server that does nothing but redirect.",
    run: redirect::run,
}];

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// The benchmark to run; --list names them
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// One line of JSON for each figure instead of a table
    #[arg(long)]
    json: bool,
    /// Only say which benchmarks there are
    #[arg(long)]
    list: bool,
}

/// Runs a benchmark and prints its figures.
pub fn run(options: &Options) -> Result<()> {
    let Some(name) = options.name.as_deref().filter(|_| !options.list) else {
        for bench in BENCHES {
            println!("{:10} {}", bench.name, bench.doc);
        }
        return Ok(());
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        bail!("there is no benchmark called {name}; `cargo xtask bench --list` names them");
    };
    let figures = (bench.run)()?;
    if !options.json {
        print!("{}", table(&figures));
        return Ok(());
    }
    for figure in &figures {
        println!("{}", figure.json(bench.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_bench_says_what_it_measures() {
        let names: BTreeSet<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        assert_eq!(names.len(), BENCHES.len());
        assert!(BENCHES.iter().all(|bench| bench.doc.ends_with('.')));
    }

    #[test]
    fn an_unknown_bench_is_refused_with_a_way_on() {
        let options = Options { name: Some("teleport".to_owned()), json: false, list: false };
        let error = run(&options).expect_err("there is no such bench").to_string();
        assert_eq!(error, "there is no benchmark called teleport; `cargo xtask bench --list` names them");
    }
}
