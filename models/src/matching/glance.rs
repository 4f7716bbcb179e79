//! A first look at many pairs: a line through what the trees say, on what pairs share and what is particular to either
//! side, by which those are found that are worth a second one.

use std::sync::Arc;

use super::{ranker::Party, value::Reader};

/// So many pairs are looked at to draw the line.
const SAMPLE: usize = 4_000;
/// What is added to the diagonal, as a part of its mean, so that columns that say nothing weigh nothing.
const RIDGE: f64 = 1e-6;

/// What each column weighs, the constant first.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<f64>);

/// The columns of a pair that the line is drawn on.
fn columns(reader: &Reader, user: &Party, item: &Party) -> impl Iterator<Item = f64> {
    let known = |share: f64| if share.is_nan() { 0.0 } else { share };
    let shared = reader.agreement(user, item).map(known);
    [1.0].into_iter().chain(reader.effects(user, item)).chain(shared)
}

impl Line {
    /// By least squares on pairs from all over.
    pub(super) fn drawn(reader: &Reader, users: &[Arc<Party>], items: &[Arc<Party>]) -> Self {
        let width = 5 + reader.pairs().shared.len();
        let mut sums = vec![vec![0.0; width + 1]; width];
        let all = users.len() * items.len();
        let step = (all / SAMPLE).max(1);
        // An odd step visits all items, whatever their number.
        let pairs = (0..all).step_by(step | 1).map(|at| (&users[at / items.len()], &items[at % items.len()]));
        for (user, item) in pairs {
            let mut row = Vec::new();
            reader.fill(&mut row, user, item);
            let worth = reader.worths(&row)[0];
            let known: Vec<f64> = columns(reader, user, item).collect();
            for (one, line) in known.iter().zip(&mut sums) {
                line.iter_mut().zip(known.iter().chain([&worth])).for_each(|(sum, it)| *sum += one * it);
            }
        }
        let trace: f64 = (0..width).map(|at| sums[at][at]).sum();
        (0..width).for_each(|at| sums[at][at] += RIDGE * trace / width as f64 + f64::MIN_POSITIVE);
        Self(solved(sums))
    }

    pub(super) fn of(&self, reader: &Reader, user: &Party, item: &Party) -> f64 {
        columns(reader, user, item).zip(&self.0).map(|(column, weight)| column * weight).sum()
    }
}

/// Solves equations, each with its right side last, by elimination; they are symmetric and positive.
fn solved(mut lines: Vec<Vec<f64>>) -> Vec<f64> {
    let width = lines.len();
    for at in 0..width {
        let pivot = lines[at].clone();
        for (_, line) in lines.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            let part = line[at] / pivot[at];
            line.iter_mut().zip(&pivot).for_each(|(one, other)| *one -= part * other);
        }
    }
    lines.iter().enumerate().map(|(at, line)| line[width] / line[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let found = solved(vec![vec![4.0, 1.0, 9.0], vec![1.0, 3.0, 5.0]]);
        assert!((found[0] - 2.0).abs() < 1e-12 && (found[1] - 1.0).abs() < 1e-12, "{found:?}");
    }
}
