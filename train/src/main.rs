//! `tributary-train`: what a data scientist runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks to whoever runs it")]

mod models_command;
mod training_set;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use domain::Clock;
use train::{
    doctor,
    jobs::{self, Jobs},
};

use models_command::Models;
use training_set::Features;

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
    /// Makes training sets from the event lake, point in time, and says what has moved since
    Features(Box<Features>),
    /// Lists, shows, compares and checks the models of a registry, and makes them champion
    Models(Models),
    /// Says which training jobs there are
    List,
    #[command(flatten)]
    Job(Jobs),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Doctor => doctor(),
        Command::Features(features) => ended(features.run()),
        Command::Models(models) => ended(models.run()),
        Command::List => {
            jobs::list().iter().for_each(|(name, about)| say(&format!("{name:12} {about}")));
            ExitCode::SUCCESS
        }
        Command::Job(job) => ended(job.run(&Clock::system()).map(|told| {
            say(&told);
            true
        })),
    }
}

/// Tells whoever reads; who has stopped reading, as `head` does, is not waited for.
fn say(text: &str) {
    let told = writeln!(io::stdout().lock(), "{text}");
    if let Err(error) = told
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("what came of it cannot be told: {error}");
    }
}

/// Success only where all is well.
fn ended(outcome: Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn doctor() -> ExitCode {
    let findings = doctor::examine();
    for finding in &findings {
        say(&finding.to_string());
    }
    let missing = findings.iter().filter(|finding| finding.verdict.is_err()).count();
    if 0 < missing {
        eprintln!("{missing} of {} native libraries are missing; see above", findings.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_asked_for() {
        super::CommandLine::command().debug_assert();
    }
}
