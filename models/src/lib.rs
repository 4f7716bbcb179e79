//! What was learned and how to run it: ONNX graphs, the registry that keeps them, and sessions that score with them.

pub mod fingerprint;
pub mod graph;
pub mod registry;
mod runtime;
pub mod schema;
pub mod session;
pub mod tensor;
#[cfg(test)]
mod testing;

pub use runtime::{OpenError, Runtime};
