//! `tributary-train`: what a data scientist runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to whoever runs it")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use train::doctor;

/// Trains the models of Tributary.
#[derive(Parser)]
#[command(name = "tributary-train", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tries the native libraries that training and scoring need, and says what mends what is missing
    Doctor,
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Doctor => doctor(),
    }
}

fn doctor() -> ExitCode {
    let findings = doctor::examine();
    for finding in &findings {
        println!("{finding}");
    }
    let missing = findings.iter().filter(|finding| finding.verdict.is_err()).count();
    if 0 < missing {
        eprintln!("{missing} of {} native libraries are missing; see above", findings.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
