//! What was learned and how to run it: ONNX graphs, the registry that keeps them, sessions that score with them, the best of
//! many scores, and who is recommended to whom.

pub mod best;
pub mod exact;
pub mod explore;
pub mod fingerprint;
pub mod fraud;
pub mod graph;
pub mod journeys;
pub mod matching;
pub mod nearest;
pub mod registry;
mod runtime;
pub mod schema;
pub mod session;
pub mod tensor;
#[cfg(test)]
mod testing;

pub use runtime::{OpenError, Runtime};
