//! `tributary` is the API, the worker and everything around them; `tributary help` lists its roles.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use mimalloc::MiMalloc;
use serve::command::Cli;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let ran = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(Box::pin(cli.run())));
    let Err(error) = ran else { return ExitCode::SUCCESS };
    // When even this cannot be written, the exit status is all that is left to say it with.
    writeln!(io::stderr(), "error: {}", sentence(&error)).ok();
    ExitCode::FAILURE
}

/// The error and its causes in one sentence; some errors repeat their cause, which is said once.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |told, cause| {
        let cause = cause.to_string();
        if told.contains(&cause) { told } else { format!("{told}: {cause}") }
    })
}
