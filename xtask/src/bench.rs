//! `cargo xtask bench` measures what we promise, each figure beside a floor or a peer measured in the same run.
//!
//! A benchmark is one file below `bench/` and one variant of [`Bench`]. It names its sizes in the case, builds what it
//! measures as it runs in production, and is never a timed test.

mod attribution;
mod contestant;
mod cores;
mod disk;
mod features;
pub mod figure;
mod fraud;
mod gbdt;
mod ingest;
pub mod load;
pub mod machine;
mod matching;
mod memory;
mod models;
mod numbers;
mod pages;
mod program;
mod recommend;
mod redirect;
pub mod report;
mod requests;
mod serve;
mod serving;
mod sim;
mod soak;
mod stage;
mod tracker;
mod watch;

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
    /// Clicks stored a second over one connection, each once however often it comes
    Ingest(ingest::Options),
    /// Memory of a tracker at full speed, after a tenth of the clicks and after all of them
    Memory(memory::Options),
    /// Events simulated a second on one core, and the memory of worlds of sixty and of six hundred days
    Sim(sim::Options),
    /// Minutes of steady clicks, after which everything has to add up and nothing may have grown
    Soak(soak::Options),
    /// The feature store: an event and a vector in memory, the lake, tables joined point in time, a training set
    Features(features::Options),
    /// Forests grown, asked, and run from their ONNX files, beside scikit-learn and skl2onnx
    Models(models::Options),
    /// Credit divided by rules, Markov chains and Shapley values, beside ChannelAttribution
    Attribution(attribution::Options),
    /// Boosted trees grown from a million rows, beside LightGBM
    Gbdt(gbdt::Options),
    /// Vectors learned from a million interactions, beside implicit, and the nearest of a hundred thousand
    Match(matching::Options),
    /// Lists of recommendations over HTTP, of ten thousand affiliates, beside a bare loop that answers the same bytes
    Recommend(recommend::Options),
    /// The service on one core: inferences beside an echo and FastAPI, decisions, postbacks, and a champion that moves under load
    Serve(serve::Options),
    /// Pages of a program with ten million clicks, and a thousand of them left open
    Pages(pages::Options),
    /// Decisions about fraud in process, all rules and the score, and rings of a million edges
    Fraud(fraud::Options),
}

impl Bench {
    /// Its name, and what its section of the page says first.
    fn about(&self) -> (&'static str, &'static str) {
        match self {
            Self::Redirect(_) => ("redirect", "Clicks redirected a second, and how long each takes."),
            Self::Ingest(_) => ("ingest", "Clicks stored a second, each once however often it comes."),
            Self::Memory(_) => {
                ("memory", "Memory of a tracker at full speed, however many clicks it has taken.")
            }
            Self::Sim(_) => {
                ("sim", "Events simulated a second on one core, and the memory of a longer world.")
            }
            Self::Soak(_) => ("soak", "Minutes of steady clicks: everything adds up, and nothing grows."),
            Self::Features(_) => (
                "features",
                "The feature store: an event and a vector in memory, the lake, tables joined point in time, a training set.",
            ),
            Self::Models(_) => ("models", "Forests grown, asked, and run from their ONNX files."),
            Self::Attribution(_) => {
                ("attribution", "Credit divided by rules, Markov chains and Shapley values.")
            }
            Self::Gbdt(_) => {
                ("gbdt", "Boosted trees grown: time, memory, how good they are, and what their file says.")
            }
            Self::Match(_) => {
                ("match", "Matching: vectors learned, how good they are, and the nearest of many found.")
            }
            Self::Recommend(_) => {
                ("recommend", "Lists of recommendations over HTTP, with reasons, and logged.")
            }
            Self::Serve(_) => (
                "serve",
                "The service on one core: inferences, decisions and postbacks, and a champion that moves under load.",
            ),
            Self::Pages(_) => {
                ("pages", "Pages of a program with ten million clicks, and a thousand of them left open.")
            }
            Self::Fraud(_) => ("fraud", "Decisions about fraud in process, and rings of a million edges."),
        }
    }

    /// Whether nothing is left out, so that the page may be written.
    fn is_complete(&self) -> bool {
        match self {
            Self::Redirect(options) => options.is_complete(),
            Self::Features(options) => options.is_complete(),
            Self::Attribution(options) => options.is_complete(),
            Self::Gbdt(options) => options.is_complete(),
            Self::Match(options) => options.is_complete(),
            Self::Recommend(options) => options.is_complete(),
            Self::Serve(options) => options.is_complete(),
            Self::Pages(options) => options.is_complete(),
            Self::Fraud(options) => options.is_complete(),
            Self::Ingest(_) | Self::Memory(_) | Self::Sim(_) | Self::Soak(_) | Self::Models(_) => true,
        }
    }

    async fn run(&self) -> Result<Report> {
        match self {
            Self::Redirect(options) => redirect::run(options).await,
            Self::Ingest(options) => ingest::run(options).await,
            Self::Memory(options) => memory::run(options).await,
            Self::Sim(options) => sim::run(options),
            Self::Soak(options) => soak::run(options).await,
            Self::Features(options) => features::run(options),
            Self::Models(options) => models::run(options),
            Self::Attribution(options) => attribution::run(options),
            Self::Gbdt(options) => gbdt::run(options),
            Self::Match(options) => matching::run(options),
            Self::Recommend(options) => recommend::run(options).await,
            Self::Serve(options) => serve::run(options).await,
            Self::Pages(options) => pages::run(options).await,
            Self::Fraud(options) => fraud::run(options),
        }
    }
}

/// Runs a benchmark, prints what it found and writes it down.
pub fn run(options: &Options) -> Result<()> {
    let Options { bench, json, no_write } = options;
    let (name, doc) = bench.about();
    // Taken first, because it belongs to the commit that is built.
    let machine = Machine::here(crate::workspace::root(), &Clock::system())?;
    // One thread: the benchmark waits for others and must not be in their way.
    let report = runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench.run())?;
    if *json {
        report.figures.iter().for_each(|figure| println!("{}", figure.json(name)));
        report.promises.iter().for_each(|promise| println!("{}", promise.json(name)));
    } else {
        print!("{}", report::text(&report));
    }
    if !no_write && bench.is_complete() {
        let arguments: Vec<String> =
            std::env::args().skip(1).filter(|argument| argument != "--json").collect();
        let command = format!("cargo xtask {}", arguments.join(" "));
        report::write(name, doc, &command, &machine, &report)?;
    }
    Ok(())
}
