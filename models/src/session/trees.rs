//! Trees that are asked on the thread that brings the rows: a file whose whole graph is one ensemble of trees, as
//! [`crate::graph::trees`] draws it, needs no runtime. ONNX Runtime stays the judge: where it says something else of
//! rows that come to a question and stand on, above or below its threshold, its session runs as for every other file.

use std::ops::{Add, Div};

use prost::Message;

use super::graph::Graph;
use crate::{
    graph::{ML, proto},
    tensor::{Tensor, Values},
};

/// So many trees are asked side by side: while one waits for memory, the others go on.
const TOGETHER: usize = 8;
/// So many questions, spread over all trees, are come to by rows that are held against what ONNX Runtime says of them.
const TRIED: usize = 256;

/// An ensemble of trees with what its graph does to their sums.
#[derive(Debug)]
pub(super) struct Trees(Kind);

/// By the kind of numbers that it takes.
#[derive(Debug)]
enum Kind {
    Single(Forest<f32>),
    Double(Forest<f64>),
}

impl Trees {
    /// The trees of this file, if its graph is nothing else and ONNX Runtime agrees with what they say.
    pub(super) fn of(bytes: &[u8], judge: &mut Graph) -> Option<Self> {
        // What is something else, and may be large, is not read whole for that.
        let outline = proto::Outline::decode(bytes).ok()?;
        outline.graph.filter(|graph| graph.node.first().is_some_and(|node| node.op_type == ENSEMBLE))?;
        let file = proto::Model::decode(bytes).ok()?;
        let graph = file.graph.as_ref()?;
        let trees = match &graph.input[..] {
            [input] => match element(input)? {
                SINGLE => Self(Kind::Single(Forest::read(graph)?)),
                DOUBLE => Self(Kind::Double(Forest::read(graph)?)),
                _ => return None,
            },
            _ => return None,
        };
        let probes = trees.probes()?;
        let judged = judge.run(&[&probes]).ok()?;
        let said = trees.run(&[&probes])?;
        let [judged, said] = [judged.first()?, said.first()?];
        let agree = |place| Some(trees.agrees(judged.values().at(place)?, said.values().at(place)?));
        let all = (0..said.values().len()).all(|place| agree(place).unwrap_or(false));
        (all && judged.shape() == said.shape()).then_some(trees)
    }

    /// What they say of rows: batch × targets of batch × columns. None of what they do not take.
    pub(super) fn run(&self, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
        let [input] = inputs else { return None };
        let (values, targets) = match (&self.0, input.values()) {
            (Kind::Single(forest), Values::Float32(rows)) => {
                (Values::Float32(forest.all(rows, input.width())?), forest.targets)
            }
            (Kind::Double(forest), Values::Float64(rows)) => {
                (Values::Float64(forest.all(rows, input.width())?), forest.targets)
            }
            _ => return None,
        };
        let rows = *input.shape().first()?;
        Some(vec![Tensor::new(vec![rows, targets], values).ok()?])
    }

    /// So many questions are asked of a row at most.
    pub(super) fn questions_a_row(&self) -> usize {
        match &self.0 {
            Kind::Single(forest) => forest.questions_a_row(),
            Kind::Double(forest) => forest.questions_a_row(),
        }
    }

    /// Rows on, above and below the thresholds, and with values missing.
    fn probes(&self) -> Option<Tensor> {
        let (values, width) = match &self.0 {
            Kind::Single(forest) => (Values::Float32(forest.probes()), forest.width),
            Kind::Double(forest) => (Values::Float64(forest.probes()), forest.width),
        };
        Tensor::new(vec![values.len() / width, width], values).ok()
    }

    /// Sums are the same to the bit; the runtime approximates functions, and may be off by a little.
    fn agrees(&self, judged: f64, said: f64) -> bool {
        let slack = match &self.0 {
            Kind::Single(forest) => forest.slack(judged),
            Kind::Double(forest) => forest.slack(judged),
        };
        let is_near = || {
            slack
                .is_some_and(|slack| judged.is_finite() && said.is_finite() && (judged - said).abs() <= slack)
        };
        judged.total_cmp(&said).is_eq() || judged.is_nan() && said.is_nan() || is_near()
    }
}

/// What a file begins with that is trees.
const ENSEMBLE: &str = "TreeEnsemble";
/// `TensorProto.DataType`.
const SINGLE: i32 = 1;
const DOUBLE: i32 = 11;

fn element(value: &proto::ValueInfo) -> Option<i32> {
    Some(value.kind.as_ref()?.tensor_type.as_ref()?.elem_type)
}

