//! Vectors by alternating least squares on implicit feedback (Hu, Koren and Volinsky 2008, "Collaborative Filtering for
//! Implicit Feedback Datasets"), each solved by a few steps of conjugate gradients from where it was (Takács, Pilászy and
//! Tikk 2011, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering").

use std::sync::Arc;

use rayon::prelude::*;

use super::Factors;
use crate::{
    anomaly::dice::Dice,
    matching::{Candidate, MatchingError, Seen, top::product},
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
        (0..rows * width).map(|_| (0.01 * dice.normal()) as f32).collect()
    };
    let (mut users, mut items) = (start(0, all.users()), start(1, all.items()));
    for _ in 0..plan.iterations {
        solve(plan, &by_user, &items, &mut users);
        solve(plan, &by_item, &users, &mut items);
    }
    solve(plan, &by_user, &items, &mut users);
    Factors::new(seen, width, users, items, Vec::new())
}

/// Improves the vectors of one side, each on its own.
fn solve(plan: &Als, entries: &Entries, others: &[f32], mine: &mut [f32]) {
    let width = plan.factors;
    let squares = squares(others, width, plan.regularization as f32);
    mine.par_chunks_mut(width).zip(entries).for_each(|(vector, entries)| {
        if entries.is_empty() {
            vector.fill(0.0);
        } else {
            descend(plan.alpha as f32, &squares, entries, others, vector);
        }
    });
}

/// The sum of the squares of all rows, width × width, with the regularization; in an order that no thread moves.
fn squares(rows: &[f32], width: usize, regularization: f32) -> Vec<f32> {
    let of_chunk = |chunk: &[f32]| {
        let mut sum = vec![0.0_f32; width * width];
        for row in chunk.chunks_exact(width) {
            for (one, into) in row.iter().zip(sum.chunks_exact_mut(width)) {
                into.iter_mut().zip(row).for_each(|(sum, other)| *sum += one * other);
            }
        }
        sum
    };
    let parts: Vec<Vec<f32>> = rows.par_chunks(TOGETHER * width).map(of_chunk).collect();
    let mut total = vec![0.0_f32; width * width];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    (0..width).for_each(|at| total[at * width + at] += regularization);
    total
}

/// A few steps of conjugate gradients on `(Y'Y + λ + α Σ y y') x = (1 + α) Σ y`, the sums over the entries.
fn descend(alpha: f32, squares: &[f32], entries: &[u32], others: &[f32], vector: &mut [f32]) {
    let width = vector.len();
    let other = |entry: &u32| &others[*entry as usize * width..(*entry as usize + 1) * width];
    let add = |to: &mut [f32], times: f32, row: &[f32]| {
        to.iter_mut().zip(row).for_each(|(to, row)| *to += times * row);
    };
    let times = |at: &[f32], out: &mut [f32]| {
        out.fill(0.0);
        at.iter().zip(squares.chunks_exact(width)).for_each(|(one, row)| add(out, *one, row));
        for row in entries.iter().map(other) {
            add(out, alpha * product(row, at), row);
        }
    };
    let (mut left, mut moved) = (vec![0.0; width], vec![0.0; width]);
    times(vector, &mut left);
    left.iter_mut().for_each(|it| *it = -*it);
    entries.iter().map(other).for_each(|row| add(&mut left, 1.0 + alpha, row));
    let mut direction = left.clone();
    let mut before = product(&left, &left);
    for _ in 0..STEPS {
        if before < 1e-20 {
            return;
        }
        times(&direction, &mut moved);
        let step = before / product(&direction, &moved);
        add(vector, step, &direction);
        add(&mut left, -step, &moved);
        let now = product(&left, &left);
        direction.iter_mut().zip(&left).for_each(|(it, left)| *it = left + now / before * *it);
        before = now;
    }
}
