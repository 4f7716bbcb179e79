//! Tails of a graph that make scores comparable: Platt's sigmoid, isotonic and other broken lines, and weighted means.

use super::{
    Graph, GraphError, Value,
    lookup::{Segments, add_segments},
    trees::check,
};

const FAMILY: &str = "calibration";

/// Platt's sigmoid: 1 / (1 + e^−(slope · score + offset)) (Platt, 1999, whose A and B are −slope and −offset).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Platt {
    /// Above zero where a higher score means a higher chance.
    pub slope: f64,
    /// Where the score is zero, ln of the odds.
    pub offset: f64,
}

impl Platt {
    /// The chance of each score; batch × columns in, the same out.
    pub fn add(self, graph: &mut Graph, scores: &Value) -> Result<Value, GraphError> {
        scores.width(FAMILY)?;
        if !self.slope.is_finite() || !self.offset.is_finite() {
            return Err(GraphError::table(FAMILY, format!("{self:?} is not finite")));
        }
        let slope = graph.scalar("platt_slope", scores, self.slope)?;
        let offset = graph.scalar("platt_offset", scores, self.offset)?;
        let steep = graph.mul(scores, &slope)?;
        let odds = graph.add(&steep, &offset)?;
        graph.sigmoid(&odds)
    }
}

/// One broken line for each column of scores: isotonic regression with linear interpolation, ranks among the scores of
/// training, quantile mappings.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// As many as columns.
    pub columns: Vec<Segments>,
}

impl Lines {
    /// What each line makes of its column; batch × columns in, the same out.
    pub fn add(&self, graph: &mut Graph, scores: &Value) -> Result<Value, GraphError> {
        add_segments(graph, FAMILY, scores, &self.columns)
    }
}

/// Isotonic regression of one score: a broken line that never falls.
#[derive(Clone, Debug, PartialEq)]
pub struct Isotonic {
    /// The line.
    pub line: Segments,
}

impl Isotonic {
    /// The chance of each score, batch × 1.
    pub fn add(&self, graph: &mut Graph, score: &Value) -> Result<Value, GraphError> {
        if let Some(knot) = self.line.y.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(GraphError::table(FAMILY, format!("an isotonic line falls after knot {knot}")));
        }
        add_segments(graph, FAMILY, score, std::slice::from_ref(&self.line))
    }
}

/// The weighted mean of several scores, each batch × 1; the weights need not add up to 1.
pub fn weighted_mean(graph: &mut Graph, scores: &[&Value], weights: &[f64]) -> Result<Value, GraphError> {
    check(FAMILY, "weights of scores", scores.len(), weights.len())?;
    let whole: f64 = weights.iter().sum();
    if weights.iter().any(|weight| *weight < 0.0) || !(0.0 < whole && whole.is_finite()) {
        return Err(GraphError::table(FAMILY, "weights are at least 0, and one of them is more"));
    }
    let beside = graph.concat(scores, 1)?;
    let shares: Vec<f64> = weights.iter().map(|weight| weight / whole).collect();
    let shares = graph.floats("shares", &beside, &[scores.len(), 1], &shares)?;
    graph.matmul(&beside, &shares)
}