/// The kinds of numbers that trees compute in.
trait Real: Copy + PartialOrd + Default + Add<Output = Self> + Div<Output = Self> {
    const ZERO: Self;
    const NAN: Self;
    /// How far the runtime's functions are off.
    const SLACK: f64;
    fn is_nan(self) -> bool;
    fn above(self) -> Self;
    fn below(self) -> Self;
    fn through(self, function: fn(f64) -> f64) -> Self;
    fn read(bytes: &[u8]) -> Option<Vec<Self>>;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const NAN: Self = Self::NAN;
    const SLACK: f64 = 1e-6;
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    fn above(self) -> Self {
        self.next_up()
    }
    fn below(self) -> Self {
        self.next_down()
    }
    fn through(self, function: fn(f64) -> f64) -> Self {
        function(f64::from(self)) as Self
    }
    fn read(bytes: &[u8]) -> Option<Vec<Self>> {
        let (numbers, rest) = bytes.as_chunks();
        rest.is_empty().then(|| numbers.iter().map(|it| Self::from_le_bytes(*it)).collect())
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const NAN: Self = Self::NAN;
    const SLACK: f64 = 1e-12;
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    fn above(self) -> Self {
        self.next_up()
    }
    fn below(self) -> Self {
        self.next_down()
    }
    fn through(self, function: fn(f64) -> f64) -> Self {
        function(self)
    }
    fn read(bytes: &[u8]) -> Option<Vec<Self>> {
        let (numbers, rest) = bytes.as_chunks();
        rest.is_empty().then(|| numbers.iter().map(|it| Self::from_le_bytes(*it)).collect())
    }
}

/// A question, or a leaf, which leads to itself. The way to the right is the node behind the one to the left.
#[derive(Clone, Copy, Debug)]
struct Node<T> {
    threshold: T,
    column: u32,
    left: u32,
    missing_left: bool,
}

/// What a leaf adds, and to which target.
#[derive(Clone, Copy, Debug, Default)]
struct Leaf<T> {
    target: u32,
    weight: T,
}

/// What is done to the sums.
#[derive(Clone, Debug)]
enum Step<T> {
    Add(Vec<T>),
    Divide(T),
    Logistic,
    Exponential,
}

#[derive(Debug)]
struct Forest<T> {
    width: usize,
    targets: usize,
    nodes: Vec<Node<T>>,
    /// What each node adds where it is a leaf.
    leaves: Vec<Leaf<T>>,
    /// The root of each tree.
    roots: Vec<u32>,
    /// The questions on the longest way in each group of trees.
    depths: Vec<u32>,
    steps: Vec<Step<T>>,
}

impl<T: Real> Forest<T> {
    /// What all rows come to.
    fn all(&self, rows: &[T], width: usize) -> Option<Vec<T>> {
        if width != self.width || width == 0 {
            return None;
        }
        let mut sums = vec![T::ZERO; rows.len() / width * self.targets];
        for (row, sums) in rows.chunks_exact(width).zip(sums.chunks_exact_mut(self.targets)) {
            self.sum(row, sums);
            self.steps.iter().for_each(|step| step.take(sums));
        }
        Some(sums)
    }

    /// Adds up the leaves of a row, one tree after the other.
    fn sum(&self, row: &[T], sums: &mut [T]) {
        for (roots, depth) in self.roots.chunks(TOGETHER).zip(&self.depths) {
            let mut at = [0; TOGETHER];
            at[..roots.len()].copy_from_slice(roots);
            for _ in 0..*depth {
                for at in &mut at[..roots.len()] {
                    let node = &self.nodes[*at as usize];
                    let value = row[node.column as usize];
                    let is_right = (node.threshold < value) | (value.is_nan() & !node.missing_left);
                    *at = node.left + u32::from(is_right);
                }
            }
            for at in &at[..roots.len()] {
                let Leaf { target, weight } = self.leaves[*at as usize];
                let sum = &mut sums[target as usize];
                *sum = *sum + weight;
            }
        }
    }

    /// So many questions are asked of a row: in a group of trees as many of each as of the deepest.
    fn questions_a_row(&self) -> usize {
        let groups = self.roots.chunks(TOGETHER).zip(&self.depths);
        groups.map(|(roots, depth)| roots.len() * *depth as usize).sum()
    }

    /// How far the runtime may be off, where a function comes behind the sums: of chances by so much, else by such a part.
    fn slack(&self, judged: f64) -> Option<f64> {
        let is_logistic = self.steps.iter().any(|step| matches!(step, Step::Logistic));
        let is_exponential = self.steps.iter().any(|step| matches!(step, Step::Exponential));
        (is_logistic || is_exponential).then(|| T::SLACK * judged.abs().max(f64::from(u8::from(is_logistic))))
    }

