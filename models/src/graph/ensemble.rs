//! Any number of decision trees as one node of ai.onnx.ml.
//!
//! Version 5 has `TreeEnsemble`, whose leaves carry one weight for one target, in the precision of its input. Trees
//! whose leaves carry several (a forest with its reasons, a vector of classes) would need a copy for each target there,
//! so a graph with such trees is written with `TreeEnsembleRegressor` of version 3, which has sparse leaves: thresholds
//! and sums are double there too, and what comes out is rounded to single precision. One file has one version of a
//! domain, so all trees of a graph share a dialect.

use super::{
    ElementType, GraphError, Tensor, Value,
    builder::{ML, node},
    op::Op,
    proto::{Attribute, Node},
};

/// The two ways to write trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `TreeEnsemble`, ai.onnx.ml 5.
    OneTarget,
    /// `TreeEnsembleRegressor`, ai.onnx.ml 3.
    SparseLeaves,
}

impl Dialect {
    /// Sparse leaves where some tree has them; but sets of categories are known to version 5 only, where trees with
    /// several targets are then copied for each.
    pub(super) fn for_all<'a>(ensembles: impl Iterator<Item = &'a Ensemble>) -> Self {
        let (mut sparse, mut sets) = (false, false);
        for ensemble in ensembles {
            sparse |=
                ensemble.nodes.iter().any(|it| matches!(it, Branch::Leaf(weights) if 1 < weights.len()));
            sets |= ensemble.nodes.iter().any(|it| matches!(it, Branch::Split { rule: Rule::Among(_), .. }));
        }
        if sparse && !sets { Self::SparseLeaves } else { Self::OneTarget }
    }

    pub(super) fn version(self) -> i64 {
        match self {
            Self::OneTarget => 5,
            Self::SparseLeaves => 3,
        }
    }
}

/// Trees over the columns of a matrix; their leaves add up.
#[derive(Clone, Debug)]
pub(super) struct Ensemble {
    /// Who made it, for errors.
    pub family: &'static str,
    /// How many columns come out.
    pub targets: usize,
    /// The root of each tree, a place in `nodes`.
    pub roots: Vec<usize>,
    /// Every node is in one tree once.
    pub nodes: Vec<Branch>,
}

/// A node of a tree.
#[derive(Clone, Debug)]
pub(super) enum Branch {
    /// The way on is left where the rule holds.
    Split { feature: usize, rule: Rule, missing_left: bool, left: usize, right: usize },
    /// Weights added to targets.
    Leaf(Vec<(usize, f64)>),
}

/// What a split asks.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// x ≤ threshold
    AtMost(f64),
    /// Whether x is one of these.
    Among(Vec<f64>),
}

/// The largest float that is not above the threshold: `x ≤ t` is then the same for every float x, as it would not be
/// with the nearest.
pub(super) fn round_down(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    if threshold < f64::from(nearest) { nearest.next_down() } else { nearest }
}

