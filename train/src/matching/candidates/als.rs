//! Vectors by alternating least squares on implicit feedback (Hu, Koren and Volinsky 2008, "Collaborative Filtering for
//! Implicit Feedback Datasets"), each solved by a few steps of conjugate gradients from where it was (Takács, Pilászy and
//! Tikk 2011, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering").

use std::sync::Arc;

use models::nearest::product;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};
use rayon::prelude::*;

use super::Factors;
use crate::{
    anomaly::dice::Dice,
    matching::{Candidate, MatchingError, Seen},
};

pub(super) const ALS: Candidate = Candidate {
    name: "als",
    doc: "Vectors of users and items by alternating least squares, with newcomers placed by their features.",
    fit: |seen, seed| Ok(Box::new(fit(&Als::for_size(seen), seen, seed)?)),
};

/// Steps of conjugate gradients for each vector.
const STEPS: usize = 3;
/// Rows whose squares are added before they are added to those of others.
const TOGETHER: usize = 1_024;
/// Vectors that are solved at once.
const AT_ONCE: usize = 16;
/// Where squares of what is left are no more than this, a vector is solved.
const SOLVED: f32 = 1e-20;

/// How vectors are learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Als {
    /// How long vectors are.
    pub factors: usize,
    /// What squared vectors cost.
    pub regularization: f64,
    /// By how much an interaction counts more than none, which counts 1.
    pub alpha: f64,
    /// How often both sides are solved.
    pub iterations: usize,
}

impl Als {
    /// Settings for so many users and items: vectors as long as half of the root of the smaller side.
    #[must_use]
    pub fn for_size(seen: &Seen) -> Self {
        let smaller = seen.interactions.users().min(seen.interactions.items());
        let factors = libm::round((smaller as f64).sqrt() / 2.0).clamp(8.0, 64.0) as usize;
        Self { factors, regularization: 10.0, alpha: 1.0, iterations: 10 }
    }
}

/// A side's entries: for each row, the other side's numbers.
type Entries = Vec<Vec<u32>>;

/// Learns vectors.
///
/// # Errors
/// When newcomers cannot be placed.
pub fn fit(plan: &Als, seen: &Arc<Seen>, seed: u64) -> Result<Factors, MatchingError> {
    let all = &seen.interactions;
    let by_user: Entries =
        (0..all.users()).map(|user| all.of_user(user).iter().map(|row| row.item).collect()).collect();
    let by_item: Entries =
        (0..all.items()).map(|item| all.of_item(item).map(|row| row.user).collect()).collect();
    let width = plan.factors;
    let start = |side: u64, rows: usize| -> Vec<f32> {
        let mut dice = Dice::new(seed, side);
        // All on one side of zero, as popularity will have them.
        (0..rows * width).map(|_| (0.01 * dice.unit()) as f32).collect()
    };
    let (mut users, mut items) = (start(0, all.users()), start(1, all.items()));
    for _ in 0..plan.iterations {
        solve(plan, &by_user, &items, &mut users);
        solve(plan, &by_item, &users, &mut items);
    }
    solve(plan, &by_user, &items, &mut users);
    Factors::new(seen, width, users, items, Vec::new())
}

/// Improves the vectors of one side, some at a time: what they have in common is one product of matrices.
fn solve(plan: &Als, entries: &Entries, others: &[f32], mine: &mut [f32]) {
    let width = plan.factors;
    let squares = squares(others, width, plan.regularization as f32);
    let blocks = mine.par_chunks_mut(AT_ONCE * width).zip(entries.par_chunks(AT_ONCE));
    blocks.for_each(|(vectors, entries)| {
        let sums = Sums { width, alpha: plan.alpha as f32, squares: &squares, entries, others };
        for (vector, entries) in vectors.chunks_exact_mut(width).zip(entries) {
            if entries.is_empty() {
                vector.fill(0.0);
            }
        }
        sums.descend(vectors);
    });
}

