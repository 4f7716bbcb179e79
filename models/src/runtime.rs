//! ONNX Runtime, the library that every model runs in: opened when it is needed, so that a build needs none.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ort::{LoadDynamicError, environment::Environment};

/// The one that was loaded first: a second environment in a process is refused.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

/// ONNX Runtime, loaded into this process. It stays loaded for good; clones are the same one.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
}

/// Why no model can run in this process.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such library, or it is of no use.
    #[error(
        "ONNX Runtime cannot be loaded from {library}: {reason}; `cargo xtask native onnxruntime` brings it, or set \
         ORT_DYLIB_PATH to an installed libonnxruntime.so"
    )]
    Load {
        /// Where it should have been.
        library: PathBuf,
        /// What the system's loader or the library says.
        reason: LoadDynamicError,
    },
    /// The library was loaded and refuses to start.
    #[error("ONNX Runtime does not start: {0}")]
    Start(#[from] ort::Error),
}

impl Runtime {
    /// Loads the library at this path. A process has one ONNX Runtime: once it is loaded, a later call gets the
    /// same one, whatever path it names.
    pub fn open(library: &Path) -> Result<Self, OpenError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let load = |reason| OpenError::Load { library: library.to_owned(), reason };
        let environment = ort::init_from(library).map_err(load)?.with_name("tributary").build()?;
        let runtime = Self { environment, library: library.to_owned() };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The library it was loaded from.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The library's version, such as 1.30.0, or none where its file cannot be read.
    pub fn version(&self) -> Option<String> {
        version_in(&fs::read(&self.library).ok()?)
    }

    /// What the library says of its build.
    pub fn build(&self) -> &'static str {
        ort::info()
    }
}

/// ONNX Runtime marks its symbols with its version (`VERS_1.30.0`); `ort` checks that version and does not tell it.
fn version_in(library: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"VERS_";
    let begin = library.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let version: Vec<u8> = library.get(begin..)?.iter().copied().take_while(|it| *it != 0).collect();
    let is_version = version.first().is_some_and(u8::is_ascii_digit) && version.len() < 20;
    String::from_utf8(version).ok().filter(|_| is_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_mark_of_the_symbols() {
        assert_eq!(
            version_in(b"\x7fELF\0OrtGetApiBase\0VERS_1.30.0\0libm.so.6\0"),
            Some("1.30.0".to_owned())
        );
        assert_eq!(version_in(b"\x7fELF\0OrtGetApiBase\0"), None);
        assert_eq!(version_in(b"VERS_ions of things"), None);
    }
}
