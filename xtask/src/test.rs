//! `cargo xtask test` runs all that decides whether a change lands, quick refusals first.

use std::{
    env,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    chaos, database::Server, external, fuzz, inference, native, onnx, query_data, readers, tidy, torture,
    tour, workspace,
};

/// What to run.
#[derive(Args)]
pub struct Options {
    /// Steps to run; without any, all of them in this order
    #[arg(value_parser = names())]
    steps: Vec<String>,
    /// Leave out the demo, which builds and runs the whole product once more
    #[arg(long)]
    no_demo: bool,
    /// Arguments for `cargo test`, such as the name of a test
    #[arg(last = true)]
    for_tests: Vec<String>,
}

/// One thing that must succeed.
struct Step {
    name: &'static str,
    doc: &'static str,
    run: fn(&mut Run) -> Result<()>,
}

/// Every step, in the order of how soon it can refuse.
const STEPS: [Step; 14] = [
    Step { name: "format", doc: "the code is formatted by rustfmt", run: format },
    Step { name: "tidy", doc: "the habits that no compiler checks are kept", run: tidy },
    Step { name: "native", doc: "native libraries are here", run: native },
    Step { name: "lint", doc: "clippy has nothing to say", run: lint },
    Step { name: "queries", doc: "the SQL fits the migrations, and .sqlx/ is up to date", run: queries },
    Step { name: "tests", doc: "the tests pass", run: tests },
    Step { name: "onnx", doc: "Python's onnx and onnxruntime agree with our graphs", run: onnx },
    Step {
        name: "readers",
        doc: "pandas, pyarrow and DuckDB read the event lake as we wrote it",
        run: readers,
    },
    Step {
        name: "inference",
        doc: "Triton's client runs a model over the Open Inference Protocol",
        run: inference,
    },
    Step {
        name: "torture",
        doc: "trackers are killed and lose power, and no promised click is lost",
        run: torture,
    },
    Step {
        name: "chaos",
        doc: "the database dies under load, and nothing that was accepted is lost",
        run: chaos,
    },
    Step { name: "fuzz", doc: "the API keeps what its OpenAPI document promises", run: fuzz },
    Step {
        name: "tour",
        doc: "people use the pages in a browser, and all pages can be used by anybody",
        run: tour,
    },
    Step { name: "demo", doc: "the demo runs and its numbers add up", run: demo },
];

/// What the steps share.
struct Run {
    /// Started when the first step needs it.
    server: Option<Server>,
    for_tests: Vec<String>,
}

impl Run {
    fn server(&mut self) -> Result<&Server> {
        if self.server.is_none() {
            let server = Server::find_or_start()?;
            println!("  databases are made on {}", server.description());
            self.server = Some(server);
        }
        self.server.as_ref().context("a server was just started")
    }
}

/// Runs the steps until one fails and sums up.
pub fn run(options: &Options) -> Result<()> {
    let chosen: Vec<&Step> = STEPS.iter().filter(|step| is_chosen(step, options)).collect();
    let mut run = Run { server: None, for_tests: options.for_tests.clone() };
    let mut passed: Vec<(&str, Duration)> = Vec::new();
    let mut failed = None;
    for (number, step) in chosen.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", number + 1, chosen.len(), step.name, step.doc);
        let begin = Instant::now();
        match (step.run)(&mut run) {
            Ok(()) => passed.push((step.name, begin.elapsed())),
            Err(error) => {
                failed = Some((step.name, error));
                break;
            }
        }
    }
    println!("{}", summary(&passed, failed.as_ref()));
    if let Some((name, _)) = failed {
        bail!("{}; `cargo xtask test {name}` repeats the one that failed", count(&passed, chosen.len()));
    }
    println!("{}", count(&passed, chosen.len()));
    Ok(())
}

fn names() -> [&'static str; STEPS.len()] {
    STEPS.map(|step| step.name)
}

fn is_chosen(step: &Step, options: &Options) -> bool {
    let is_named = options.steps.is_empty() || options.steps.iter().any(|name| name == step.name);
    is_named && !(options.no_demo && step.name == "demo")
}

