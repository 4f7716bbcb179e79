//! moto, the object store of the tests: a Python program of its own folder, pinned with all it depends on.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Component, wheel::install};

/// Made by `uv pip compile --universal --fork-strategy fewest --python-version 3.10 --generate-hashes`.
const REQUIREMENTS: &str = include_str!("moto.txt");

pub(super) const COMPONENT: Component = Component {
    name: "moto",
    doc: "the object store of the tests",
    made_from: || {
        let version = REQUIREMENTS.lines().find(|line| line.starts_with("moto==")).unwrap_or_default();
        format!("{}\n{REQUIREMENTS}", version.trim_end_matches(" \\"))
    },
    instead: |_| None,
    bring,
    mend: "check the network; python3 must be 3.10 or newer and have pip",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    install(REQUIREMENTS, to, downloads).context("could not install moto")
}
