//! Rows in blocks that fit into a core's own cache: their bins, what is known of each so far, and which of them are in
//! which node of the tree that grows. Blocks are worked on side by side and never touch each other.

use rayon::prelude::*;

use super::{
    bins::Bins,
    split::{Rule, Split},
    tree::Tree,
};
use crate::anomaly::{dice::Dice, matrix::Matrix};

/// Rows in a block; a row's place in it is a `u16`.
pub(super) const BLOCK: usize = 1 << 14;
/// Features whose bins lie side by side, row after row.
pub(super) const PAGE: usize = 32;

/// Some rows that follow each other.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The first of them in the table.
    pub first: usize,
    /// The bins: page after page, in each row after row, for adding up many features of some rows.
    bins: Vec<u8>,
    /// The same bins feature after feature, for dividing rows by one of them.
    columns: Vec<u8>,
    width: usize,
    /// The sum of the trees so far, with the start.
    pub scores: Vec<f64>,
    /// The derivatives of the loss.
    pub slopes: Vec<[f32; 2]>,
    /// The same as whole numbers.
    pub whole: Vec<[i32; 2]>,
    /// The rows that the tree sees, those of a node side by side.
    order: Vec<u16>,
    spare: Vec<u16>,
    /// Where in the order the rows of each node are.
    spans: Vec<[u32; 2]>,
}

/// Where the bins of a feature are: its first row's, and how far the next row's are from them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub at: usize,
    pub stride: usize,
}

impl Block {
    /// A table in blocks, each score at its start.
    pub(super) fn of_table(table: &Matrix, bins: &[Bins], start: f64) -> Vec<Self> {
        let block = |first: usize| {
            let rows = BLOCK.min(table.rows() - first);
            let mut block = Self { first, width: bins.len(), scores: vec![start; rows], ..Self::default() };
            block.bins = vec![0; rows * bins.len()];
            block.columns = vec![0; rows * bins.len()];
            let places: Vec<Place> = (0..bins.len()).map(|feature| block.place(feature)).collect();
            for row in 0..rows {
                for (feature, value) in table.row(first + row).iter().enumerate() {
                    let (bin, place) = (bins[feature].of(*value), places[feature]);
                    block.bins[place.at + row * place.stride] = bin;
                    block.columns[feature * rows + row] = bin;
                }
            }
            block
        };
        let firsts: Vec<usize> = (0..table.rows()).step_by(BLOCK).collect();
        firsts.into_par_iter().map(block).collect()
    }

    pub(super) fn rows(&self) -> usize {
        self.scores.len()
    }

    pub(super) fn place(&self, feature: usize) -> Place {
        let page = feature / PAGE * PAGE;
        Place { at: self.rows() * page + feature - page, stride: PAGE.min(self.width - page) }
    }

    pub(super) fn bins(&self) -> &[u8] {
        &self.bins
    }

    /// Begins a tree with each row by the chance `fraction`.
    pub(super) fn begin(&mut self, fraction: f64, mut dice: Dice) {
        let rows = self.rows();
        self.order.clear();
        let all = 0..rows as u16;
        if fraction < 1.0 {
            self.order.extend(all.filter(|_| dice.unit() < fraction));
        } else {
            self.order.extend(all);
        }
        self.spare.resize(rows, 0);
        self.spans.clear();
        self.spans.push([0, self.order.len() as u32]);
    }

    /// The rows of a node.
    pub(super) fn rows_in(&self, node: usize) -> &[u16] {
        let [from, to] = self.spans[node];
        &self.order[from as usize..to as usize]
    }

    /// Divides the rows of a node between two new nodes.
    pub(super) fn divide(&mut self, node: usize, split: &Split) {
        let column = split.feature as usize * self.rows();
        let column = &self.columns[column..column + self.rows()];
        let goes_left = split.rule.table();
        let [from, to] = self.spans[node];
        let order = &mut self.order[from as usize..to as usize];
        let spare = &mut self.spare[..order.len()];
        let (mut left, mut right) = (0, 0);
        for place in 0..order.len() {
            let row = order[place];
            let goes_left = goes_left[usize::from(column[usize::from(row)])];
            order[left] = row;
            spare[right] = row;
            left += usize::from(goes_left);
            right += usize::from(!goes_left);
        }
        order[left..].copy_from_slice(&spare[..right]);
        let middle = from + left as u32;
        self.spans.extend([[from, middle], [middle, to]]);
    }

    /// Adds what the tree that grew here says of each row it saw.
    pub(super) fn add_leaves(&mut self, tree: &Tree) {
        for (node, [from, to]) in self.spans.iter().enumerate() {
            if tree.nodes[node].split.is_none() {
                let value = tree.nodes[node].value;
                for row in &self.order[*from as usize..*to as usize] {
                    self.scores[usize::from(*row)] += value;
                }
            }
        }
    }

    /// Adds what a tree says of each row, whether it saw it or not.
    pub(super) fn add_tree(&mut self, tree: &Tree) {
        let places: Vec<Place> = (0..self.width).map(|feature| self.place(feature)).collect();
        for row in 0..self.rows() {
            let bin = |feature: u32| {
                let Place { at, stride } = places[feature as usize];
                self.bins[at + row * stride]
            };
            let mut node = 0;
            while let Some(split) = &tree.nodes[node].split {
                let side = usize::from(!split.rule.goes_left(bin(split.feature)));
                node = tree.nodes[node].children[side] as usize;
            }
            self.scores[row] += tree.nodes[node].value;
        }
    }
}

impl Rule {
    /// For each bin, whether its rows go left.
    fn table(&self) -> [bool; 256] {
        std::array::from_fn(|bin| self.goes_left(bin as u8))
    }
}
