//! Schemathesis, the fuzzer of our API: a Python program of its own folder, pinned with all it depends on.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::{
    Component, Wish, bring as bring_components,
    wheel::{python, run_pip},
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

/// Installs into a plain folder rather than a virtual environment: that needs no venv module, which Debian leaves out.
fn bring(to: &Path, downloads: &Path) -> Result<()> {
    let requirements = downloads.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)?;
    let mut command = python();
    command.args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    command.env("PIP_ROOT_USER_ACTION", "ignore");
    command.arg("--target").arg(to).arg("--requirement").arg(&requirements);
    run_pip(&mut command).context("could not install schemathesis")?;
    Ok(())
}

/// Schemathesis, ready for its arguments; it is brought first if it is not here.
pub fn schemathesis() -> Result<Command> {
    bring_components(&[COMPONENT.name], Wish::Named)?;
    let mut command = python();
    command.env("PYTHONPATH", workspace::native().join(COMPONENT.name)).args(["-m", "schemathesis.cli"]);
    Ok(command)
}
