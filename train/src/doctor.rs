//! Whether this machine can train and run models, tried rather than guessed.

use std::{fmt, path::Path};

use anyhow::Result;

use crate::onnx;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it was, such as `ONNX Runtime`.
    pub subject: &'static str,
    /// That it works and how one can tell, or what is wrong and what mends it.
    pub verdict: Result<String, String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Ok(works) => write!(f, "{:13} works: {works}", self.subject),
            Err(wrong) => write!(f, "{:13} is missing: {wrong}", self.subject),
        }
    }
}

/// Tries every native library that training and scoring need.
pub fn examine() -> Vec<Finding> {
    let tried = [("ONNX Runtime", onnx_runtime()), ("libtorch", libtorch())];
    tried
        .into_iter()
        .map(|(subject, verdict)| Finding { subject, verdict: verdict.map_err(|error| format!("{error:#}")) })
        .collect()
}

fn onnx_runtime() -> Result<String> {
    let runtime = onnx::runtime()?;
    let version = runtime.version().unwrap_or_else(|| "of unknown version".to_owned());
    Ok(format!("{version} in {} ({})", runtime.library().display(), runtime.build()))
}

/// Learns one number by gradient, which needs the tensors, the automatic differentiation and the kernels.
#[cfg(feature = "torch")]
fn libtorch() -> Result<String> {
    let x = tch::Tensor::try_from(vec![2.0_f64])?.set_requires_grad(true);
    let y = x.f_square()?.f_add(&(&x * 3.0))?.f_sum(tch::Kind::Double)?;
    y.f_backward()?;
    let slope = f64::try_from(x.f_grad()?.f_get(0)?)?;
    let threads = tch::get_num_threads();
    Ok(format!("{}, {threads} threads; the slope of x² + 3x at 2 is {slope}", version()))
}

/// libtorch itself has no call for its version; the folder it was built against has a note.
#[cfg(feature = "torch")]
fn version() -> String {
    let folder = option_env!("LIBTORCH").unwrap_or("/usr");
    let note = std::fs::read_to_string(Path::new(folder).join("build-version"));
    let version = note.map_or_else(|_| "of unknown version".to_owned(), |note| note.trim().to_owned());
    format!("{version} in {folder}")
}

#[cfg(not(feature = "torch"))]
fn libtorch() -> Result<String> {
    anyhow::bail!("this program was built without its feature `torch`; build it with default features")
}
