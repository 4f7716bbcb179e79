//! Isolation forests with their reasons: one tree-ensemble node gives how far a row travels and which feature cut it
//! short.

use super::{
    Graph, GraphError, Value,
    ensemble::{Branch, Ensemble, Rule, preorder},
    trees::check,
};

const FAMILY: &str = "isolation forest";

/// An isolation forest as flat tables: row i of each describes node i.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IsolationForest {
    /// The first node of each tree.
    pub roots: Vec<u32>,
    /// The column that a node asks for, or −1 for a leaf.
    pub feature: Vec<i32>,
    /// `x ≤ threshold` goes left.
    pub threshold: Vec<f64>,
    /// The node where that holds; anything at a leaf.
    pub left: Vec<u32>,
    /// The other one.
    pub right: Vec<u32>,
    /// How many rows of the tree's sample reached the node.
    pub samples: Vec<u32>,
    /// Whether a missing value (NaN) goes left; empty where it goes right everywhere.
    pub missing_left: Vec<bool>,
    /// How many rows each tree was grown from (ψ), at least 2.
    pub sample_size: u32,
}

/// What a forest says of a row.
#[derive(Clone, Debug)]
pub struct Isolation {
    /// Batch × 1: 2^(−mean path / c(ψ)), 1 for what is isolated at once and about 0.5 for the ordinary.
    pub score: Value,
    /// Batch × columns: how much each column raises log₂ of the score.
    pub reasons: Option<Value>,
    /// What log₂ of the score is before any column has spoken: `log₂ score = base + Σ reasons`.
    pub base: f64,
}

/// Whether reasons are wanted; they make the leaves larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasons {
    /// The score only.
    Without,
    /// The score, and what each column adds to it.
    With,
}

/// c(n), the mean depth of a leaf in a search tree of n random keys, which is how far a row would travel on from a leaf
/// that n rows share: 2 H(n − 1) − 2 (n − 1) / n with H(i) ≈ ln i + γ (Liu, Ting and Zhou, Isolation Forest, 2008,
/// equation 1), and exactly 1 for n = 2.
pub fn average_path_length(n: u32) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = f64::from(n);
            2.0 * ((n - 1.0).ln() + EULER_GAMMA) - 2.0 * (n - 1.0) / n
        }
    }
}

impl IsolationForest {
    /// The score of rows, batch × columns, and its reasons.
    ///
    /// A node's expected path is the mean of depth + c(n) over its leaves, weighted by the rows of the sample. A split
    /// changes it from the node's to the child's, and that change is credited to the split's feature (as Saabas' tree
    /// interpreter does with predictions). Along a path the changes add up to the leaf's own path less the root's
    /// expected path, so that with the signs turned and in units of trees · c(ψ) the reasons add up to log₂ of the
    /// score. A leaf carries the credits of the features on its path only.
    pub fn add(&self, graph: &mut Graph, rows: &Value, reasons: Reasons) -> Result<Isolation, GraphError> {
        let nodes = self.feature.len();
        check(FAMILY, "thresholds", nodes, self.threshold.len())?;
        if !self.missing_left.is_empty() {
            check(FAMILY, "ways of missing values", nodes, self.missing_left.len())?;
        }
        let splits: Vec<Option<Cut>> = (0..nodes).map(|node| self.cut(node)).collect();
        let shape = Shape {
            family: FAMILY,
            roots: &self.roots,
            splits,
            left: &self.left,
            right: &self.right,
            samples: &self.samples,
            sample_size: self.sample_size,
        };
        let credits = |node: usize| vec![(self.feature[node].max(0) as usize, 1.0)];
        shape.add(graph, (rows, rows.width(FAMILY)?), reasons, credits)
    }

    fn cut(&self, node: usize) -> Option<Cut> {
        let column = usize::try_from(self.feature[node]).ok()?;
        let missing_left = self.missing_left.get(node).copied().unwrap_or_default();
        Some(Cut { column, threshold: self.threshold[node], missing_left })
    }
}

/// What a node asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub column: usize,
    pub threshold: f64,
    pub missing_left: bool,
}

/// What ordinary and extended forests have in common.
pub(super) struct Shape<'a> {
    pub family: &'static str,
    pub roots: &'a [u32],
    /// What each node asks; nothing at leaves.
    pub splits: Vec<Option<Cut>>,
    pub left: &'a [u32],
    pub right: &'a [u32],
    pub samples: &'a [u32],
    pub sample_size: u32,
}

/// Each node's depth and expected path, and those of the roots together.
struct Paths {
    order: Vec<usize>,
    depth: Vec<u32>,
    expected: Vec<f64>,
    base: f64,
}

