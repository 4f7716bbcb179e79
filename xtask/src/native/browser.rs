//! What drives a browser in a test: Playwright for Python, and axe-core, which judges pages. The browser itself is Debian's
//! Chromium, installed by apt where there is none.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use super::{
    Component, Wish, bring as bring_components,
    wheel::{install, python},
};
use crate::{external, workspace};

/// Made by `uv pip compile --universal --fork-strategy fewest --python-version 3.10 --generate-hashes`.
const REQUIREMENTS: &str = include_str!("browser.txt");
/// Where Debian's Chromium is.
const CHROMIUM: &str = "/usr/bin/chromium";

pub(super) const COMPONENT: Component = Component {
    name: "browser",
    doc: "looks at the pages in a test",
    made_from: || {
        let named = |line: &&str| ["playwright==", "axe-"].iter().any(|name| line.starts_with(name));
        let versions: Vec<&str> =
            REQUIREMENTS.lines().filter(named).map(|line| line.trim_end_matches(" \\")).collect();
        format!("{}\n{REQUIREMENTS}", versions.join(", "))
    },
    instead: |wish| (wish == Wish::Missing).then(|| "is brought when it is needed first".to_owned()),
    bring,
    mend: "check the network; python3 must be 3.10 or newer and have pip",
    without: None,
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    install(REQUIREMENTS, to, downloads).context("could not install playwright and axe-core")
}

/// A Python that can drive Chromium, whose path is its environment's `CHROMIUM`; what is missing is brought first.
pub fn browser() -> Result<Command> {
    bring_components(&[COMPONENT.name], Wish::Named)?;
    if !Path::new(CHROMIUM).exists() {
        println!("  installing Debian's chromium");
        let updated = external::read(Command::new("apt-get").args(["-qq", "update"]));
        let mut get = Command::new("apt-get");
        get.env("DEBIAN_FRONTEND", "noninteractive");
        get.args(["-qq", "install", "--yes", "--no-install-recommends", "chromium"]);
        let installed = updated.and_then(|_| external::read(&mut get));
        installed.context("there is no /usr/bin/chromium: install your system's chromium package")?;
        ensure!(Path::new(CHROMIUM).exists(), "the package chromium brought no {CHROMIUM}");
    }
    let mut command = python();
    command.env("PYTHONPATH", workspace::native().join(COMPONENT.name)).env("CHROMIUM", CHROMIUM);
    Ok(command)
}