    /// Rows that come to a question, on, above and below its threshold, and without a value.
    fn probes(&self) -> Vec<T> {
        let places = 0..self.nodes.len();
        let questions: Vec<usize> = places.filter(|place| !self.nodes[*place].threshold.is_nan()).collect();
        let mut parents = vec![None; self.nodes.len()];
        for place in &questions {
            let left = self.nodes[*place].left as usize;
            (parents[left], parents[left + 1]) = (Some((*place, false)), Some((*place, true)));
        }
        let mut rows = Vec::new();
        for place in questions.iter().step_by(questions.len().div_ceil(TRIED).max(1)) {
            let row = self.on_the_way(*place, &parents);
            let Node { threshold, column, .. } = self.nodes[*place];
            for value in [threshold, threshold.above(), threshold.below(), T::NAN] {
                let begin = rows.len();
                rows.extend(&row);
                rows[begin + column as usize] = value;
            }
        }
        if rows.is_empty() { vec![T::ZERO; self.width] } else { rows }
    }

    /// A row that comes to a node from its root, where any does.
    fn on_the_way(&self, place: usize, parents: &[Option<(usize, bool)>]) -> Vec<T> {
        let mut bounds = vec![(None, None); self.width];
        let mut at = place;
        while let Some((above, is_right)) = parents[at] {
            let Node { threshold, column, .. } = self.nodes[above];
            let (low, high): &mut (Option<T>, Option<T>) = &mut bounds[column as usize];
            if is_right {
                *low = Some(low.filter(|low| threshold < *low).unwrap_or(threshold));
            } else {
                *high = Some(high.filter(|high| *high < threshold).unwrap_or(threshold));
            }
            at = above;
        }
        bounds.into_iter().map(|(low, high)| high.or(low.map(Real::above)).unwrap_or(T::ZERO)).collect()
    }

    /// The forest of a graph that is one: `TreeEnsemble`, then what is done to its sums, one after the other.
    fn read(graph: &proto::Graph) -> Option<Self> {
        let ([input], [output]) = (&graph.input[..], &graph.output[..]) else { return None };
        let (first, others) = graph.node.split_first()?;
        let is_ours = first.op_type == ENSEMBLE && first.domain == ML && first.input == [input.name.clone()];
        let shape = input.kind.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
        let [_, columns] = &shape.dim[..] else { return None };
        let width = usize::try_from(columns.dim_value?).ok().filter(|_| is_ours)?;
        let mut forest = Table::read(first)?.forest(width)?;
        let mut last = first;
        for next in others {
            let given = next.input.first().filter(|_| next.output.len() == 1);
            given.filter(|given| last.output == [(*given).clone()])?;
            forest.steps.extend(Step::read(next, graph, forest.targets)?);
            last = next;
        }
        (last.output == [output.name.clone()]).then_some(forest)
    }
}

impl<T: Real> Step<T> {
    fn take(&self, sums: &mut [T]) {
        match self {
            Self::Add(all) => sums.iter_mut().zip(all).for_each(|(sum, one)| *sum = *sum + *one),
            Self::Divide(by) => sums.iter_mut().for_each(|sum| *sum = *sum / *by),
            Self::Logistic => {
                sums.iter_mut().for_each(|sum| *sum = sum.through(|it| 1.0 / (1.0 + libm::exp(-it))));
            }
            Self::Exponential => sums.iter_mut().for_each(|sum| *sum = sum.through(libm::exp)),
        }
    }