/// A line for each step that was run, with its time or with what went wrong.
fn summary(passed: &[(&str, Duration)], failed: Option<&(&str, anyhow::Error)>) -> String {
    let passed =
        passed.iter().map(|(name, took)| format!("\n  {name:9} passed in {:6.1} s", took.as_secs_f64()));
    let failed = failed.map(|(name, error)| format!("\n  {name:9} failed: {error:#}"));
    passed.chain(failed).collect()
}

fn count(passed: &[(&str, Duration)], chosen: usize) -> String {
    format!("{} of {chosen} steps passed", passed.len())
}

/// Says the exact command before running it, so that one can repeat it alone.
fn announce_and_run(command: &mut Command) -> Result<()> {
    println!("  {}", external::line(command));
    external::run(command)
}

fn format(_: &mut Run) -> Result<()> {
    announce_and_run(workspace::cargo().args(["fmt", "--all", "--check"])).context("run `cargo fmt --all`")
}

fn tidy(_: &mut Run) -> Result<()> {
    tidy::run(&tidy::Options::default())
}

fn native(_: &mut Run) -> Result<()> {
    native::run(&native::Options::default())
}

fn lint(_: &mut Run) -> Result<()> {
    announce_and_run(workspace::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn queries(run: &mut Run) -> Result<()> {
    query_data::check(run.server()?)
}

fn tests(run: &mut Run) -> Result<()> {
    let mut command = workspace::cargo();
    command.arg("test");
    let names_packages = run.for_tests.iter().any(|it| it.starts_with("-p") || it.starts_with("--package"));
    if !names_packages {
        command.arg("--workspace");
    }
    command.args(&run.for_tests);
    command.env("DATABASE_URL", run.server()?.url());
    // A snapshot that no longer fits is a failure, not a file to look at later.
    command.env("INSTA_UPDATE", "no");
    announce_and_run(&mut command)
}

fn readers(_: &mut Run) -> Result<()> {
    readers::compare()
}

fn inference(run: &mut Run) -> Result<()> {
    inference::compare(run.server()?)
}

fn onnx(_: &mut Run) -> Result<()> {
    onnx::compare()
}

fn torture(_: &mut Run) -> Result<()> {
    torture::short()
}

fn chaos(_: &mut Run) -> Result<()> {
    chaos::short()
}

fn fuzz(run: &mut Run) -> Result<()> {
    fuzz::attack(run.server()?, &fuzz::Options::default())
}

fn tour(_: &mut Run) -> Result<()> {
    tour::run()
}

fn demo(_: &mut Run) -> Result<()> {
    let mut command = Command::new(env::current_exe()?);
    command.current_dir(workspace::root()).args(["demo", "--once"]);
    println!("  cargo xtask demo --once");
    let status = command.status()?;
    if !status.success() {
        bail!("`cargo xtask demo --once` failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod check {
    use std::collections::BTreeSet;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn chosen(line: &str) -> Vec<&'static str> {
        let options = CommandLine::parse_from(line.split(' ')).options;
        STEPS.iter().filter(|step| is_chosen(step, &options)).map(|step| step.name).collect()
    }

    #[test]
    fn names_are_unique_and_every_step_says_what_it_proves() {
        let names: BTreeSet<&str> = names().into_iter().collect();
        assert_eq!(names.len(), STEPS.len());
        assert!(STEPS.iter().all(|step| !step.doc.is_empty()));
    }

    #[test]
    fn without_names_every_step_is_run() {
        assert_eq!(chosen("test"), names());
        assert_eq!(chosen("test --no-demo"), names()[..STEPS.len() - 1]);
    }

    #[test]
    fn named_steps_are_run_in_their_order() {
        assert_eq!(chosen("test tests format -- wal"), ["format", "tests"]);
    }

    #[test]
    fn the_summary_has_a_line_for_each_step_that_was_run() {
        let passed = [("format", Duration::from_millis(1500)), ("tidy", Duration::from_secs(61))];
        let failed = ("lint", anyhow::anyhow!("`cargo clippy` failed"));
        assert_eq!(
            summary(&passed, Some(&failed)),
            "\n  format    passed in    1.5 s\n  tidy      passed in   61.0 s\n  lint      failed: `cargo clippy` failed"
        );
        assert_eq!(count(&passed, 8), "2 of 8 steps passed");
    }
}
