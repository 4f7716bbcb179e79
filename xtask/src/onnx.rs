//! The graphs that we build are ONNX to others: Python's checker accepts a file of each family, and Python's ONNX
//! Runtime and the plain implementation of ONNX answer the same as ours.

use std::fs;

use anyhow::Result;

use crate::{external, native::onnxpy, workspace};

/// Checks a folder of files.
const SCRIPT: &str = include_str!("onnx/check.py");

/// Has a file of each family written, with inputs and our answers, and checked.
pub fn compare() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let families = folder.path().join("families");
    external::run(workspace::cargo().args(["run", "--quiet", "--example", "families", "--"]).arg(&families))?;
    let script = folder.path().join("check.py");
    fs::write(&script, SCRIPT)?;
    external::run(onnxpy()?.arg(&script).arg(&families))
}
