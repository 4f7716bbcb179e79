//! Users and items as vectors whose products say how well they fit; newcomers' vectors come from their features.

use std::sync::Arc;

use models::nearest::product;

use crate::{
    linear,
    matching::{Because, Interactions, MatchingError, Profiles, Reason, Scorer, Seen, ridge::Ridge},
};

/// What squared slopes from features to vectors cost.
const PENALTY: f64 = 10.0;
/// How little an explanation may leave to chance, as a part of the mean squared length of the user's items.
const LEAST: f64 = 1e-3;

/// Vectors of users and items.
#[derive(Clone, Debug)]
pub struct Factors {
    seen: Arc<Seen>,
    width: usize,
    users: Vec<f32>,
    items: Vec<f32>,
    /// What items have before any user is asked; none, or one for each.
    bias: Vec<f32>,
}

impl Factors {
    /// Takes learned vectors, row after row, and gives newcomers with features the vectors that a ridge regression of the
    /// learned ones on features expects. `bias` is empty or has one number for each item.
    ///
    /// # Errors
    /// When the regression has no solution.
    pub fn new(
        seen: &Arc<Seen>,
        width: usize,
        mut users: Vec<f32>,
        mut items: Vec<f32>,
        mut bias: Vec<f32>,
    ) -> Result<Self, MatchingError> {
        let all = &seen.interactions;
        if let Some(profiles) = &seen.users {
            let active: Vec<usize> = (0..all.users()).map(|user| all.of_user(user).len()).collect();
            place_newcomers(profiles, &active, width, &mut users, &mut [])?;
        }
        if let Some(profiles) = &seen.items {
            place_newcomers(profiles, &all.popularity(), width, &mut items, &mut bias)?;
        }
        Ok(Self { seen: Arc::clone(seen), width, users, items, bias })
    }

    /// How long a vector is.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The vectors of users, row after row.
    #[must_use]
    pub fn users(&self) -> &[f32] {
        &self.users
    }

    /// The vectors of items, row after row.
    #[must_use]
    pub fn items(&self) -> &[f32] {
        &self.items
    }

    /// What items have before any user is asked; empty where there is none.
    #[must_use]
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    fn user(&self, user: usize) -> &[f32] {
        &self.users[user * self.width..(user + 1) * self.width]
    }

    fn item(&self, item: usize) -> &[f32] {
        &self.items[item * self.width..(item + 1) * self.width]
    }

    fn score(&self, user: usize, item: usize) -> f64 {
        f64::from(product(self.user(user), self.item(item)))
            + f64::from(self.bias.get(item).copied().unwrap_or(0.0))
    }
}

/// Gives those without interactions the vectors that are expected of their features.
fn place_newcomers(
    profiles: &Profiles,
    counts: &[usize],
    width: usize,
    vectors: &mut [f32],
    bias: &mut [f32],
) -> Result<(), MatchingError> {
    let known: Vec<(usize, f64)> = (0..counts.len())
        .filter(|row| 0 < counts[*row])
        .map(|row| (row, libm::log1p(counts[row] as f64)))
        .collect();
    if known.len() == counts.len() || known.is_empty() {
        return Ok(());
    }
    let numbers = |row: usize| -> Vec<f64> {
        let vector = vectors[row * width..(row + 1) * width].iter();
        vector.chain(bias.get(row)).map(|number| f64::from(*number)).collect()
    };
    let ridge = Ridge::fit(profiles, &known, numbers, width + usize::from(!bias.is_empty()), PENALTY)?;
    for row in (0..counts.len()).filter(|row| counts[*row] == 0) {
        let expected = ridge.predict(profiles.row(row));
        for (number, expected) in vectors[row * width..(row + 1) * width].iter_mut().zip(&expected) {
            *number = *expected as f32;
        }
        if let (Some(bias), Some(expected)) = (bias.get_mut(row), expected.get(width)) {
            *bias = *expected as f32;
        }
    }
    Ok(())
}

/// Why a user's vector `mine` fits that of an item: the items of `known`, by the part of the vector that is a sum of
/// theirs (Hu, Koren and Volinsky 2008, section 5, for any vector).
fn explained(factors: &Factors, known: &Interactions, user: usize, item: usize) -> Option<Vec<Reason>> {
    let (width, rows) = (factors.width, known.of_user(user));
    let mut squares = vec![0.0; width * width];
    for row in rows {
        let own = factors.item(row.item as usize);
        for (at, one) in own.iter().enumerate() {
            let into = &mut squares[at * width..(at + 1) * width];
            into.iter_mut().zip(own).for_each(|(sum, other)| *sum += f64::from(*one) * f64::from(*other));
        }
    }
    let trace: f64 = (0..width).map(|at| squares[at * width + at]).sum();
    (0..width).for_each(|at| squares[at * width + at] += LEAST * trace / width as f64);
    let wide = |vector: &[f32]| vector.iter().map(|it| f64::from(*it)).collect::<Vec<f64>>();
    let (mine, toward) = (wide(factors.user(user)), wide(factors.item(item)));
    let toward = linear::Factor::new(&squares, width).ok()?.solve(&toward);
    let reason = |own: u32| {
        let vector = wide(factors.item(own as usize));
        let contribution = linear::dot(&toward, &vector) * linear::dot(&mine, &vector);
        Reason { because: Because::Item(own), contribution }
    };
    Some(rows.iter().map(|row| reason(row.item)).collect())
}

impl Scorer for Factors {
    fn scores(&self, user: usize) -> Vec<f64> {
        (0..self.seen.interactions.items()).map(|item| self.score(user, item)).collect()
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let mut reasons = explained(self, &self.seen.interactions, user, item).unwrap_or_default();
        if let Some(bias) = self.bias.get(item) {
            reasons.push(Reason { because: Because::Popularity, contribution: f64::from(*bias) });
        }
        let said: f64 = reasons.iter().map(|reason| reason.contribution).sum();
        reasons.push(Reason { because: Because::Rest, contribution: self.score(user, item) - said });
        reasons
    }
}
