//! Functions of one number given by a table: steps and broken lines, one for each column, all looked up at once.
//!
//! Each column has a balanced tree that finds the number of its interval, and all of them are one `TreeEnsemble` node;
//! the numbers then index the tables. So a lookup in k intervals takes log₂ k comparisons and no memory for each of
//! them, and its values are exact whatever the trees' dialect, because only whole numbers go through the trees.

use super::{
    ElementType, Graph, GraphError, Tensor, Value,
    ensemble::{Branch, Ensemble, Rule},
};

/// A float counts no further, and so interval numbers end there.
const COUNTABLE: usize = 1 << 24;

/// To which interval an edge belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// To the one on its left: (a, b].
    Right,
    /// To the one on its right: [a, b), as in the empirical distribution function.
    Left,
}

/// A function that is constant between edges.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// Where it changes, rising.
    pub edges: Vec<f64>,
    /// Its value before the first edge, between edges, and after the last: one more than edges.
    pub values: Vec<f64>,
    /// Its value where there is no number.
    pub missing: f64,
}

/// A function that is linear between its knots and constant before the first and after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    /// Where its knots are, rising; at least one.
    pub x: Vec<f64>,
    /// Its value at each knot.
    pub y: Vec<f64>,
    /// Its value where there is no number.
    pub missing: f64,
}

impl Segments {
    /// Its value here, as the graph computes it.
    pub fn at(&self, x: f64) -> f64 {
        if x.is_nan() {
            return self.missing;
        }
        let (Some(first), Some(last)) = (self.x.first(), self.x.last()) else { return self.missing };
        let (from, value, slope) = self.piece(self.x.partition_point(|knot| *knot < x));
        value + (x.clamp(*first, *last) - from) * slope
    }

    /// Where the interval with this number begins, the value there, and how it rises.
    fn piece(&self, number: usize) -> (f64, f64, f64) {
        let last = self.x.len() - 1;
        if number == 0 || last < number {
            let end = number.min(last);
            return (self.x[end], self.y[end], 0.0);
        }
        let (from, to) = (number - 1, number);
        (self.x[from], self.y[from], (self.y[to] - self.y[from]) / (self.x[to] - self.x[from]))
    }

    fn check(&self, family: &'static str, column: usize) -> Result<(), GraphError> {
        if self.x.is_empty() || self.x.len() != self.y.len() {
            let (x, y) = (self.x.len(), self.y.len());
            return Err(GraphError::table(family, format!("column {column} has {x} knots with {y} values")));
        }
        let steep = (0..=self.x.len()).find(|number| !self.piece(*number).2.is_finite());
        if let Some(number) = steep {
            let reason = format!("column {column} rises beyond measure before knot {number}");
            return Err(GraphError::table(family, reason));
        }
        Ok(())
    }
}

/// The interval of every element of `rows` in the edges of its column, numbered through all columns; a column with k
/// edges has k + 1 intervals and then a number for what is missing.
pub(super) fn intervals(
    graph: &mut Graph,
    family: &'static str,
    rows: &Value,
    edges: &[&[f64]],
    closed: Closed,
) -> Result<Value, GraphError> {
    let width = rows.width(family)?;
    if width != edges.len() {
        let reason = format!("it has tables for {} columns, and the rows have {width}", edges.len());
        return Err(GraphError::table(family, reason));
    }
    let mut trees = Trees { nodes: Vec::new(), next: 0 };
    let mut roots = Vec::new();
    for (column, edges) in edges.iter().enumerate() {
        let rising = edges.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || edges.iter().any(|edge| !edge.is_finite()) {
            let reason = format!("the edges of column {column} must be finite and rise");
            return Err(GraphError::table(family, reason));
        }
        let edges: Vec<f64> = match closed {
            Closed::Right => edges.to_vec(),
            // For floats, x < edge is the same as x ≤ the float before it.
            Closed::Left => edges.iter().map(|edge| edge.next_down()).collect(),
        };
        roots.push(trees.column(column, &edges));
    }
    if COUNTABLE < trees.next {
        return Err(GraphError::table(family, format!("{} intervals are more than {COUNTABLE}", trees.next)));
    }
    let trees = Ensemble { family, targets: width, roots, nodes: trees.nodes };
    let numbers = graph.apply_ensemble(trees, rows)?;
    graph.cast(&numbers, ElementType::I64)
}

struct Trees {
    nodes: Vec<Branch>,
    /// The number of the next interval.
    next: usize,
}

impl Trees {
    /// Every number is at most infinity; only what is missing is not.
    fn column(&mut self, feature: usize, edges: &[f64]) -> usize {
        let root = self.split(feature, f64::INFINITY);
        let left = self.between(feature, edges);
        let right = self.leaf(feature);
        self.join(root, left, right);
        root
    }

