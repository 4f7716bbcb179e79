//! Linear models: regression, logistic regression, multinomial regression, and what each column contributes.

use super::{
    Graph, GraphError, Value,
    trees::{Link, check},
};

const FAMILY: &str = "linear";

/// A linear model: `link(x · weights + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Columns × targets, row by row.
    pub weights: Vec<f64>,
    /// One for each target.
    pub bias: Vec<f64>,
    /// What becomes of the sums.
    pub link: Link,
}

impl Linear {
    /// Batch × targets from batch × columns.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        let score = self.score(graph, rows)?;
        self.link.add(graph, &score)
    }

    fn score(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        let (columns, targets) = (rows.width(FAMILY)?, self.bias.len());
        check(FAMILY, "weights", columns * targets, self.weights.len())?;
        affine(graph, rows, (&self.weights, &self.bias))
    }

    /// Batch × columns for a model with one target: `weight · (x − reference)`, which adds up to the score less that
    /// of a row that is the reference everywhere, before the link (the Shapley value of a linear model where columns are
    /// independent and the reference is their mean; Štrumbelj and Kononenko, 2014).
    pub fn add_reasons(
        &self,
        graph: &mut Graph,
        rows: &Value,
        reference: &[f64],
    ) -> Result<Value, GraphError> {
        let columns = rows.width(FAMILY)?;
        check(FAMILY, "targets where reasons are wanted", 1, self.bias.len())?;
        check(FAMILY, "weights", columns, self.weights.len())?;
        check(FAMILY, "elements of the reference", columns, reference.len())?;
        let reference = graph.floats("reference", rows, &[columns], reference)?;
        let weights = graph.floats("weights", rows, &[columns], &self.weights)?;
        let apart = graph.sub(rows, &reference)?;
        graph.mul(&apart, &weights)
    }
}

/// rows · weights + bias; the weights are columns × targets, row by row, and as many as that.
pub(super) fn affine(
    graph: &mut Graph,
    rows: &Value,
    (weights, bias): (&[f64], &[f64]),
) -> Result<Value, GraphError> {
    let (columns, targets) = (weights.len() / bias.len().max(1), bias.len());
    let weights = graph.floats("weights", rows, &[columns, targets], weights)?;
    let bias = graph.floats("bias", rows, &[targets], bias)?;
    let product = graph.matmul(rows, &weights)?;
    graph.add(&product, &bias)
}