    /// What a node does; nothing inside where it does nothing, and none where it is not known.
    fn read(node: &proto::Node, graph: &proto::Graph, targets: usize) -> Option<Option<Self>> {
        let constant = || {
            let name = node.input.get(1).filter(|_| node.input.len() == 2)?;
            let tensor = graph.initializer.iter().find(|tensor| tensor.name == *name)?;
            T::read(tensor.raw_data.as_ref()?)
        };
        let is_plain = node.domain.is_empty() && node.attribute.is_empty();
        Some(match node.op_type.as_str() {
            _ if !is_plain => return None,
            "Add" => Some(Self::Add(constant().filter(|all| all.len() == targets)?)),
            "Div" => match constant()?[..] {
                [by] => Some(Self::Divide(by)),
                _ => return None,
            },
            "Sigmoid" => Some(Self::Logistic),
            "Exp" => Some(Self::Exponential),
            "Identity" => None,
            _ => return None,
        })
    }
}

/// The attributes of `TreeEnsemble`, as they are written by [`crate::graph`].
struct Table<T> {
    targets: usize,
    roots: Vec<usize>,
    columns: Vec<usize>,
    thresholds: Vec<T>,
    missing: Vec<bool>,
    /// Left and right: the place among the questions or the leaves, and which of the two.
    next: [Vec<usize>; 2],
    is_leaf: [Vec<bool>; 2],
    leaves: Vec<Leaf<T>>,
}

impl<T: Real> Table<T> {
    /// None where there is anything else, such as sets of categories.
    fn read(node: &proto::Node) -> Option<Self> {
        let find = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
        let whole = |name: &str| find(name)?.i;
        let places = |name: &str| -> Option<Vec<usize>> {
            find(name)?.ints.iter().map(|it| usize::try_from(*it).ok()).collect()
        };
        let flags =
            |name: &str| -> Option<Vec<bool>> { Some(find(name)?.ints.iter().map(|it| *it != 0).collect()) };
        let raw = |name: &str| find(name)?.t.as_ref()?.raw_data.as_deref();
        let is_known = find("membership_values").is_none()
            && find("nodes_hitrates").is_none()
            && whole("aggregate_function") == Some(1)
            && whole("post_transform") == Some(0)
            && raw("nodes_modes")?.iter().all(|mode| *mode == 0);
        let targets = usize::try_from(whole("n_targets")?).ok().filter(|targets| is_known && 0 < *targets)?;
        let weights = T::read(raw("leaf_weights")?)?;
        let of = places("leaf_targetids")?;
        let table = Self {
            targets,
            roots: places("tree_roots")?,
            columns: places("nodes_featureids")?,
            thresholds: T::read(raw("nodes_splits")?)?,
            missing: flags("nodes_missing_value_tracks_true").unwrap_or_default(),
            next: [places("nodes_truenodeids")?, places("nodes_falsenodeids")?],
            is_leaf: [flags("nodes_trueleafs")?, flags("nodes_falseleafs")?],
            leaves: of
                .iter()
                .zip(&weights)
                .map(|(target, weight)| leaf(*target, *weight))
                .collect::<Option<_>>()?,
        };
        let questions = table.columns.len();
        let modes = raw("nodes_modes")?.len();
        let lengths = [modes, table.thresholds.len(), table.next[0].len(), table.next[1].len()];
        let fits = lengths.iter().chain(&table.is_leaf.each_ref().map(Vec::len)).all(|it| *it == questions)
            && [0, questions].contains(&table.missing.len())
            && of.len() == weights.len()
            && of.iter().all(|target| *target < targets);
        fits.then_some(table)
    }

    /// The trees with their nodes in the order in which they are asked.
    fn forest(&self, width: usize) -> Option<Forest<T>> {
        let mut forest = Forest {
            width,
            targets: self.targets,
            nodes: Vec::new(),
            leaves: Vec::new(),
            roots: Vec::new(),
            depths: Vec::new(),
            steps: Vec::new(),
        };
        let mut depths = Vec::with_capacity(self.roots.len());
        for root in &self.roots {
            depths.push(self.plant(*root, &mut forest)?);
        }
        forest.depths =
            depths.chunks(TOGETHER).map(|of| of.iter().copied().max().unwrap_or_default()).collect();
        Some(forest)
    }

    /// Adds a tree, level by level, and says how many questions its longest way has.
    fn plant(&self, root: usize, forest: &mut Forest<T>) -> Option<u32> {
        let first = forest.add(Leaf::default())?;
        forest.roots.push(first);
        // Where each node goes, and what it is.
        let mut level = vec![(first, root, false)];
        let mut depth = 0;
        while !level.is_empty() {
            let mut below = Vec::new();
            for (place, number, is_leaf) in level {
                if is_leaf {
                    forest.leaves[place as usize] = *self.leaves.get(number)?;
                    continue;
                }
                let column = u32::try_from(*self.columns.get(number)?).ok();
                let column = column.filter(|column| (*column as usize) < forest.width)?;
                // A ring has no end, and more questions than there are were asked twice.
                if self.columns.len() <= forest.asked() {
                    return None;
                }
                let (left, right) = (forest.add(Leaf::default())?, forest.add(Leaf::default())?);
                let missing_left = self.missing.get(number).copied().unwrap_or_default();
                let threshold = Some(self.thresholds[number]).filter(|threshold| !threshold.is_nan())?;
                forest.nodes[place as usize] = Node { threshold, column, left, missing_left };
                for (side, place) in [left, right].into_iter().enumerate() {
                    below.push((place, self.next[side][number], self.is_leaf[side][number]));
                }
            }
            depth += u32::from(!below.is_empty());
            level = below;
        }
        Some(depth)
    }
}

fn leaf<T>(target: usize, weight: T) -> Option<Leaf<T>> {
    Some(Leaf { target: u32::try_from(target).ok()?, weight })
}

impl<T: Real> Forest<T> {
    /// Another node, a leaf so far.
    fn add(&mut self, leaf: Leaf<T>) -> Option<u32> {
        let place = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(Node { threshold: T::NAN, column: 0, left: place, missing_left: true });
        self.leaves.push(leaf);
        Some(place)
    }

    /// How many of the nodes are questions: each adds two.
    fn asked(&self) -> usize {
        (self.nodes.len() - self.roots.len()) / 2
    }
}

#[cfg(test)]
mod tests;
