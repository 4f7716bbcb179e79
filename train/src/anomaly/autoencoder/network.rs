//! A dense network as plain numbers, and how it is computed: each output's sum in one order, whatever the machine.

use models::graph::dense::{self, Activation, Dense};

/// One dense layer: outputs = inputs × weights + biases.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// How many inputs it has.
    pub inputs: usize,
    /// How many outputs it has.
    pub outputs: usize,
    /// One row of `outputs` weights for each input.
    pub weights: Vec<f32>,
    /// One for each output.
    pub biases: Vec<f32>,
}

/// Dense layers one after another, with max(0, ·) between them and nothing after the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

impl Layer {
    fn apply(&self, inputs: &[f32]) -> Vec<f32> {
        let mut outputs = self.biases.clone();
        for (input, weights) in inputs.iter().zip(self.weights.chunks_exact(self.outputs)) {
            outputs.iter_mut().zip(weights).for_each(|(output, weight)| *output += input * weight);
        }
        outputs
    }
}

impl Network {
    /// The same as a table that graphs are built from.
    #[must_use]
    pub fn table(&self) -> Dense {
        let layer = |(at, layer): (usize, &Layer)| dense::Layer {
            weights: layer.weights.iter().copied().map(f64::from).collect(),
            bias: layer.biases.iter().copied().map(f64::from).collect(),
            activation: if at + 1 < self.layers.len() { Activation::Relu } else { Activation::Identity },
        };
        Dense { layers: self.layers.iter().enumerate().map(layer).collect() }
    }

    /// What the network makes of one row.
    #[must_use]
    pub fn apply(&self, row: &[f32]) -> Vec<f32> {
        let mut values = row.to_vec();
        for (at, layer) in self.layers.iter().enumerate() {
            if 0 < at {
                values.iter_mut().for_each(|value| *value = value.max(0.0));
            }
            values = layer.apply(&values);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_multiplied_added_and_cut_at_zero() {
        let first =
            Layer { inputs: 2, outputs: 2, weights: vec![1.0, -1.0, 2.0, 0.5], biases: vec![0.5, 0.0] };
        let last = Layer { inputs: 2, outputs: 1, weights: vec![10.0, 100.0], biases: vec![-3.0] };
        let network = Network { layers: vec![first, last] };
        assert_eq!(network.apply(&[1.0, 2.0]), [52.0]);
        assert_eq!(network.apply(&[-9.0, 2.0]), [997.0]);
    }
}
