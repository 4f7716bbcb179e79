//! `cargo xtask judge`: what models are worth, in worlds whose truth is known.

mod attribution;
mod fraud;
mod rules;
mod worlds;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What is judged
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    subject: Subject,
}

/// To judge something else: its file here, and its line in this list.
#[derive(Subcommand)]
enum Subject {
    /// Detectors of fraud, scheme by scheme
    ///
    /// Writes docs/fraud-evaluation.md. Builds with --release, which takes minutes the first time.
    Fraud(fraud::Options),
    /// Decisions about fraud by rules, rings and models, as they would have been made
    ///
    /// Writes docs/fraud-decisions-evaluation.md. Builds with --release, which takes minutes the first time.
    Rules(rules::Options),
    /// Models of attribution, by how much credit they misplace
    ///
    /// Writes docs/attribution-evaluation.md.
    Attribution(attribution::Options),
}

/// Simulates, learns, judges, and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    match &options.subject {
        Subject::Fraud(options) => fraud::run(options),
        Subject::Rules(options) => rules::run(options),
        Subject::Attribution(options) => attribution::run(options),
    }
}