    fn between(&mut self, feature: usize, edges: &[f64]) -> usize {
        if edges.is_empty() {
            return self.leaf(feature);
        }
        let middle = edges.len() / 2;
        let place = self.split(feature, edges[middle]);
        let left = self.between(feature, &edges[..middle]);
        let right = self.between(feature, &edges[middle + 1..]);
        self.join(place, left, right);
        place
    }

    fn split(&mut self, feature: usize, edge: f64) -> usize {
        let rule = Rule::AtMost(edge);
        self.nodes.push(Branch::Split { feature, rule, missing_left: false, left: 0, right: 0 });
        self.nodes.len() - 1
    }

    fn join(&mut self, place: usize, to_left: usize, to_right: usize) {
        if let Branch::Split { left, right, .. } = &mut self.nodes[place] {
            (*left, *right) = (to_left, to_right);
        }
    }

    fn leaf(&mut self, target: usize) -> usize {
        self.nodes.push(Branch::Leaf(vec![(target, self.next as f64)]));
        self.next += 1;
        self.nodes.len() - 1
    }
}

/// What a table says at numbers of intervals.
pub(super) fn look_up(
    graph: &mut Graph,
    hint: &str,
    table: &[f64],
    (numbers, like): (&Value, &Value),
) -> Result<Value, GraphError> {
    let table = graph.floats(hint, like, &[table.len()], table)?;
    graph.gather(&table, 0, numbers)
}

/// Steps applied to the columns of `rows`, one to each.
pub(super) fn add_steps(
    graph: &mut Graph,
    family: &'static str,
    (rows, closed): (&Value, Closed),
    steps: &[Steps],
) -> Result<Value, GraphError> {
    for (column, steps) in steps.iter().enumerate() {
        check_values(family, column, &steps.edges, &steps.values)?;
    }
    let edges: Vec<&[f64]> = steps.iter().map(|steps| steps.edges.as_slice()).collect();
    let numbers = intervals(graph, family, rows, &edges, closed)?;
    let table: Vec<f64> =
        steps.iter().flat_map(|steps| steps.values.iter().copied().chain([steps.missing])).collect();
    look_up(graph, "steps", &table, (&numbers, rows))
}

/// Whether there is one value more than edges.
pub(super) fn check_values(
    family: &'static str,
    column: usize,
    edges: &[f64],
    values: &[f64],
) -> Result<(), GraphError> {
    if edges.len() + 1 == values.len() {
        return Ok(());
    }
    let (edges, values) = (edges.len(), values.len());
    let reason =
        format!("column {column} has {edges} edges and {values} values; there must be one more value");
    Err(GraphError::table(family, reason))
}

/// Broken lines applied to the columns of `rows`, one to each.
pub(super) fn add_segments(
    graph: &mut Graph,
    family: &'static str,
    rows: &Value,
    lines: &[Segments],
) -> Result<Value, GraphError> {
    let (mut from, mut value, mut slope) = (Vec::new(), Vec::new(), Vec::new());
    for (column, line) in lines.iter().enumerate() {
        line.check(family, column)?;
        let pieces = (0..=line.x.len()).map(|number| line.piece(number));
        for (x, y, rise) in pieces.chain([(0.0, 0.0, 0.0)]) {
            from.push(x);
            value.push(y);
            slope.push(rise);
        }
    }
    let edges: Vec<&[f64]> = lines.iter().map(|line| line.x.as_slice()).collect();
    let numbers = intervals(graph, family, rows, &edges, Closed::Right)?;
    let ends = |end: fn(&[f64]) -> Option<&f64>| -> Vec<f64> {
        lines.iter().map(|line| end(&line.x).copied().unwrap_or_default()).collect()
    };
    let first = graph.floats("first_knot", rows, &[lines.len()], &ends(<[f64]>::first))?;
    let last = graph.floats("last_knot", rows, &[lines.len()], &ends(<[f64]>::last))?;
    // An infinity times a slope of zero would be no number.
    let below = graph.min(rows, &last)?;
    let within = graph.max(&below, &first)?;
    let from = look_up(graph, "piece_begins", &from, (&numbers, rows))?;
    let value = look_up(graph, "piece_value", &value, (&numbers, rows))?;
    let slope = look_up(graph, "piece_slope", &slope, (&numbers, rows))?;
    let along = graph.sub(&within, &from)?;
    let rise = graph.mul(&along, &slope)?;
    let result = graph.add(&value, &rise)?;
    let missing: Vec<f64> = lines.iter().map(|line| line.missing).collect();
    if missing.iter().all(|missing| missing.is_nan()) {
        return Ok(result);
    }
    fill(graph, (rows, &result), &missing)
}

/// `result`, and where the rows have no number, what stands for it in that column.
pub(super) fn fill(
    graph: &mut Graph,
    (rows, result): (&Value, &Value),
    missing: &[f64],
) -> Result<Value, GraphError> {
    let missing = graph.constant("missing", Tensor::floats(rows.element(), &[missing.len()], missing)?);
    let is_missing = graph.is_nan(rows)?;
    graph.choose(&is_missing, &missing, result)
}
