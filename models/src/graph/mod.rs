//! The graph builder: plain tables of numbers become ONNX files that take raw features, one file for each family.
//!
//! A family is a table with a method `add`, which puts its operators into a [`Graph`] and gives their values back; so
//! families compose: preprocessing, a scorer, a calibration. Nothing here learns.

pub mod attribution;
pub mod calibration;
pub mod dense;
pub mod extended_forest;
pub mod factors;
pub mod histogram;
pub mod isolation_forest;
pub mod lifetime;
pub mod linear;
pub mod lookup;
pub mod pairs;
pub mod preprocess;
pub mod told;
pub mod towers;
pub mod trees;

mod builder;
mod calls;
mod ensemble;
mod error;
mod op;
pub(crate) mod proto;
mod tensor;

pub(crate) use builder::ML;
pub use builder::{Graph, Metadata, Value};
pub use error::GraphError;
pub use tensor::{Dim, ElementType, Tensor, TensorType};

#[cfg(test)]
mod tests;
