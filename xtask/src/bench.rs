//! `cargo xtask bench` measures what we promise, each figure beside a floor or a peer measured in the same run.
//!
//! A benchmark is one file below `bench/` and one variant of [`Bench`]. It names its sizes in the case, builds what it
//! measures with `--release`, and is never a timed test.

mod contestant;
mod cores;
mod disk;
mod figure;
pub mod load;
mod machine;
mod numbers;
mod program;
mod redirect;
mod report;
mod requests;
mod stage;

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::Clock;
use tokio::runtime;

use figure::Report;
use machine::Machine;

/// What to measure.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// One line of JSON for each figure instead of a table
    #[arg(long, global = true)]
    json: bool,
    /// Leave docs/BENCHMARKS.md as it is; a run of a part only never writes it
    #[arg(long, global = true)]
    no_write: bool,
}

/// Every benchmark.
#[derive(Subcommand)]
enum Bench {
    /// Clicks redirected a second, and how long each takes, beside hyper, axum and nginx
    Redirect(redirect::Options),
}

impl Bench {
    fn name(&self) -> &'static str {
        match self {
            Self::Redirect(_) => "redirect",
        }
    }

    /// What the section of the page says first.
    fn doc(&self) -> &'static str {
        match self {
            Self::Redirect(_) => "Clicks redirected a second, and how long each takes.",
        }
    }

    /// Whether nothing is left out, so that the page may be written.
    fn is_complete(&self) -> bool {
        match self {
            Self::Redirect(options) => options.is_complete(),
        }
    }

    async fn run(&self) -> Result<Report> {
        match self {
            Self::Redirect(options) => redirect::run(options).await,
        }
    }
}

/// Runs a benchmark, prints what it found and writes it down.
pub fn run(options: &Options) -> Result<()> {
    let Options { bench, json, no_write } = options;
    // Taken first, because it belongs to the commit that is built.
    let machine = Machine::here(crate::workspace::root(), &Clock::system())?;
    // One thread: the benchmark waits for others and must not be in their way.
    let report = runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench.run())?;
    if *json {
        report.figures.iter().for_each(|figure| println!("{}", figure.json(bench.name())));
        report.promises.iter().for_each(|promise| println!("{}", promise.json(bench.name())));
    } else {
        print!("{}", report::text(&report));
    }
    if !no_write && bench.is_complete() {
        let arguments: Vec<String> =
            std::env::args().skip(1).filter(|argument| argument != "--json").collect();
        let command = format!("cargo xtask {}", arguments.join(" "));
        report::write(bench.name(), bench.doc(), &command, &machine, &report)?;
    }
    Ok(())
}
