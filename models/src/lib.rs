//! What was learned and how to run it: ONNX graphs, registry and sessions; its first family comes with the fraud job.

pub mod graph;
mod runtime;

pub use runtime::{OpenError, Runtime};
