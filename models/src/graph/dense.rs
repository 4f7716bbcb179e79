//! Dense networks: a trunk with heads, and autoencoders that say which column they could not repeat.

use super::{Graph, GraphError, Value, linear::affine, trees::check};

const FAMILY: &str = "dense network";

/// One layer: `activation(x · weights + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Inputs × outputs, row by row. (PyTorch's `Linear` keeps outputs × inputs.)
    pub weights: Vec<f64>,
    /// One for each output.
    pub bias: Vec<f64>,
    /// What follows.
    pub activation: Activation,
}

/// What follows a layer's sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(s, 0)
    Relu,
    /// s where it is positive, else this slope times s; the slope is between 0 and 1.
    LeakyRelu(f64),
    /// tanh s
    Tanh,
    /// 1 / (1 + e⁻ˢ)
    Sigmoid,
    /// s / (1 + e⁻ˢ), also called swish.
    Silu,
    /// ln(1 + eˢ)
    Softplus,
    /// eˢ / Σ eˢ over the outputs.
    Softmax,
}

impl Activation {
    fn add(self, graph: &mut Graph, sums: &Value) -> Result<Value, GraphError> {
        match self {
            Self::Identity => Ok(sums.clone()),
            Self::Relu => graph.relu(sums),
            Self::LeakyRelu(slope) => {
                if !(0.0..=1.0).contains(&slope) {
                    return Err(GraphError::table(
                        FAMILY,
                        format!("a slope is between 0 and 1, not {slope}"),
                    ));
                }
                let slope = graph.scalar("slope", sums, slope)?;
                let small = graph.mul(sums, &slope)?;
                graph.max(sums, &small)
            }
            Self::Tanh => graph.tanh(sums),
            Self::Sigmoid => graph.sigmoid(sums),
            Self::Silu => silu(graph, sums),
            Self::Softplus => softplus(graph, sums),
            Self::Softmax => graph.softmax(sums),
        }
    }
}

/// s / (1 + e⁻ˢ). As s times its sigmoid ONNX Runtime would fuse it into an operator that it has for float only, and then
/// not load it.
fn silu(graph: &mut Graph, sums: &Value) -> Result<Value, GraphError> {
    let negative = graph.neg(sums)?;
    let exp = graph.exp(&negative)?;
    let one = graph.scalar("one", sums, 1.0)?;
    let more = graph.add(&one, &exp)?;
    graph.div(sums, &more)
}

/// max(s, 0) + ln(1 + e^−|s|), which never overflows. ONNX Runtime's own works on float only.
fn softplus(graph: &mut Graph, sums: &Value) -> Result<Value, GraphError> {
    let size = graph.abs(sums)?;
    let negative = graph.neg(&size)?;
    let exp = graph.exp(&negative)?;
    let one = graph.scalar("one", sums, 1.0)?;
    let more = graph.add(&one, &exp)?;
    let log = graph.log(&more)?;
    let positive = graph.relu(sums)?;
    graph.add(&positive, &log)
}

/// Layers one after another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dense {
    /// In the order they are applied.
    pub layers: Vec<Layer>,
}

impl Dense {
    /// Batch × outputs of the last layer from batch × columns. The network calculates in the element type of its
    /// rows; cast them to float where it was trained in float.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        let mut value = rows.clone();
        for (number, layer) in self.layers.iter().enumerate() {
            let (inputs, outputs) = (value.width(FAMILY)?, layer.bias.len());
            if outputs < 1 || layer.weights.len() != inputs * outputs {
                let found = layer.weights.len();
                let reason =
                    format!("layer {number} has {found} weights for {inputs} inputs × {outputs} outputs");
                return Err(GraphError::table(FAMILY, reason));
            }
            let sums = affine(graph, &value, (&layer.weights, &layer.bias))?;
            value = layer.activation.add(graph, &sums)?;
        }
        Ok(value)
    }
}

/// A network with several answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// What all answers share.
    pub trunk: Dense,
    /// One for each answer.
    pub heads: Vec<Dense>,
}

impl Network {
    /// Each head's answer, batch × its outputs.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Vec<Value>, GraphError> {
        let shared = self.trunk.add(graph, rows)?;
        self.heads.iter().map(|head| head.add(graph, &shared)).collect()
    }
}

/// A network that repeats its input, and what its errors are usually.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Autoencoder {
    /// As many outputs as inputs.
    pub network: Dense,
    /// The mean squared error of each column on ordinary rows, by which its error is divided, so that columns that
    /// nobody can repeat count no more than others; empty where errors count as they are.
    pub usual_error: Vec<f64>,
}

/// What an autoencoder says of a row.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// Batch × columns: the squared error of each.
    pub errors: Value,
    /// Batch × 1: their mean.
    pub score: Value,
}

impl Autoencoder {
    /// The errors of rows, batch × columns, in their element type.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Reconstruction, GraphError> {
        let columns = rows.width(FAMILY)?;
        let repeated = self.network.add(graph, rows)?;
        check(FAMILY, "columns repeated", columns, repeated.width(FAMILY)?)?;
        let apart = graph.sub(rows, &repeated)?;
        let mut errors = graph.mul(&apart, &apart)?;
        if !self.usual_error.is_empty() {
            check(FAMILY, "usual errors", columns, self.usual_error.len())?;
            if let Some(column) =
                self.usual_error.iter().position(|error| !(0.0 < *error && error.is_finite()))
            {
                let reason = format!("the usual error of column {column} must be above 0 and finite");
                return Err(GraphError::table(FAMILY, reason));
            }
            let usual = graph.floats("usual_error", rows, &[columns], &self.usual_error)?;
            errors = graph.div(&errors, &usual)?;
        }
        let score = graph.mean(&errors, 1)?;
        Ok(Reconstruction { errors, score })
    }
}
