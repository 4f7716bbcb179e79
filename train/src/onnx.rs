//! ONNX Runtime, as jobs and commands find it.

use std::{env, path::PathBuf};

use anyhow::Result;
use models::Runtime;

/// The library that `ORT_DYLIB_PATH` names, or else the system's.
///
/// # Errors
/// When there is none that can be used.
pub fn runtime() -> Result<Runtime> {
    let library =
        env::var_os("ORT_DYLIB_PATH").map_or_else(|| PathBuf::from("libonnxruntime.so"), PathBuf::from);
    Ok(Runtime::open(&library)?)
}
