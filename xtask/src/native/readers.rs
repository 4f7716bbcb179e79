//! pandas, pyarrow and DuckDB, which read what we write, and Triton's client, which asks our models: Python libraries of
//! their own folder, pinned with all they depend on.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::{
    Component, Wish, bring as bring_components,
    wheel::{install, python},
};
use crate::workspace;

/// Made by `uv pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes`.
const REQUIREMENTS: &str = include_str!("readers.txt");

pub(super) const COMPONENT: Component = Component {
    name: "readers",
    doc: "read the event lake and ask models in a test",
    made_from: || {
        let named = |line: &&str| {
            let names = ["pandas==", "pyarrow==", "duckdb==", "tritonclient=="];
            names.iter().any(|name| line.starts_with(name))
        };
        let versions: Vec<&str> =
            REQUIREMENTS.lines().filter(named).map(|line| line.trim_end_matches(" \\")).collect();
        format!("{}\n{REQUIREMENTS}", versions.join(", "))
    },
    instead: |wish| (wish == Wish::Missing).then(|| "are brought when they are needed first".to_owned()),
    bring,
    mend: "check the network; python3 must be 3.11 or newer and have pip",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    install(REQUIREMENTS, to, downloads).context("could not install pandas, pyarrow, duckdb and tritonclient")
}

/// A Python that can import them, ready for its arguments; they are brought first if they are not here.
pub fn readers() -> Result<Command> {
    bring_components(&[COMPONENT.name], Wish::Named)?;
    let mut command = python();
    command.env("PYTHONPATH", workspace::native().join(COMPONENT.name));
    Ok(command)
}
