//! onnx and onnxruntime for Python, which check the graphs that we build: libraries of their own folder, pinned with all
//! they depend on.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use super::{
    Component, Wish, bring as bring_components,
    wheel::{install, python},
};
use crate::workspace;

/// Made by `uv pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes`.
const REQUIREMENTS: &str = include_str!("onnxpy.txt");

pub(super) const COMPONENT: Component = Component {
    name: "onnxpy",
    doc: "checks graphs in a test",
    made_from: || {
        let named = |line: &&str| ["onnx==", "onnxruntime=="].iter().any(|name| line.starts_with(name));
        let versions: Vec<&str> =
            REQUIREMENTS.lines().filter(named).map(|line| line.trim_end_matches(" \\")).collect();
        format!("{}\n{REQUIREMENTS}", versions.join(", "))
    },
    instead: |wish| (wish == Wish::Missing).then(|| "is brought when it is needed first".to_owned()),
    bring,
    mend: "check the network; python3 must be 3.11 or newer and have pip",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    install(REQUIREMENTS, to, downloads).context("could not install onnx and onnxruntime")
}

/// A Python that can import them, ready for its arguments; they are brought first if they are not here.
pub fn onnxpy() -> Result<Command> {
    bring_components(&[COMPONENT.name], Wish::Named)?;
    let mut command = python();
    command.env("PYTHONPATH", workspace::native().join(COMPONENT.name));
    Ok(command)
}
