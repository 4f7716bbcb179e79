//! Tree ensembles: gradient-boosted trees and random forests for numbers, classes and several targets, as one node.

use super::{
    Graph, GraphError, Tensor, Value,
    ensemble::{Branch, Ensemble, Rule, preorder},
};

const FAMILY: &str = "trees";

/// Trees as flat tables: row i of each describes node i. A node that is not below a root is not used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trees {
    /// The first node of each tree.
    pub roots: Vec<u32>,
    /// The column that a node asks for, or −1 for a leaf.
    pub feature: Vec<i32>,
    /// `x ≤ threshold` goes left. Nodes that ask for a category do not look at it.
    pub threshold: Vec<f64>,
    /// The node where the rule holds; anything at a leaf.
    pub left: Vec<u32>,
    /// The other one.
    pub right: Vec<u32>,
    /// Whether a missing value (NaN) goes left; empty where it goes right everywhere.
    pub missing_left: Vec<bool>,
    /// The categories that go left, for nodes that ask for one; empty lists for the others, or no list at all. A column
    /// holds categories or numbers, never both.
    pub categories: Vec<Vec<u32>>,
    /// What the leaves hold.
    pub leaves: Leaves,
    /// What is added to each target; its length says how many targets there are.
    pub base: Vec<f64>,
    /// How trees are put together.
    pub combine: Combine,
    /// What becomes of the sums.
    pub link: Link,
}

/// What leaves hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaves {
    /// Each tree speaks of one target, as boosted trees do.
    OneTarget {
        /// The target of each tree.
        target: Vec<u32>,
        /// The value of each node; it matters at leaves only.
        value: Vec<f64>,
    },
    /// Each leaf has a value for every target, as in a forest of class frequencies: nodes × targets, row by row.
    Vectors(Vec<f64>),
}

impl Default for Leaves {
    fn default() -> Self {
        Self::Vectors(Vec::new())
    }
}

/// How the values of the trees are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// They add up, as boosted trees do.
    #[default]
    Sum,
    /// Their mean over all trees, as in a random forest.
    Mean,
}

/// What becomes of a linear score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// It is the answer.
    #[default]
    Identity,
    /// The chance of each target by itself: 1 / (1 + e⁻ˢ). With one target, that of the positive class.
    Logistic,
    /// eˢ, the mean where the score is its logarithm.
    Exponential,
    /// The chances of targets that exclude each other.
    Softmax,
}

impl Link {
    pub(super) fn add(self, graph: &mut Graph, score: &Value) -> Result<Value, GraphError> {
        match self {
            Self::Identity => Ok(score.clone()),
            Self::Logistic => graph.sigmoid(score),
            Self::Exponential => graph.exp(score),
            Self::Softmax => graph.softmax(score),
        }
    }
}

impl Trees {
    /// Batch × targets from batch × columns. On double the thresholds are as they are. On float they are rounded down
    /// to a float, so that no float value changes sides; trees that were learned from doubles belong on double, because
    /// rounding the values themselves changes sides too.
    pub fn add(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        self.check_lengths()?;
        let trees = Ensemble {
            family: FAMILY,
            targets: self.base.len(),
            roots: self.roots.iter().map(|root| *root as usize).collect(),
            nodes: self.nodes()?,
        };
        let rows = &self.whole_categories(graph, rows)?;
        let mut score = graph.apply_ensemble(trees, rows)?;
        if self.combine == Combine::Mean {
            let count = graph.scalar("trees", rows, self.roots.len() as f64)?;
            score = graph.div(&score, &count)?;
        }
        if self.base.iter().any(|base| base.abs() != 0.0) {
            let base = graph.floats("base", rows, &[self.base.len()], &self.base)?;
            score = graph.add(&score, &base)?;
        }
        self.link.add(graph, &score)
    }

