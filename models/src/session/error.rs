//! Why a version was not loaded: which one, at which step, what is wrong and how to mend it.

use std::{fmt, io};

use crate::{
    registry::{ModelName, ReadError, Version},
    schema::SchemaError,
};

/// A version that does not prove itself. Whatever served before still does.
#[derive(Debug, thiserror::Error)]
#[error("{model} {version} was not loaded, {step} {cause}")]
pub struct LoadError {
    /// Which model.
    pub model: ModelName,
    /// Which version.
    pub version: Version,
    /// Where it failed.
    pub step: Step,
    /// What is wrong.
    pub cause: Box<LoadCause>,
}

/// The steps of loading, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its files are what was published.
    Hash,
    /// Its graph takes and gives what the manifest says, and takes the features that are served.
    Signature,
    /// It says of the parity vectors what it must.
    Parity,
    /// Each session has run once at every size of batch that needs memory of its own.
    WarmUp,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "its files do not hold:",
            Self::Signature => "its signature does not hold:",
            Self::Parity => "its parity vectors do not hold:",
            Self::WarmUp => "its warm-up failed:",
        })
    }
}

/// What is wrong with a version.
#[derive(Debug, thiserror::Error)]
pub enum LoadCause {
    /// It is not there or damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// ONNX Runtime refuses the graph.
    #[error(
        "ONNX Runtime does not take its graph: {0}; publish it from a job of this release, or use a newer runtime"
    )]
    Graph(ort::Error),
    /// The graph has other inputs or outputs than the manifest says.
    #[error(
        "the graph has the {kind} {graph}, and the manifest says {manifest}; publish it with the signature of its graph"
    )]
    Signature {
        /// Inputs or outputs.
        kind: &'static str,
        /// What the graph has.
        graph: String,
        /// What the manifest says.
        manifest: String,
    },
    /// A tensor cannot be cut into rows.
    #[error(
        "{port:?} has the shape {shape}, of which no request has a row; publish it with tensors of rows and columns"
    )]
    Shape {
        /// Which input or output.
        port: String,
        /// Its shape.
        shape: String,
    },
    /// The features that are served are not those it takes.
    #[error(transparent)]
    Features(#[from] SchemaError),
    /// It takes texts, and features are numbers.
    #[error(
        "its input {port:?} takes texts, and features are numbers; serve a model whose features are those of a set"
    )]
    Texts {
        /// Which input.
        port: String,
    },
    /// It says something else than it must.
    #[error(
        "of row {row} of parity vector {vector} it says that {output:?} number {column} is {got}, and {expected} is right \
         within {tolerance}; the graph or the runtime computes otherwise than where it was trained, so train and publish it \
         anew with this release"
    )]
    Parity {
        /// Which vector, from 1.
        vector: usize,
        /// Which row of it, from 1.
        row: usize,
        /// Which output.
        output: String,
        /// Which number of the row, from 1.
        column: usize,
        /// What it says.
        got: String,
        /// What it must say.
        expected: String,
        /// How far it may be off.
        tolerance: f64,
    },
    /// An output of a parity vector has another shape.
    #[error(
        "of parity vector {vector} it says {output:?} in the shape {got:?}, and {expected:?} is right; train and publish it anew"
    )]
    ParityShape {
        /// Which vector, from 1.
        vector: usize,
        /// Which output.
        output: String,
        /// The shape of what it says.
        got: Vec<usize>,
        /// The shape of what it must say.
        expected: Vec<usize>,
    },
    /// It cannot be run.
    #[error("it cannot be run: {0}; train and publish it anew")]
    Run(ort::Error),
    /// No thread could be started for it.
    #[error("no thread could be started for it: {0}; let this process have more threads")]
    Thread(io::Error),
}