impl Shape<'_> {
    /// Adds the forest over the columns of `rows` with reasons for `features` columns. `credits` shares the credit of a
    /// split out among features.
    pub(super) fn add(
        &self,
        graph: &mut Graph,
        (rows, features): (&Value, usize),
        reasons: Reasons,
        credits: impl Fn(usize) -> Vec<(usize, f64)>,
    ) -> Result<Isolation, GraphError> {
        let nodes = self.splits.len();
        let tables =
            [("left children", self.left), ("right children", self.right), ("sample counts", self.samples)];
        for (what, table) in tables {
            check(self.family, what, nodes, table.len())?;
        }
        if self.sample_size < 2 {
            return Err(GraphError::table(self.family, "trees are grown from at least 2 rows"));
        }
        let paths = self.paths()?;
        let branches = match reasons {
            Reasons::Without => self.branches(&paths, |_| Vec::new()),
            Reasons::With => self.branches(&paths, credits),
        };
        let targets = if reasons == Reasons::With { 1 + features } else { 1 };
        let roots = self.roots.iter().map(|root| *root as usize).collect();
        let trees = Ensemble { family: self.family, targets, roots, nodes: branches };
        let sums = graph.apply_ensemble(trees, rows)?;
        self.tail(graph, (&sums, features), reasons, paths.base)
    }

    /// From sums of paths, beyond what is expected, to the score.
    fn tail(
        &self,
        graph: &mut Graph,
        (sums, features): (&Value, usize),
        reasons: Reasons,
        base: f64,
    ) -> Result<Isolation, GraphError> {
        let unit = -1.0 / (self.roots.len() as f64 * average_path_length(self.sample_size));
        let scale = graph.scalar("log2_score_per_step", sums, unit)?;
        let scaled = graph.mul(sums, &scale)?;
        let excess = if reasons == Reasons::With { graph.columns(&scaled, &[0])? } else { scaled.clone() };
        let offset = graph.scalar("log2_score_expected", sums, base * unit)?;
        let exponent = graph.add(&excess, &offset)?;
        let two = graph.scalar("two", sums, 2.0)?;
        let score = graph.pow(&two, &exponent)?;
        let by_feature: Vec<usize> = (1..=features).collect();
        let reasons = match reasons {
            Reasons::With => Some(graph.columns(&scaled, &by_feature)?),
            Reasons::Without => None,
        };
        Ok(Isolation { score, reasons, base: base * unit })
    }

    fn children(&self, node: usize) -> Option<(usize, usize)> {
        self.splits[node].map(|_| (self.left[node] as usize, self.right[node] as usize))
    }

    fn paths(&self) -> Result<Paths, GraphError> {
        let roots: Vec<usize> = self.roots.iter().map(|root| *root as usize).collect();
        let order = preorder(self.family, &roots, self.splits.len(), |node| self.children(node))?;
        let (mut depth, mut expected) = (vec![0; self.splits.len()], vec![0.0; self.splits.len()]);
        for node in &order {
            if let Some((left, right)) = self.children(*node) {
                depth[left] = depth[*node] + 1;
                depth[right] = depth[*node] + 1;
            }
        }
        for node in order.iter().rev() {
            expected[*node] = match self.children(*node) {
                None => f64::from(depth[*node]) + average_path_length(self.samples[*node]),
                Some((left, right)) => {
                    let share = f64::from(self.samples[left])
                        / (f64::from(self.samples[left]) + f64::from(self.samples[right]));
                    let share = if share.is_nan() { 0.5 } else { share };
                    share * expected[left] + (1.0 - share) * expected[right]
                }
            };
        }
        let base = roots.iter().map(|root| expected[*root]).sum();
        Ok(Paths { order, depth, expected, base })
    }

    /// Target 0 of a leaf is its path beyond what is expected at the root; the others are what `credits` shares out.
    fn branches(&self, paths: &Paths, credits: impl Fn(usize) -> Vec<(usize, f64)>) -> Vec<Branch> {
        let mut branches = vec![Branch::Leaf(Vec::new()); self.splits.len()];
        // From the root to the node at hand: what was credited so far, by feature, and what the root expected.
        let mut ways: Vec<(f64, Vec<(usize, f64)>)> = vec![(f64::NAN, Vec::new()); self.splits.len()];
        for node in &paths.order {
            let (root, way) = std::mem::take(&mut ways[*node]);
            let here = paths.expected[*node];
            let root = if paths.depth[*node] == 0 { here } else { root };
            let (Some(cut), Some((left, right))) = (self.splits[*node], self.children(*node)) else {
                let mut weights = vec![(0, here - root)];
                weights.extend(way.into_iter().map(|(feature, credit)| (1 + feature, credit)));
                branches[*node] = Branch::Leaf(weights);
                continue;
            };
            for child in [left, right] {
                let mut way = way.clone();
                for (feature, share) in credits(*node) {
                    credit(&mut way, feature, share * (paths.expected[child] - here));
                }
                ways[child] = (root, way);
            }
            branches[*node] = Branch::Split {
                feature: cut.column,
                rule: Rule::AtMost(cut.threshold),
                missing_left: cut.missing_left,
                left,
                right,
            };
        }
        branches
    }
}

fn credit(way: &mut Vec<(usize, f64)>, feature: usize, change: f64) {
    match way.binary_search_by_key(&feature, |(feature, _)| *feature) {
        Ok(at) => way[at].1 += change,
        Err(at) => way.insert(at, (feature, change)),
    }
}