    /// The rows with −1, which is no category, where a column of categories holds a fraction: ONNX Runtime takes 2.7 for 2
    /// where it looks for it in a large set.
    fn whole_categories(&self, graph: &mut Graph, rows: &Value) -> Result<Value, GraphError> {
        let width = rows.width(FAMILY)?;
        let (mut categories, mut numbers) = (vec![false; width], vec![false; width]);
        for (node, feature) in self.feature.iter().enumerate() {
            let of = if self.asks_for_category(node) { &mut categories } else { &mut numbers };
            if let Some(asked) = usize::try_from(*feature).ok().and_then(|feature| of.get_mut(feature)) {
                *asked = true;
            }
        }
        if let Some(column) = (0..width).find(|column| categories[*column] && numbers[*column]) {
            let reason =
                format!("column {column} is asked for a category and for a number; it can be one of them");
            return Err(GraphError::table(FAMILY, reason));
        }
        if !categories.contains(&true) {
            return Ok(rows.clone());
        }
        let whole = graph.floor(rows)?;
        let is_fraction = graph.less(&whole, rows)?;
        let is_category = graph.constant("is_category", Tensor::bool(&[width], categories)?);
        let is_none = graph.and(&is_fraction, &is_category)?;
        let none = graph.scalar("no_category", rows, -1.0)?;
        graph.choose(&is_none, &none, rows)
    }

    fn asks_for_category(&self, node: usize) -> bool {
        self.categories.get(node).is_some_and(|set| !set.is_empty())
    }

    fn is_leaf(&self, node: usize) -> bool {
        self.feature[node] < 0
    }

    fn nodes(&self) -> Result<Vec<Branch>, GraphError> {
        let mut nodes = vec![Branch::Leaf(Vec::new()); self.feature.len()];
        for (tree, root) in self.roots.iter().enumerate() {
            let children = |node: usize| {
                (!self.is_leaf(node)).then(|| (self.left[node] as usize, self.right[node] as usize))
            };
            for node in preorder(FAMILY, &[*root as usize], nodes.len(), children)? {
                nodes[node] =
                    if self.is_leaf(node) { Branch::Leaf(self.leaf(tree, node)) } else { self.split(node) };
            }
        }
        Ok(nodes)
    }

    fn split(&self, node: usize) -> Branch {
        let rule = if self.asks_for_category(node) {
            Rule::Among(self.categories[node].iter().map(|category| f64::from(*category)).collect())
        } else {
            Rule::AtMost(self.threshold[node])
        };
        Branch::Split {
            feature: self.feature[node] as usize,
            rule,
            missing_left: self.missing_left.get(node).copied().unwrap_or_default(),
            left: self.left[node] as usize,
            right: self.right[node] as usize,
        }
    }

    fn leaf(&self, tree: usize, node: usize) -> Vec<(usize, f64)> {
        match &self.leaves {
            Leaves::OneTarget { target, value } => vec![(target[tree] as usize, value[node])],
            Leaves::Vectors(values) => {
                let targets = self.base.len();
                let row = &values[node * targets..(node + 1) * targets];
                row.iter().copied().enumerate().filter(|(_, value)| value.abs() != 0.0).collect()
            }
        }
    }

    fn check_lengths(&self) -> Result<(), GraphError> {
        let nodes = self.feature.len();
        let leaves = match &self.leaves {
            Leaves::OneTarget { target, value } => {
                check(FAMILY, "targets of trees", self.roots.len(), target.len())?;
                ("values of nodes", nodes, value.len())
            }
            Leaves::Vectors(values) => ("values of nodes", nodes * self.base.len(), values.len()),
        };
        let optional = |found: usize| if found == 0 { 0 } else { nodes };
        let tables = [
            ("thresholds", nodes, self.threshold.len()),
            ("left children", nodes, self.left.len()),
            ("right children", nodes, self.right.len()),
            ("ways of missing values", optional(self.missing_left.len()), self.missing_left.len()),
            ("sets of categories", optional(self.categories.len()), self.categories.len()),
            leaves,
        ];
        tables.into_iter().try_for_each(|(what, expected, found)| check(FAMILY, what, expected, found))
    }
}

/// Whether a table is as long as it must be.
pub(super) fn check(
    family: &'static str,
    what: &str,
    expected: usize,
    found: usize,
) -> Result<(), GraphError> {
    if expected == found {
        return Ok(());
    }
    Err(GraphError::table(family, format!("there are {found} {what}, and there must be {expected}")))
}