impl Ensemble {
    /// Whether the trees are trees, over columns that the rows have.
    pub(super) fn check(&self, rows: &Value) -> Result<(), GraphError> {
        let width = rows.width(self.family)?;
        let wrong = |reason: String| Err(GraphError::table(self.family, reason));
        if self.targets < 1 || self.roots.is_empty() {
            return wrong("it has no tree or no target".to_owned());
        }
        let children = |place: usize| match &self.nodes[place] {
            Branch::Split { left, right, .. } => Some((*left, *right)),
            Branch::Leaf(_) => None,
        };
        for place in preorder(self.family, &self.roots, self.nodes.len(), children)? {
            match &self.nodes[place] {
                Branch::Split { feature, rule, .. } => {
                    if width <= *feature {
                        return wrong(format!("node {place} asks for column {feature} of {width}"));
                    }
                    check_rule(rule, rows.element()).or_else(|it| wrong(format!("node {place}: {it}")))?;
                }
                Branch::Leaf(weights) => {
                    let narrow = rows.element() == ElementType::F32;
                    let fits = |weight: f64| weight.is_finite() && (!narrow || (weight as f32).is_finite());
                    let bad =
                        weights.iter().find(|(target, weight)| self.targets <= *target || !fits(*weight));
                    if let Some((target, weight)) = bad {
                        let targets = self.targets;
                        return wrong(format!("leaf {place} adds {weight} to target {target} of {targets}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// The nodes of the file from the rows of this name to the value of that name.
    pub(super) fn nodes(&self, dialect: Dialect, rows: (&str, ElementType), output: &str) -> Vec<Node> {
        let (rows, element) = rows;
        let ml = |name: &str, attribute: Vec<Attribute>, output: &str| Node {
            input: vec![rows.to_owned()],
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: name.to_owned(),
            attribute,
            domain: ML.to_owned(),
        };
        if dialect == Dialect::OneTarget {
            return vec![ml("TreeEnsemble", OneTarget::of(self).attributes(self.targets, element), output)];
        }
        let attributes = SparseLeaves::of(self).attributes(self.targets, element);
        if element == ElementType::F32 {
            return vec![ml("TreeEnsembleRegressor", attributes, output)];
        }
        let single = format!("{output}/single");
        let regressor = ml("TreeEnsembleRegressor", attributes, &single);
        vec![regressor, node(&Op::Cast(element), vec![single], vec![output.to_owned()])]
    }

    /// The target of every leaf of a tree; several where they differ or where a leaf has several.
    fn targets_of(&self, root: usize) -> Vec<usize> {
        let mut targets = std::collections::BTreeSet::new();
        let mut ahead = vec![root];
        while let Some(place) = ahead.pop() {
            match &self.nodes[place] {
                Branch::Split { left, right, .. } => ahead.extend([*left, *right]),
                Branch::Leaf(weights) => targets.extend(weights.iter().map(|(target, _)| *target)),
            }
        }
        targets.into_iter().collect()
    }

    fn has_crowded_leaf(&self, root: usize) -> bool {
        let mut ahead = vec![root];
        while let Some(place) = ahead.pop() {
            match &self.nodes[place] {
                Branch::Split { left, right, .. } => ahead.extend([*left, *right]),
                Branch::Leaf(weights) if 1 < weights.len() => return true,
                Branch::Leaf(_) => {}
            }
        }
        false
    }
}

/// The nodes of all trees, each before those below it, the left before the right. Refuses what is no tree.
pub(super) fn preorder(
    family: &'static str,
    roots: &[usize],
    count: usize,
    children: impl Fn(usize) -> Option<(usize, usize)>,
) -> Result<Vec<usize>, GraphError> {
    let mut seen = vec![false; count];
    let mut order = Vec::with_capacity(count);
    let mut ahead: Vec<usize> = roots.iter().rev().copied().collect();
    while let Some(place) = ahead.pop() {
        let reason = match seen.get_mut(place) {
            Some(seen) if !*seen => {
                *seen = true;
                order.push(place);
                if let Some((left, right)) = children(place) {
                    ahead.extend([right, left]);
                }
                continue;
            }
            Some(_) => format!("node {place} is reached by two ways, so that this is no tree"),
            None => format!("node {place} does not exist; there are {count}"),
        };
        return Err(GraphError::table(family, reason));
    }
    Ok(order)
}

fn check_rule(rule: &Rule, element: ElementType) -> Result<(), String> {
    match rule {
        Rule::AtMost(threshold) if threshold.is_nan() => Err("its threshold is NaN".to_owned()),
        Rule::Among(set) if set.is_empty() => Err("its set of categories is empty".to_owned()),
        Rule::Among(set) => {
            let inexact = |it: &&f64| {
                !it.is_finite()
                    || element == ElementType::F32 && f64::from(**it as f32).to_bits() != it.to_bits()
            };
            set.iter().find(inexact).map_or(Ok(()), |it| Err(format!("category {it} is no {element}")))
        }
        Rule::AtMost(_) => Ok(()),
    }
}

fn thresholds(values: Vec<f64>, element: ElementType) -> Tensor {
    if element == ElementType::F32 {
        return Tensor::narrow_list(values.into_iter().map(round_down).collect());
    }
    Tensor::list(values)
}

fn weights(values: Vec<f64>, element: ElementType) -> Tensor {
    if element == ElementType::F32 {
        return Tensor::narrow_list(values.into_iter().map(|value| value as f32).collect());
    }
    Tensor::list(values)
}

fn tensor(name: &str, value: &Tensor) -> Attribute {
    Attribute::tensor(name, value.proto(name))
}

/// The attributes of `TreeEnsemble`.
#[derive(Default)]
struct OneTarget {
    roots: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<u8>,
    splits: Vec<f64>,
    members: Vec<f64>,
    missing: Vec<i64>,
    /// Left and right: the place among the splits or among the leaves, and which of the two.
    nodes: [Vec<i64>; 2],
    is_leaf: [Vec<i64>; 2],
    leaf_targets: Vec<i64>,
    leaf_weights: Vec<f64>,
}

impl OneTarget {
    const AT_MOST: u8 = 0;
    const AMONG: u8 = 6;

    fn of(trees: &Ensemble) -> Self {
        let mut out = Self::default();
        for root in &trees.roots {
            if trees.has_crowded_leaf(*root) {
                for target in trees.targets_of(*root) {
                    out.tree(trees, *root, Some(target));
                }
            } else {
                out.tree(trees, *root, None);
            }
        }
        out
    }

    /// A tree, with what its leaves add to one target where one is named.
    fn tree(&mut self, trees: &Ensemble, root: usize, only: Option<usize>) {
        self.roots.push(self.features.len() as i64);
        if let Branch::Leaf(weights) = &trees.nodes[root] {
            return self.lone_leaf(weights, only);
        }
        // Which side of which split the next node is.
        let mut ahead: Vec<(usize, Option<(usize, usize)>)> = vec![(root, None)];
        while let Some((place, parent)) = ahead.pop() {
            let number = match &trees.nodes[place] {
                Branch::Split { feature, rule, missing_left, left, right } => {
                    let number = self.split(*feature, rule, *missing_left);
                    ahead.extend([(*right, Some((number, 1))), (*left, Some((number, 0)))]);
                    number
                }
                Branch::Leaf(weights) => self.leaf(weights, only),
            };
            if let Some((split, side)) = parent {
                self.nodes[side][split] = number as i64;
                self.is_leaf[side][split] = i64::from(matches!(trees.nodes[place], Branch::Leaf(_)));
            }
        }
    }

    /// A tree that is one leaf. Version 5 knows it as a split with one leaf on both sides, whose number ONNX Runtime
    /// takes for that of the split; two leaves that are alike are read rightly everywhere.
    fn lone_leaf(&mut self, weights: &[(usize, f64)], only: Option<usize>) {
        let split = self.split(0, &Rule::AtMost(0.0), false);
        for side in 0..2 {
            self.nodes[side][split] = self.leaf(weights, only) as i64;
            self.is_leaf[side][split] = 1;
        }
    }

    fn split(&mut self, feature: usize, rule: &Rule, missing_left: bool) -> usize {
        self.features.push(feature as i64);
        self.missing.push(i64::from(missing_left));
        match rule {
            Rule::AtMost(threshold) => {
                self.modes.push(Self::AT_MOST);
                self.splits.push(*threshold);
            }
            Rule::Among(set) => {
                self.modes.push(Self::AMONG);
                self.splits.push(0.0);
                self.members.extend(set);
                // A set ends with NaN.
                self.members.push(f64::NAN);
            }
        }
        for side in 0..2 {
            self.nodes[side].push(0);
            self.is_leaf[side].push(0);
        }
        self.features.len() - 1
    }

    fn leaf(&mut self, weights: &[(usize, f64)], only: Option<usize>) -> usize {
        let mut wanted = weights.iter().filter(|(target, _)| only.is_none_or(|only| only == *target));
        let (target, weight) = wanted.next().copied().unwrap_or((only.unwrap_or(0), 0.0));
        self.leaf_targets.push(target as i64);
        self.leaf_weights.push(weight);
        self.leaf_targets.len() - 1
    }

    fn attributes(self, targets: usize, element: ElementType) -> Vec<Attribute> {
        let [left, right] = self.nodes;
        let [left_is_leaf, right_is_leaf] = self.is_leaf;
        let mut all = vec![
            Attribute::int("aggregate_function", 1),
            Attribute::ints("leaf_targetids", self.leaf_targets),
            tensor("leaf_weights", &weights(self.leaf_weights, element)),
            Attribute::int("n_targets", targets as i64),
            Attribute::ints("nodes_falseleafs", right_is_leaf),
            Attribute::ints("nodes_falsenodeids", right),
            Attribute::ints("nodes_featureids", self.features),
            tensor("nodes_modes", &Tensor::bytes(self.modes)),
            tensor("nodes_splits", &thresholds(self.splits, element)),
            Attribute::ints("nodes_trueleafs", left_is_leaf),
            Attribute::ints("nodes_truenodeids", left),
            Attribute::int("post_transform", 0),
            Attribute::ints("tree_roots", self.roots),
        ];
        if self.missing.contains(&1) {
            all.push(Attribute::ints("nodes_missing_value_tracks_true", self.missing));
        }
        if !self.members.is_empty() {
            all.push(tensor("membership_values", &weights(self.members, element)));
        }
        all
    }
}

/// The attributes of `TreeEnsembleRegressor`.
#[derive(Default)]
struct SparseLeaves {
    trees: Vec<i64>,
    numbers: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<Vec<u8>>,
    splits: Vec<f64>,
    missing: Vec<i64>,
    nodes: [Vec<i64>; 2],
    leaf_trees: Vec<i64>,
    leaf_numbers: Vec<i64>,
    leaf_targets: Vec<i64>,
    leaf_weights: Vec<f64>,
}

impl SparseLeaves {
    fn of(ensemble: &Ensemble) -> Self {
        let mut out = Self::default();
        for (tree, root) in ensemble.roots.iter().enumerate() {
            let first = out.numbers.len();
            let mut ahead: Vec<(usize, Option<(usize, usize)>)> = vec![(*root, None)];
            while let Some((place, parent)) = ahead.pop() {
                let (row, number) = (out.numbers.len(), out.numbers.len() - first);
                if let Some((split, side)) = parent {
                    out.nodes[side][split] = number as i64;
                }
                match &ensemble.nodes[place] {
                    Branch::Split { feature, rule, missing_left, left, right } => {
                        out.row((tree, number), *feature, rule, *missing_left);
                        ahead.extend([(*right, Some((row, 1))), (*left, Some((row, 0)))]);
                    }
                    Branch::Leaf(weights) => out.leaf((tree, number), weights),
                }
            }
        }
        out
    }

    fn row(&mut self, (tree, number): (usize, usize), feature: usize, rule: &Rule, missing_left: bool) {
        let Rule::AtMost(threshold) = rule else {
            unreachable!("sets of categories are written by version 5")
        };
        self.common(tree, number, feature);
        self.modes.push(b"BRANCH_LEQ".to_vec());
        self.splits.push(*threshold);
        self.missing.push(i64::from(missing_left));
    }

    fn leaf(&mut self, (tree, number): (usize, usize), weights: &[(usize, f64)]) {
        self.common(tree, number, 0);
        self.modes.push(b"LEAF".to_vec());
        self.splits.push(0.0);
        self.missing.push(0);
        let nothing = [(0, 0.0)];
        for (target, weight) in if weights.is_empty() { &nothing } else { weights } {
            self.leaf_trees.push(tree as i64);
            self.leaf_numbers.push(number as i64);
            self.leaf_targets.push(*target as i64);
            self.leaf_weights.push(*weight);
        }
    }

    fn common(&mut self, tree: usize, number: usize, feature: usize) {
        self.trees.push(tree as i64);
        self.numbers.push(number as i64);
        self.features.push(feature as i64);
        for side in 0..2 {
            self.nodes[side].push(0);
        }
    }

    fn attributes(self, targets: usize, element: ElementType) -> Vec<Attribute> {
        let [left, right] = self.nodes;
        let mut all = vec![
            Attribute::string("aggregate_function", "SUM"),
            Attribute::int("n_targets", targets as i64),
            Attribute::ints("nodes_falsenodeids", right),
            Attribute::ints("nodes_featureids", self.features),
            Attribute::strings("nodes_modes", self.modes),
            Attribute::ints("nodes_nodeids", self.numbers),
            Attribute::ints("nodes_treeids", self.trees),
            Attribute::ints("nodes_truenodeids", left),
            tensor("nodes_values_as_tensor", &thresholds(self.splits, element)),
            Attribute::string("post_transform", "NONE"),
            Attribute::ints("target_ids", self.leaf_targets),
            Attribute::ints("target_nodeids", self.leaf_numbers),
            Attribute::ints("target_treeids", self.leaf_trees),
            tensor("target_weights_as_tensor", &weights(self.leaf_weights, element)),
        ];
        if self.missing.contains(&1) {
            all.push(Attribute::ints("nodes_missing_value_tracks_true", self.missing));
        }
        all
    }
}
