//! One grown tree, and its place in the flat tables.

use models::graph::trees::{Leaves, Trees};

use super::{
    bins::{Bins, MISSING},
    histogram::Sums,
    split::{Rule, Split},
};

/// A node; the root comes first, children after their parent.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub sums: Sums,
    pub depth: usize,
    /// What it would say as a leaf, before it is slowed down.
    pub output: f64,
    /// Between which values it must stay.
    pub bounds: [f64; 2],
    /// None at a leaf.
    pub split: Option<Split>,
    pub children: [u32; 2],
    /// What a row that ends here gets.
    pub value: f64,
}

/// A tree over bins.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Copies it to the tables, with thresholds in place of bins, and how many rows came to each node and what each
    /// split gained.
    pub(super) fn append(&self, bins: &[Bins], trees: &mut Trees, rows: &mut Vec<f64>, gains: &mut Vec<f64>) {
        let offset = trees.feature.len() as u32;
        trees.roots.push(offset);
        for node in &self.nodes {
            let [left, right] = node.children;
            trees.left.push(offset + left);
            trees.right.push(offset + right);
            trees.feature.push(node.split.map_or(-1, |split| split.feature as i32));
            let (mut threshold, mut missing_left, mut categories) = (0.0, false, Vec::new());
            if let Some(split) = &node.split {
                missing_left = split.rule.goes_left(MISSING);
                match (&split.rule, &bins[split.feature as usize]) {
                    (Rule::Among(_), Bins::Categories { codes, .. }) => {
                        categories = members(&split.rule, codes);
                    }
                    (Rule::UpTo { bin, .. }, bins) => threshold = bins.threshold(*bin),
                    (Rule::Among(_), Bins::Numbers(_)) => unreachable!("numbers are not asked for in sets"),
                }
            }
            trees.threshold.push(threshold);
            trees.missing_left.push(missing_left);
            trees.categories.push(categories);
            rows.push(f64::from(node.sums.rows));
            gains.push(node.split.map_or(0.0, |split| split.gain));
            if let Leaves::OneTarget { value, .. } = &mut trees.leaves {
                value.push(node.value);
            }
        }
        if let Leaves::OneTarget { target, .. } = &mut trees.leaves {
            target.push(0);
        }
    }
}

fn members(rule: &Rule, codes: &[u32]) -> Vec<u32> {
    let mut members: Vec<u32> = codes
        .iter()
        .enumerate()
        .filter(|(bin, _)| rule.goes_left(*bin as u8))
        .map(|(_, code)| *code)
        .collect();
    members.sort_unstable();
    members
}
