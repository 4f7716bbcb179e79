//! What was learned and how to run it: ONNX graphs, the registry that keeps them, sessions that score with them, and the
//! best of many scores.

pub mod best;
pub mod fingerprint;
pub mod graph;
pub mod nearest;
pub mod registry;
mod runtime;
pub mod schema;
pub mod session;
pub mod tensor;
#[cfg(test)]
mod testing;

pub use runtime::{OpenError, Runtime};
