//! Schemathesis, the fuzzer of our API: a Python program of its own folder, pinned with all it depends on.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::{
    Component, Wish, bring as bring_components,
    wheel::{install, python},
};
use crate::workspace;

/// Made by `uv pip compile --universal --fork-strategy fewest --python-version 3.10 --generate-hashes`.
const REQUIREMENTS: &str = include_str!("schemathesis.txt");

pub(super) const COMPONENT: Component = Component {
    name: "schemathesis",
    doc: "fuzzes the API",
    made_from: || {
        let version =
            REQUIREMENTS.lines().find(|line| line.starts_with("schemathesis==")).unwrap_or_default();
        format!("{}\n{REQUIREMENTS}", version.trim_end_matches(" \\"))
    },
    instead: |wish| (wish == Wish::Missing).then(|| "is brought when it is needed first".to_owned()),
    bring,
    mend: "check the network; python3 must be 3.10 or newer and have pip",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    install(REQUIREMENTS, to, downloads).context("could not install schemathesis")
}

/// Schemathesis, ready for its arguments; it is brought first if it is not here.
pub fn schemathesis() -> Result<Command> {
    bring_components(&[COMPONENT.name], Wish::Named)?;
    let mut command = python();
    command.env("PYTHONPATH", workspace::native().join(COMPONENT.name)).args(["-m", "schemathesis.cli"]);
    Ok(command)
}
