//! Why a graph cannot be built: what is wrong with it, and where.

use super::TensorType;

/// Why a graph, or a part of it, is refused. Nothing of it is written then.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// A value of another graph, or none at all.
    #[error(
        "{operator} is given the value {value}, which this graph does not have; values belong to the graph that made them"
    )]
    UnknownInput {
        /// The operator that would have used it.
        operator: &'static str,
        /// The value.
        value: String,
    },
    /// Two inputs, constants or outputs of one name.
    #[error("the name {name} is taken in this graph; inputs, constants and outputs need names of their own")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name that is empty.
    #[error("an input, a constant or an output has no name")]
    NoName,
    /// An operator does not work on what it is given.
    #[error("{operator} cannot work on {}: {reason}", list(inputs))]
    Operands {
        /// The operator.
        operator: &'static str,
        /// The types that it was given.
        inputs: Vec<TensorType>,
        /// What it needs.
        reason: String,
    },
    /// A tensor with more or fewer elements than its shape says.
    #[error("a tensor of shape {shape:?} has {expected} elements, and {found} are given")]
    Length {
        /// The shape.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A number that single precision cannot hold.
    #[error("{value} does not fit into single precision; build this model on double")]
    Overflow {
        /// The number.
        value: f64,
    },
    /// A graph without any output computes nothing.
    #[error("the graph has no output; name at least one")]
    NoOutput,
    /// A table of a family contradicts itself or the value that it is applied to.
    #[error("{family}: {reason}")]
    Table {
        /// The family.
        family: &'static str,
        /// What is wrong, with the place in the table.
        reason: String,
    },
}

impl GraphError {
    /// A family's complaint about its table.
    pub(super) fn table(family: &'static str, reason: impl Into<String>) -> Self {
        Self::Table { family, reason: reason.into() }
    }
}

fn list(types: &[TensorType]) -> String {
    let types: Vec<String> = types.iter().map(TensorType::to_string).collect();
    types.join(" and ")
}
