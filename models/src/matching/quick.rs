//! Trees asked by columns instead of by paths (QuickScorer: Lucchese et al. 2015): each node whose question is answered with
//! no takes the leaves on its left away, and of those that are left the first is the row's. What all rows of a request have
//! in common is asked once.

use super::value::Grove;

/// A tree has no more leaves than this.
const MOST: usize = 64;

/// A question of one column.
#[derive(Clone, Copy, Debug)]
struct Question {
    threshold: f64,
    tree: u32,
    /// The leaves that stay where the answer is no.
    rest: u64,
}

/// Questions by their columns, in the order of their thresholds.
#[derive(Debug)]
pub(super) struct Quick {
    columns: Vec<Vec<Question>>,
    /// Of each column, those whose answer is no where the value is missing.
    missing: Vec<Vec<Question>>,
    /// What the leaves of each tree add, one tree after the other.
    leaves: Vec<f64>,
    /// Where those of each tree begin.
    first: Vec<u32>,
    base: f64,
    /// What is left where nothing is told.
    untold: Left,
}

/// Which leaves each tree has left.
pub(super) type Left = Vec<u64>;

impl Quick {
    /// The first columns, so many, are words, which are told (1) or not (0). None where a tree has too many leaves.
    pub(super) fn new(trees: &Grove, (words, columns): (usize, usize)) -> Option<Self> {
        let mut quick = Self {
            columns: vec![Vec::new(); columns],
            missing: vec![Vec::new(); columns],
            leaves: Vec::new(),
            first: Vec::new(),
            base: trees.base,
            untold: vec![u64::MAX; trees.roots.len()],
        };
        for (tree, root) in trees.roots.iter().enumerate() {
            let first = quick.leaves.len();
            quick.first.push(first as u32);
            quick.add(trees, (tree as u32, first), *root as usize)?;
        }
        for questions in quick.columns.iter_mut().chain(&mut quick.missing) {
            questions.sort_by(|one, other| {
                one.threshold.total_cmp(&other.threshold).then(one.tree.cmp(&other.tree))
            });
        }
        let mut untold = quick.untold.clone();
        (0..words).for_each(|column| quick.ask(&mut untold, column, 0.0));
        Some(Self { untold, ..quick })
    }

    /// Adds what is below a node, its leaves from left to right.
    fn add(&mut self, trees: &Grove, (tree, first): (u32, usize), node: usize) -> Option<()> {
        let Ok(column) = usize::try_from(trees.feature[node]) else {
            self.leaves.push(trees.expected[node]);
            return (self.leaves.len() - first <= MOST).then_some(());
        };
        let from = self.leaves.len() - first;
        self.add(trees, (tree, first), trees.left[node] as usize)?;
        let to = self.leaves.len() - first;
        self.add(trees, (tree, first), trees.right[node] as usize)?;
        let bits = |count: usize| if count == MOST { u64::MAX } else { (1 << count) - 1 };
        let rest = !(bits(to) & !bits(from));
        let question = Question { threshold: trees.threshold[node], tree, rest };
        self.columns[column].push(question);
        if !trees.missing_left[node] {
            self.missing[column].push(question);
        }
        Some(())
    }

    /// What is left where nothing is told: who is told a word is asked for it besides.
    pub(super) fn untold(&self) -> Left {
        self.untold.clone()
    }

    /// Asks what is asked of a column.
    pub(super) fn ask(&self, left: &mut Left, column: usize, value: f64) {
        let all = &self.columns[column];
        let wrong = if value.is_nan() {
            &self.missing[column][..]
        } else {
            &all[..all.partition_point(|question| question.threshold < value)]
        };
        for question in wrong {
            left[question.tree as usize] &= question.rest;
        }
    }

    /// What the leaves that are left come to.
    pub(super) fn sum(&self, left: &Left) -> f64 {
        let leaves = self.first.iter().zip(left);
        let sum: f64 =
            leaves.map(|(first, left)| self.leaves[*first as usize + left.trailing_zeros() as usize]).sum();
        sum + self.base
    }
}
