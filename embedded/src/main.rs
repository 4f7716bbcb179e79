//! `cargo run -p embedded -- FOLDER` runs a private Postgres in FOLDER, prints its URL, and stops it when interrupted.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use embedded::Postgres;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        return fail("name the folder for the data, as in `cargo run -p embedded -- .tributary/postgres`");
    };
    match Postgres::start(&folder) {
        Ok(server) => hold(&server),
        Err(error) => fail(&error.to_string()),
    }
}

/// The end of the standard input, or of this process, ends the server.
fn hold(server: &Postgres) -> ExitCode {
    let told = writeln!(io::stdout(), "{}", server.url("postgres"));
    let ended = io::copy(&mut io::stdin(), &mut io::sink());
    told.and(ended).map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS)
}

fn fail(reason: &str) -> ExitCode {
    // Where the standard error is closed there is nobody to tell.
    writeln!(io::stderr(), "{reason}").ok();
    ExitCode::FAILURE
}
