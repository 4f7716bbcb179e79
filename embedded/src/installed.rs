//! Where the program of a server is on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// A program that is a server, new enough for us.
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
    /// The program that an environment variable names is of no use.
    #[error("{} names {path}, which is no {}; correct or unset it", .wanted.variable, .wanted.what)]
    Override {
        /// What was looked for.
        wanted: &'static Wanted,
        /// The program named.
        path: PathBuf,
    },
    /// Nothing is installed and nothing was brought.
    #[error(
        "no {} was found; run `cargo xtask native {}`, install your system's {} package, or name the program in {}",
        .0.what, .0.component, .0.package, .0.variable
    )]
    Nowhere(&'static Wanted),
    /// What only `cargo xtask native` brings was not brought.
    #[error("{0} is not here; run `cargo xtask native {0}`")]
    NotBrought(&'static str),
}

/// What is looked for, and where.
#[derive(Debug)]
pub struct Wanted {
    /// What it is, and the oldest version with everything that is asked of it.
    pub(crate) what: &'static str,
    /// What the program may be called; the first is its name where it was brought.
    pub(crate) names: &'static [&'static str],
    /// The environment variable that names a program to use instead of looking for one.
    pub(crate) variable: &'static str,
    /// The component of `cargo xtask native` that brings it, and so the folder below `.native`.
    pub(crate) component: &'static str,
    /// What it is called where systems are installed from.
    pub(crate) package: &'static str,
    /// Reads the version from what the program says of itself, if it is new enough.
    pub(crate) version: fn(&str) -> Option<String>,
}

impl Wanted {
    /// The program named by the variable, else the first one in `PATH`, else the one that was brought.
    pub(crate) fn find(&'static self) -> Result<Binary, FindError> {
        if let Some(path) = env::var_os(self.variable).map(PathBuf::from) {
            return self.at(&path).ok_or(FindError::Override { wanted: self, path });
        }
        let native = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(".native");
        let brought = native.join(self.component).join(self.names[0]);
        let installed = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&installed).collect();
        let places = self.names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        places.chain([brought]).find_map(|place| self.at(&place)).ok_or(FindError::Nowhere(self))
    }

    fn at(&self, path: &Path) -> Option<Binary> {
        let answer = Command::new(path).arg("--version").output().ok()?;
        let version = (self.version)(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Binary { path: path.to_owned(), version })
    }
}

/// A version that is at least `oldest` by its first two numbers.
pub(crate) fn at_least(oldest: (u32, u32), version: &str) -> Option<String> {
    let mut numbers = version.split(['.', '-']).map_while(|number| number.parse().ok());
    let found = (numbers.next()?, numbers.next()?);
    (oldest <= found).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    static WANTED: Wanted = Wanted {
        what: "tributary-gauge 1.0 or newer",
        names: &["tributary-gauge", "gauge"],
        variable: "TRIBUTARY_TEST_GAUGE",
        component: "gauge",
        package: "gauge-tools",
        version: |text| at_least((1, 0), text.trim().strip_prefix("gauge ")?),
    };

    #[test]
    fn who_finds_nothing_is_told_what_mends_it() {
        let told = WANTED.find().expect_err("nobody has it").to_string();
        let expected = "no tributary-gauge 1.0 or newer was found; run `cargo xtask native gauge`, install your \
                        system's gauge-tools package, or name the program in TRIBUTARY_TEST_GAUGE";
        assert_eq!(told, expected);
        let named = FindError::Override { wanted: &WANTED, path: "/opt/gauge".into() }.to_string();
        let expected = "TRIBUTARY_TEST_GAUGE names /opt/gauge, which is no tributary-gauge 1.0 or newer; correct or \
                        unset it";
        assert_eq!(named, expected);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, expected) in
            [("2.10.1", true), ("2.9.9", false), ("10.0-rc1", true), ("2", false), ("", false)]
        {
            assert_eq!(at_least((2, 10), version).is_some(), expected, "{version:?}");
        }
    }
}
