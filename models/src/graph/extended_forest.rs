//! Extended isolation forests, whose splits are hyperplanes: one product projects each row onto all of them, and the
//! rest is an ordinary forest over the projections.

use super::{
    Graph, GraphError, Tensor, Value,
    isolation_forest::{Cut, Isolation, Reasons, Shape},
    trees::check,
};

const FAMILY: &str = "extended isolation forest";

/// An extended isolation forest (Hariri, Carrasco Kind and Brunner, 2019) as flat tables: row i of each describes
/// node i.
///
/// A batch costs rows × planes numbers of memory, so forests whose splits choose among a few hundred directions are
/// much faster here than forests where each split has its own, and no less random.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtendedForest {
    /// The first node of each tree.
    pub roots: Vec<u32>,
    /// The direction that a node projects onto, a row of `planes`, or −1 for a leaf.
    pub plane: Vec<i32>,
    /// `direction · x ≤ threshold` goes left; a row with a missing value goes right.
    pub threshold: Vec<f64>,
    /// The node where that holds; anything at a leaf.
    pub left: Vec<u32>,
    /// The other one.
    pub right: Vec<u32>,
    /// How many rows of the tree's sample reached the node.
    pub samples: Vec<u32>,
    /// Directions × columns, row by row.
    pub planes: Vec<f64>,
    /// The spread (standard deviation) of each column in units of its own. Reasons share a split's credit out by
    /// |element of the direction| · spread, which is how much of the projection a column usually is.
    pub spreads: Vec<f64>,
    /// How many rows each tree was grown from (ψ), at least 2.
    pub sample_size: u32,
}

impl ExtendedForest {
    /// The score of rows, batch × columns, and its reasons. The projections are sums whose last digit depends on their
    /// order, so that a row within rounding of a plane may pass on either side.
    pub fn add(&self, graph: &mut Graph, rows: &Value, reasons: Reasons) -> Result<Isolation, GraphError> {
        let columns = rows.width(FAMILY)?;
        let count = self.planes.len() / columns.max(1);
        check(FAMILY, "elements of planes", count.max(1) * columns, self.planes.len())?;
        check(FAMILY, "thresholds", self.plane.len(), self.threshold.len())?;
        check(FAMILY, "spreads of columns", columns, self.spreads.len())?;
        if let Some(at) = self.planes.iter().position(|element| !element.is_finite()) {
            return Err(GraphError::table(FAMILY, format!("plane {} is not finite", at / columns)));
        }
        let plane_of = |node: usize| usize::try_from(self.plane[node]).ok();
        if let Some(node) = (0..self.plane.len()).find(|it| plane_of(*it).is_some_and(|plane| count <= plane))
        {
            let reason = format!("node {node} asks for plane {} of {count}", self.plane[node]);
            return Err(GraphError::table(FAMILY, reason));
        }
        let across: Vec<f64> = (0..columns)
            .flat_map(|column| self.planes.iter().skip(column).step_by(columns).copied())
            .collect();
        let planes = Tensor::floats(rows.element(), &[columns, count], &across)?;
        let planes = graph.constant("planes", planes);
        let projections = graph.matmul(rows, &planes)?;
        let cut = |node: usize| {
            let threshold = self.threshold[node];
            plane_of(node).map(|column| Cut { column, threshold, missing_left: false })
        };
        let shape = Shape {
            family: FAMILY,
            roots: &self.roots,
            splits: (0..self.plane.len()).map(cut).collect(),
            left: &self.left,
            right: &self.right,
            samples: &self.samples,
            sample_size: self.sample_size,
        };
        let shares = |node: usize| {
            let plane = plane_of(node).unwrap_or_default();
            let direction = &self.planes[plane * columns..(plane + 1) * columns];
            shares_of(direction.iter().zip(&self.spreads).map(|(element, spread)| (element * spread).abs()))
        };
        shape.add(graph, (&projections, columns), reasons, shares)
    }
}

/// Each column's part of them all; those without any are left out, and where none has any, all have the same.
fn shares_of(sizes: impl Iterator<Item = f64>) -> Vec<(usize, f64)> {
    let sizes: Vec<f64> = sizes.collect();
    let whole: f64 = sizes.iter().sum();
    if 0.0 < whole {
        let shares = sizes.iter().map(|size| size / whole).enumerate();
        return shares.filter(|(_, share)| 0.0 < *share).collect();
    }
    (0..sizes.len()).map(|column| (column, 1.0 / sizes.len() as f64)).collect()
}
