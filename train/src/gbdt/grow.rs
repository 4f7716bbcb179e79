//! One tree, grown at the leaf where it gains most (Shi 2007), as LightGBM does.

use rayon::prelude::*;

use super::{
    bins::Bins,
    block::Block,
    histogram::{Histogram, Histograms, Sums, subtract},
    settings::{Monotone, Settings},
    split::{Parent, Search, Split},
    tree::{Node, Tree},
};

/// What grows trees, one after the other.
pub(super) struct Grower<'a> {
    pub settings: &'a Settings,
    pub bins: &'a [Bins],
    pub histograms: Histograms,
}

/// A leaf that can be divided.
struct Bud {
    node: usize,
    histogram: Histogram,
    split: Split,
}

impl Grower<'_> {
    /// A tree of the rows that the blocks began with, by derivatives of these units, over some of the features.
    pub(super) fn grow(&mut self, blocks: &mut [Block], unit: [f64; 2], is_asked: &[bool]) -> Tree {
        let search = Search { settings: self.settings, unit };
        let sums = all_sums(blocks);
        let unbounded = [f64::NEG_INFINITY, f64::INFINITY];
        let root = node(sums, 0, search.output(sums, unbounded), unbounded);
        let mut tree = Tree { nodes: vec![root] };
        let mut buds = Vec::new();
        if self.may_divide(&tree.nodes[0]) {
            let histogram = self.histograms.of_node(blocks, 0, is_asked);
            self.bud(&tree, vec![(0, histogram)], search, is_asked, &mut buds);
        }
        let mut leaves = 1;
        while leaves < self.settings.leaves
            && let Some(bud) = take_best(&mut buds)
        {
            let children = divide(&mut tree, bud.node, &bud.split, self.settings);
            blocks.par_iter_mut().for_each(|block| block.divide(bud.node, &bud.split));
            leaves += 1;
            let more = leaves < self.settings.leaves;
            if more && children.iter().any(|child| self.may_divide(&tree.nodes[*child])) {
                let histograms = self.halves(blocks, &tree, children, bud.histogram, is_asked);
                self.bud(&tree, histograms, search, is_asked, &mut buds);
            } else {
                self.histograms.recycle(bud.histogram);
            }
        }
        buds.into_iter().for_each(|bud| self.histograms.recycle(bud.histogram));
        tree
    }

    fn may_divide(&self, node: &Node) -> bool {
        let shallow = self.settings.max_depth.is_none_or(|most| node.depth < most);
        shallow && 2 * self.settings.min_rows <= node.sums.rows as usize
    }

    /// The histograms of two children: that of the smaller is filled, the other is what remains of their parent's.
    fn halves(
        &mut self,
        blocks: &[Block],
        tree: &Tree,
        [left, right]: [usize; 2],
        mut parent: Histogram,
        is_asked: &[bool],
    ) -> Vec<(usize, Histogram)> {
        let left_is_smaller = tree.nodes[left].sums.rows <= tree.nodes[right].sums.rows;
        let (smaller, larger) = if left_is_smaller { (left, right) } else { (right, left) };
        let filled = self.histograms.of_node(blocks, smaller, is_asked);
        subtract(&mut parent, &filled);
        vec![(smaller, filled), (larger, parent)]
    }

    /// Finds the best split of each node and keeps those that have one.
    fn bud(
        &mut self,
        tree: &Tree,
        nodes: Vec<(usize, Histogram)>,
        search: Search<'_>,
        is_asked: &[bool],
        buds: &mut Vec<Bud>,
    ) {
        let (nodes, done): (Vec<_>, Vec<_>) =
            nodes.into_iter().partition(|(node, _)| self.may_divide(&tree.nodes[*node]));
        done.into_iter().for_each(|(_, histogram)| self.histograms.recycle(histogram));
        let features: Vec<usize> = (0..is_asked.len()).filter(|feature| is_asked[*feature]).collect();
        let best_of = |place: usize| {
            let ((node, histogram), feature) =
                (&nodes[place / features.len()], features[place % features.len()]);
            let node = &tree.nodes[*node];
            let parent = Parent { sums: node.sums, bounds: node.bounds };
            search.best(feature, &self.bins[feature], &histogram[self.histograms.range(feature)], &parent)
        };
        let tried = nodes.len() * features.len();
        let splits: Vec<Option<Split>> = (0..tried).into_par_iter().with_min_len(8).map(best_of).collect();
        for ((node, histogram), splits) in nodes.into_iter().zip(splits.chunks(features.len().max(1))) {
            let better = |best: Option<Split>, split: &Split| {
                Some(best.filter(|it| split.gain <= it.gain).unwrap_or(*split))
            };
            match splits.iter().flatten().fold(None, better) {
                Some(split) => buds.push(Bud { node, histogram, split }),
                None => self.histograms.recycle(histogram),
            }
        }
    }
}

fn all_sums(blocks: &[Block]) -> Sums {
    let of_block = |block: &Block| {
        let mut sums = Sums::default();
        for row in block.rows_in(0) {
            let [gradient, hessian] = block.whole[usize::from(*row)].map(i64::from);
            sums += Sums { gradient, hessian, rows: 1 };
        }
        sums
    };
    let add = |mut all: Sums, sums: Sums| {
        all += sums;
        all
    };
    blocks.par_iter().map(of_block).reduce(Sums::default, add)
}

fn node(sums: Sums, depth: usize, output: f64, bounds: [f64; 2]) -> Node {
    Node { sums, depth, output, bounds, split: None, children: [0; 2], value: 0.0 }
}

/// The bud that gains most; of equal ones the one that is nearer to the root.
fn take_best(buds: &mut Vec<Bud>) -> Option<Bud> {
    let best = (0..buds.len()).reduce(|best, at| {
        let (a, b) = (&buds[best], &buds[at]);
        let is_better = a.split.gain.total_cmp(&b.split.gain).then(b.node.cmp(&a.node)).is_lt();
        if is_better { at } else { best }
    })?;
    Some(buds.swap_remove(best))
}

/// Makes two nodes of a leaf. Where the split is by a monotone feature, the value between the two sides bounds both from
/// then on (as in LightGBM's basic method), so that nothing that is below one of them crosses over.
fn divide(tree: &mut Tree, at: usize, split: &Split, settings: &Settings) -> [usize; 2] {
    let parent = &tree.nodes[at];
    let (depth, sums, [low, high]) = (parent.depth + 1, parent.sums, parent.bounds);
    let [left, right] = split.outputs;
    let middle = f64::midpoint(left, right);
    let (left_bounds, right_bounds) = match settings.monotone_in(split.feature as usize) {
        Monotone::Free => ([low, high], [low, high]),
        Monotone::Rising => ([low, middle], [middle, high]),
        Monotone::Falling => ([middle, high], [low, middle]),
    };
    let places = [tree.nodes.len(), tree.nodes.len() + 1];
    tree.nodes.push(node(split.left, depth, left, left_bounds));
    tree.nodes.push(node(sums - split.left, depth, right, right_bounds));
    tree.nodes[at].split = Some(*split);
    tree.nodes[at].children = places.map(|place| place as u32);
    places
}