/// The sum of the squares of all rows, width × width, with the regularization; in an order that no thread moves.
fn squares(rows: &[f32], width: usize, regularization: f32) -> DMatrix<f32> {
    let of_chunk = |chunk: &[f32]| {
        let rows = DMatrixView::from_slice(chunk, width, chunk.len() / width);
        rows * rows.transpose()
    };
    let parts: Vec<DMatrix<f32>> = rows.par_chunks(TOGETHER * width).map(of_chunk).collect();
    let start = DMatrix::from_diagonal_element(width, width, regularization);
    parts.into_iter().fold(start, |total, part| total + part)
}

/// The matrices `Y'Y + λ + α Σ y y'` of some rows, the sums over the entries of each.
struct Sums<'a> {
    width: usize,
    alpha: f32,
    squares: &'a DMatrix<f32>,
    entries: &'a [Vec<u32>],
    others: &'a [f32],
}

impl Sums<'_> {
    fn other(&self, entry: u32) -> &[f32] {
        &self.others[entry as usize * self.width..(entry as usize + 1) * self.width]
    }

    /// What all matrices have in common, times each row's vector.
    fn common(&self, vectors: &[f32], out: &mut [f32]) {
        let (width, rows) = (self.width, self.entries.len());
        let mut products = DMatrixViewMut::from_slice(out, width, rows);
        products.gemm(1.0, self.squares, &DMatrixView::from_slice(vectors, width, rows), 0.0);
    }

    /// Each row's matrix times its vector.
    fn times(&self, vectors: &[f32], out: &mut [f32]) {
        self.common(vectors, out);
        let rows = vectors.chunks_exact(self.width).zip(out.chunks_exact_mut(self.width)).zip(self.entries);
        for ((vector, out), entries) in rows {
            for other in entries.iter().map(|entry| self.other(*entry)) {
                add(out, self.alpha * product(other, vector), other);
            }
        }
    }

    /// What each row's equation leaves at its vector.
    fn left(&self, vectors: &[f32]) -> Vec<f32> {
        let mut left = vec![0.0; vectors.len()];
        self.common(vectors, &mut left);
        let rows = vectors.chunks_exact(self.width).zip(left.chunks_exact_mut(self.width)).zip(self.entries);
        for ((vector, left), entries) in rows {
            left.iter_mut().for_each(|it| *it = -*it);
            for other in entries.iter().map(|entry| self.other(*entry)) {
                add(left, 1.0 + self.alpha - self.alpha * product(other, vector), other);
            }
        }
        left
    }

    /// A few steps of conjugate gradients on `(Y'Y + λ + α Σ y y') x = (1 + α) Σ y`, for each row.
    fn descend(&self, vectors: &mut [f32]) {
        let width = self.width;
        let (mut left, mut moved) = (self.left(vectors), vec![0.0; vectors.len()]);
        let mut directions = left.clone();
        let mut before: Vec<f32> = left.chunks_exact(width).map(|left| product(left, left)).collect();
        for _ in 0..STEPS {
            self.times(&directions, &mut moved);
            let rows = vectors.chunks_exact_mut(width).zip(left.chunks_exact_mut(width));
            let moves = directions.chunks_exact_mut(width).zip(moved.chunks_exact(width));
            for (((vector, left), (direction, moved)), before) in rows.zip(moves).zip(&mut before) {
                if SOLVED < *before {
                    let step = *before / product(direction, moved);
                    add(vector, step, direction);
                    add(left, -step, moved);
                    let now = product(left, left);
                    let keep = now / *before;
                    direction.iter_mut().zip(&*left).for_each(|(it, left)| *it = left + keep * *it);
                    *before = now;
                }
            }
        }
    }
}

fn add(to: &mut [f32], times: f32, row: &[f32]) {
    to.iter_mut().zip(row).for_each(|(to, row)| *to += times * row);
}
