//! Scorers that look at one column at a time: histograms (HBOS) and the tails of the empirical distribution (ECOD).

use super::{
    Graph, GraphError, Tensor, Value,
    lookup::{Closed, Steps, add_steps, check_values, intervals, look_up},
    trees::check,
};

const HISTOGRAM: &str = "histogram";
const TAILS: &str = "tails";

/// What a scorer that looks at one column at a time says of a row.
#[derive(Clone, Debug)]
pub struct Sums {
    /// Batch × columns: what each column adds.
    pub parts: Value,
    /// Batch × 1: their sum.
    pub score: Value,
}

/// A score that is a sum of one step function for each column, such as −ln of the density of its bin: HBOS (Goldstein
/// and Dengel, 2012), or ECOD where a column's part depends on that column alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// One for each column.
    pub columns: Vec<Steps>,
    /// To which bin an edge belongs.
    pub closed: Closed,
}

impl Histogram {
    /// The parts of rows, batch × columns, and their sum.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Sums, GraphError> {
        let parts = add_steps(graph, HISTOGRAM, (rows, self.closed), &self.columns)?;
        let score = graph.sum(&parts, 1)?;
        Ok(Sums { parts, score })
    }
}

/// How surprising it is to be this far left or right in one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Where the distribution function changes, rising.
    pub edges: Vec<f64>,
    /// −ln P(X ≤ x) before the first edge, between edges, and after the last: one more than edges.
    pub left: Vec<f64>,
    /// −ln P(X ≥ x), as many.
    pub right: Vec<f64>,
    /// The tail that counts where each column's own matters: the left one where the column is skewed to the left.
    pub skewed: Side,
    /// Both where there is no number.
    pub missing: f64,
}

/// One side of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Small values.
    Left,
    /// Large values.
    Right,
}

/// ECOD as in its paper (Li, Zhao, Hu, Botta, Ionescu and Chen, 2022, algorithm 1): the largest of the sums of left
/// tails, of right tails, and of each column's skewed tail.
#[derive(Clone, Debug, PartialEq)]
pub struct Tails {
    /// One for each column.
    pub columns: Vec<Tail>,
    /// To which interval an edge belongs; `Left` where the function includes what is equal.
    pub closed: Closed,
}

impl Tails {
    /// The score of rows, batch × columns, and its parts: those of the sum that is largest, the left before the right
    /// before the skewed where they are equal.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Sums, GraphError> {
        check(TAILS, "columns", rows.width(TAILS)?, self.columns.len())?;
        for (column, tail) in self.columns.iter().enumerate() {
            check_values(TAILS, column, &tail.edges, &tail.left)?;
            check_values(TAILS, column, &tail.edges, &tail.right)?;
        }
        let edges: Vec<&[f64]> = self.columns.iter().map(|tail| tail.edges.as_slice()).collect();
        let numbers = intervals(graph, TAILS, rows, &edges, self.closed)?;
        let mut side = |hint: &str, values: fn(&Tail) -> &[f64]| {
            let table =
                |tail: &Tail| values(tail).iter().copied().chain([tail.missing]).collect::<Vec<f64>>();
            let table: Vec<f64> = self.columns.iter().flat_map(table).collect();
            look_up(graph, hint, &table, (&numbers, rows))
        };
        let left = side("left_tail", |tail| &tail.left)?;
        let right = side("right_tail", |tail| &tail.right)?;
        let is_left = self.columns.iter().map(|tail| tail.skewed == Side::Left).collect();
        let is_left = graph.constant("skewed_left", Tensor::bool(&[self.columns.len()], is_left)?);
        let skewed = graph.choose(&is_left, &left, &right)?;
        let outer = larger(graph, (&left, &right))?;
        let parts = larger(graph, (&outer, &skewed))?;
        let score = graph.sum(&parts, 1)?;
        Ok(Sums { parts, score })
    }
}

/// Row by row, the one whose sum is larger, the first where they are equal.
fn larger(graph: &mut Graph, (a, b): (&Value, &Value)) -> Result<Value, GraphError> {
    let (of_a, of_b) = (graph.sum(a, 1)?, graph.sum(b, 1)?);
    let second = graph.less(&of_a, &of_b)?;
    graph.choose(&second, b, a)
}
