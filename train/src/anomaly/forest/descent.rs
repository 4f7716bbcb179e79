//! The way of many rows down many trees: trees padded to full height, so that each level is one comparison without a
//! branch, and several rows go down together while the machine waits for memory.

use rayon::prelude::*;

use super::Trees;
use crate::anomaly::matrix::Matrix;

/// Rows that go down one tree together.
const LANES: usize = 8;
/// Rows that go down all trees before the next ones: they stay in the first caches while the trees pass by.
const BLOCK: usize = 256;
/// Trees that are higher are walked node by node: padding would double with each level.
const HIGHEST: u32 = 12;
/// The size of a padded tree of 256 rows, which is what nearly all forests are made of.
const USUAL: usize = 256;

/// What a missing value's key is. It is above that of every number.
const MISSING: u64 = u64::MAX - 1;
/// Below a leaf all rows go left.
const PADDING: u64 = u64::MAX;

/// Padded trees behind one another, each a heap: its root is at 1, the children of `i` at `2i` and `2i + 1`, and what is
/// at `size + i` of a full tree is the `i`-th of `paths`.
#[derive(Debug, Clone)]
pub(super) struct Descent {
    size: usize,
    /// The keys of thresholds: a row goes right if its value's key is greater.
    thresholds: Vec<u64>,
    /// Where the feature's values begin in a group of rows: [`LANES`] times its column.
    features: Vec<u32>,
    /// Whether a row goes right whose value is missing.
    missing_right: Vec<bool>,
    /// What a row that ends here adds.
    paths: Vec<f64>,
}

/// An unsigned number that is greater for a greater value, so that comparing needs no floats.
fn key(value: f64) -> u64 {
    if value.is_nan() {
        return MISSING;
    }
    // Adding zero makes one of the two zeros.
    let bits = (value + 0.0).to_bits();
    let negative = 0_u64.wrapping_sub(bits >> 63);
    bits ^ (negative | (1 << 63))
}

impl Descent {
    pub(super) fn new(trees: &Trees, limit: u32) -> Self {
        let size = if HIGHEST < limit { 0 } else { 1 << limit };
        let all = size * trees.roots.len();
        let mut descent = Self {
            size,
            thresholds: vec![PADDING; all],
            features: vec![0; all],
            missing_right: vec![false; all],
            paths: vec![0.0; all],
        };
        if 0 < size {
            for (tree, &root) in trees.roots.iter().enumerate() {
                descent.place(trees, root as usize, tree * size, 1);
            }
        }
        descent
    }

    /// Copies what is below `node` to place `at` of the padded tree that begins at `begin`.
    fn place(&mut self, trees: &Trees, node: usize, begin: usize, at: usize) {
        let Ok(feature) = u32::try_from(trees.feature[node]) else {
            let mut end = at;
            while end < self.size {
                end *= 2;
            }
            self.paths[begin + end - self.size] = trees.path[node];
            return;
        };
        self.thresholds[begin + at] = key(trees.threshold[node]);
        self.features[begin + at] = feature * LANES as u32;
        self.missing_right[begin + at] = !trees.missing_left[node];
        self.place(trees, trees.left[node] as usize, begin, 2 * at);
        self.place(trees, trees.right[node] as usize, begin, 2 * at + 1);
    }

    /// For each row, the sum of its path lengths over the trees, first tree first.
    pub(super) fn sums(&self, trees: &Trees, table: &Matrix) -> Vec<f64> {
        let mut sums = vec![0.0; table.rows()];
        let width = table.width();
        let blocks = sums.par_chunks_mut(BLOCK).zip(table.values().par_chunks(BLOCK * width));
        match self.size {
            0 => blocks.for_each(|(sums, rows)| walk(trees, rows, width, sums)),
            _ => blocks.for_each(|(sums, rows)| self.block(rows, width, sums)),
        }
        sums
    }

