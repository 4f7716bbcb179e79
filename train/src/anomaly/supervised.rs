//! The second stage: boosted trees that learned from what reviewers found, for rows that look like what they have seen.
//!
//! Reviewers look at few rows, and mostly at odd ones. Trees that learned from those alone would not know what ordinary rows
//! are like, so the rows that nobody found guilty count as honest, looked at or not. Those of them that are guilty lower all
//! scores, and leave their order, as long as reviewers look at guilty rows of a kind alike (Elkan and Noto 2008, lemma 1).

use std::ops::ControlFlow;

use super::{Detector, DetectorError, dice::Dice, matrix::Matrix};
use crate::gbdt::{Boosted, Examples, GbdtError, Loss, Settings as Growing, fit, losses::Logistic};

/// How many parts of the rows are scored by trees that have not seen them.
const PARTS: usize = 4;
/// How many rows must have been found guilty; with fewer, a tree learns who they were and not what they did.
pub const LEAST: usize = 20;

/// How trees are grown: small steps, leaves that may be small because guilty rows are few, and draws of rows and features,
/// which keep a tree from learning single rows. Chosen on worlds of `sim/` with other seeds than those that judge.
fn usual(seed: u64) -> Growing {
    Growing {
        trees: 150,
        leaves: 15,
        learning_rate: 0.05,
        min_rows: 5,
        l2: 1.0,
        row_fraction: 0.7,
        feature_fraction: 0.7,
        seed,
        ..Growing::default()
    }
}

/// Settings drawn at random, which finds good ones sooner than a grid does (Bergstra and Bengio 2012).
fn drawn(seed: u64, trial: u64) -> Growing {
    let mut dice = Dice::new(seed, trial);
    let mut one = |of: &[f64]| of[dice.index(of.len())];
    Growing {
        trees: one(&[75.0, 150.0, 300.0]) as usize,
        leaves: one(&[4.0, 8.0, 15.0, 31.0]) as usize,
        learning_rate: one(&[0.02, 0.05, 0.1, 0.2]),
        min_rows: one(&[2.0, 5.0, 10.0, 20.0]) as usize,
        l2: one(&[0.1, 1.0, 10.0]),
        row_fraction: one(&[0.5, 0.7, 0.9]),
        feature_fraction: one(&[0.3, 0.5, 0.7, 1.0]),
        seed,
        ..Growing::default()
    }
}

/// Trees that learned from labels. Their score is the logarithm of the odds that somebody finds a row guilty.
pub struct Supervised {
    /// The trees.
    pub model: Boosted,
    /// What each learned row is scored by trees that have not seen it.
    pub unseen: Vec<f64>,
    /// How the trees were grown.
    pub growing: Growing,
    /// What rows that the trees have not seen cost them, in nats a row.
    pub loss: f64,
}

/// Rows in the order of time, and what was found of some of them.
struct Reviewed<'a> {
    table: &'a Matrix,
    /// 1 for those that were found guilty.
    targets: Vec<f64>,
    is_wanted: &'a (dyn Fn() -> bool + Sync),
}

impl Supervised {
    /// Whether labels are enough to learn from.
    #[must_use]
    pub fn is_possible(labels: &[Option<bool>]) -> bool {
        let guilty = labels.iter().filter(|label| **label == Some(true)).count();
        LEAST <= guilty && guilty < labels.len()
    }

    /// Learns from rows in the order of time, and from what was found of some of them. The rows are parted in blocks of
    /// that order, so that rows of one attack, which come together, are seldom on both sides. Besides the usual settings,
    /// `trials` others are tried, and those are taken that cost least on rows that the trees have not seen.
    ///
    /// # Errors
    /// When there is nothing to learn from, or `is_wanted` says that nobody waits any more.
    pub fn fit(
        table: &Matrix,
        labels: &[Option<bool>],
        (seed, trials): (u64, u64),
        is_wanted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Self, DetectorError> {
        let target = |label: &Option<bool>| f64::from(u8::from(*label == Some(true)));
        let reviewed = Reviewed { table, targets: labels.iter().map(target).collect(), is_wanted };
        let mut best: Option<(f64, Vec<f64>, Growing)> = None;
        for trial in 0..=trials {
            let growing = if trial == 0 { usual(seed) } else { drawn(seed, trial) };
            let unseen = reviewed.unseen(&growing)?;
            let loss = reviewed.loss(&unseen);
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                best = Some((loss, unseen, growing));
            }
        }
        let (loss, unseen, growing) = best.ok_or(DetectorError::NoRows)?;
        Ok(Self { model: reviewed.grow(&growing, table, &reviewed.targets)?, unseen, growing, loss })
    }
}

impl Reviewed<'_> {
    fn grow(&self, growing: &Growing, table: &Matrix, targets: &[f64]) -> Result<Boosted, DetectorError> {
        let learn = Examples { table, targets, weights: None };
        let mut watch =
            |_| if (self.is_wanted)() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        Ok(fit(growing, &Logistic, learn, None, &mut watch)?)
    }

    /// What each row is scored by trees that learned from the other parts.
    fn unseen(&self, growing: &Growing) -> Result<Vec<f64>, DetectorError> {
        let rows = self.table.rows();
        let mut unseen = Vec::with_capacity(rows);
        for part in 0..PARTS {
            let (from, to) = (rows * part / PARTS, rows * (part + 1) / PARTS);
            let others: Vec<usize> = (0..from).chain(to..rows).collect();
            let of_others: Vec<f64> = others.iter().map(|row| self.targets[*row]).collect();
            let part = self.table.select(&(from..to).collect::<Vec<_>>());
            unseen.extend(match self.grow(growing, &self.table.select(&others), &of_others) {
                Ok(model) => model.scores(&part)?,
                // All that was found is in this part: the others say nothing of it.
                Err(DetectorError::Trees(GbdtError::Alike { .. })) => vec![f64::NEG_INFINITY; to - from],
                Err(error) => return Err(error),
            });
        }
        Ok(unseen)
    }

    /// The mean loss of scores; one that says nothing costs what a certain error does in single precision.
    fn loss(&self, scores: &[f64]) -> f64 {
        let of = |(target, score): (&f64, &f64)| Logistic.of(*target, score.max(-88.0));
        self.targets.iter().zip(scores).map(of).sum::<f64>() / scores.len() as f64
    }
}

impl Detector for Supervised {
    fn name(&self) -> &'static str {
        "supervised"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        Ok(self.model.scores(table)?)
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        self.model.credits(row).features
    }
}