    fn block(&self, rows: &[f64], width: usize, sums: &mut [f64]) {
        // A group's length is a power of two, so that a place in it needs no check where the length is known.
        let length = (width * LANES).next_power_of_two();
        let groups = sums.len().div_ceil(LANES);
        // Group after group, feature after feature, lane after lane; lanes beyond the last row hold anything.
        let mut keys = vec![0; groups * length];
        let mut missing = false;
        for (row, values) in rows.chunks_exact(width).enumerate() {
            let begin = row / LANES * length + row % LANES;
            for (feature, &value) in values.iter().enumerate() {
                keys[begin + feature * LANES] = key(value);
                missing |= value.is_nan();
            }
        }
        let mut totals = vec![[0.0; LANES]; groups];
        for tree in 0..self.paths.len() / self.size {
            let at = tree * self.size..(tree + 1) * self.size;
            let tree = PaddedTree {
                thresholds: &self.thresholds[at.clone()],
                features: &self.features[at.clone()],
                missing_right: &self.missing_right[at.clone()],
                paths: &self.paths[at],
            };
            match if missing || self.size != USUAL { 0 } else { length / LANES } {
                1 => tree.descend_usual::<{ LANES }>(&keys, &mut totals),
                2 => tree.descend_usual::<{ 2 * LANES }>(&keys, &mut totals),
                4 => tree.descend_usual::<{ 4 * LANES }>(&keys, &mut totals),
                8 => tree.descend_usual::<{ 8 * LANES }>(&keys, &mut totals),
                16 => tree.descend_usual::<{ 16 * LANES }>(&keys, &mut totals),
                32 => tree.descend_usual::<{ 32 * LANES }>(&keys, &mut totals),
                64 => tree.descend_usual::<{ 64 * LANES }>(&keys, &mut totals),
                _ => tree.descend(&keys, length, &mut totals),
            }
        }
        sums.copy_from_slice(&totals.as_flattened()[..sums.len()]);
    }
}

/// One padded tree.
struct PaddedTree<'a> {
    thresholds: &'a [u64],
    features: &'a [u32],
    missing_right: &'a [bool],
    paths: &'a [f64],
}

impl PaddedTree<'_> {
    /// Groups of rows without missing values down a tree of the usual size: no place in it needs a check, nor one among
    /// the `LENGTH` keys of a group.
    fn descend_usual<const LENGTH: usize>(&self, keys: &[u64], totals: &mut [[f64; LANES]]) {
        let thresholds: &[u64; USUAL] = self.thresholds.try_into().expect("the tree is of the usual size");
        let features: &[u32; USUAL] = self.features.try_into().expect("the tree is of the usual size");
        let paths: &[f64; USUAL] = self.paths.try_into().expect("the tree is of the usual size");
        for (keys, totals) in keys.chunks_exact(LENGTH).zip(totals) {
            let keys: &[u64; LENGTH] = keys.try_into().expect("chunks have this length");
            let mut places = [1; LANES];
            for _ in 0..USUAL.trailing_zeros() {
                for (lane, place) in places.iter_mut().enumerate() {
                    let at = *place % USUAL;
                    let right = thresholds[at] < keys[(features[at] as usize + lane) % LENGTH];
                    *place = *place + *place + usize::from(right);
                }
            }
            for (total, place) in totals.iter_mut().zip(places) {
                *total += paths[place % USUAL];
            }
        }
    }

    /// Any groups of rows, of any length, down a tree of any size.
    fn descend(&self, keys: &[u64], length: usize, totals: &mut [[f64; LANES]]) {
        let size = self.paths.len();
        for (keys, totals) in keys.chunks_exact(length).zip(totals) {
            let mut places = [1; LANES];
            for _ in 0..size.trailing_zeros() {
                for (lane, place) in places.iter_mut().enumerate() {
                    let key = keys[self.features[*place] as usize + lane];
                    let beyond = self.thresholds[*place] < key;
                    let right = if key == MISSING { self.missing_right[*place] } else { beyond };
                    *place = 2 * *place + usize::from(right);
                }
            }
            for (total, place) in totals.iter_mut().zip(places) {
                *total += self.paths[place - size];
            }
        }
    }
}

/// The same sums from the flat arrays, row by row.
pub(super) fn walk(trees: &Trees, rows: &[f64], width: usize, sums: &mut [f64]) {
    for (row, sum) in rows.chunks_exact(width).zip(sums) {
        for &root in &trees.roots {
            let mut node = root as usize;
            while let Some((_, child)) = trees.next(node, row) {
                node = child;
            }
            *sum += trees.path[node];
        }
    }
}
