//! Users and items as vectors whose products say how well they fit; newcomers' vectors come from their features.

use std::sync::Arc;

use models::graph::towers::{Tower, Towers};

use crate::{
    linear,
    matching::{
        Because, Exported, Interactions, MatchingError, Profiles, Reason, Scorer, Seen, ridge::Ridge,
    },
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
    /// What made vectors of newcomers among users, where it was not a ridge regression.
    tower: Option<Tower>,
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
        Ok(Self { seen: Arc::clone(seen), width, users, items, bias, tower: None })
    }

    /// Takes vectors of everybody, newcomers too, and what made those.
    #[cfg(feature = "torch")]
    pub(super) fn placed(
        seen: &Arc<Seen>,
        users: Vec<f32>,
        (items, bias): (Vec<f32>, Vec<f32>),
        tower: Tower,
    ) -> Self {
        Self { seen: Arc::clone(seen), width: tower.bias.len(), users, items, bias, tower: Some(tower) }
    }

    /// What makes a vector of a user of whom only features are known.
    fn newcomers(&self) -> Option<Tower> {
        if let Some(tower) = &self.tower {
            return Some(tower.clone());
        }
        let all = &self.seen.interactions;
        let active: Vec<usize> = (0..all.users()).map(|user| all.of_user(user).len()).collect();
        let Some(profiles) = &self.seen.users else {
            return Some(Tower { bias: vec![0.0; self.width], ..Tower::default() });
        };
        let ridge = expecting(profiles, &active, self.width, (&self.users, &[])).ok()?;
        let (weights, bias) = (ridge.slopes(), ridge.means().to_vec());
        Some(Tower { told: profiles.told(), weights, bias, bend: Vec::new() })
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
        product(self.user(user), self.item(item)) + f64::from(self.bias.get(item).copied().unwrap_or(0.0))
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
    if counts.iter().all(|count| 0 < *count) || counts.iter().all(|count| *count == 0) {
        return Ok(());
    }
    let ridge = expecting(profiles, counts, width, (vectors, bias))?;
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

/// What vectors, and their bias, are expected of features, from those who have interactions.
fn expecting(
    profiles: &Profiles,
    counts: &[usize],
    width: usize,
    (vectors, bias): (&[f32], &[f32]),
) -> Result<Ridge, MatchingError> {
    let known: Vec<(usize, f64)> = (0..counts.len())
        .filter(|row| 0 < counts[*row])
        .map(|row| (row, libm::log1p(counts[row] as f64)))
        .collect();
    let numbers = |row: usize| -> Vec<f64> {
        let vector = vectors[row * width..(row + 1) * width].iter();
        vector.chain(bias.get(row)).map(|number| f64::from(*number)).collect()
    };
    Ridge::fit(profiles, &known, numbers, width + usize::from(!bias.is_empty()), PENALTY)
}

/// The product of two vectors in double precision, as graphs have it, in eight sums side by side.
fn product(one: &[f32], other: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (ones, others) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    for (one, other) in ones.0.iter().zip(others.0) {
        for at in 0..8 {
            sums[at] += f64::from(one[at]) * f64::from(other[at]);
        }
    }
    let rest: f64 = ones.1.iter().zip(others.1).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
    sums.iter().sum::<f64>() + rest
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

    fn exported(&self) -> Option<Exported<'_>> {
        let rank = self.width + usize::from(!self.bias.is_empty());
        let wide = |vector: &[f32]| vector.iter().map(|it| f64::from(*it)).collect::<Vec<f64>>();
        // The last number of an item is what it has before any user is asked, and that of every user is one.
        let longer = |vector: Vec<f64>, last: f64| -> Vec<f64> {
            vector.into_iter().chain([last].into_iter().take(rank - self.width)).collect()
        };
        let users = self.users.chunks_exact(self.width).flat_map(|vector| longer(wide(vector), 1.0));
        let bias = |item: usize| self.bias.get(item).map_or(0.0, |bias| f64::from(*bias));
        let items = self.items.chunks_exact(self.width).enumerate();
        let items = items.flat_map(|(item, vector)| longer(wide(vector), bias(item)));
        let Tower { told, weights, bias, bend } = self.newcomers()?;
        let mut bend: Vec<f64> =
            bend.chunks_exact(self.width).flat_map(|row| longer(row.to_vec(), 0.0)).collect();
        if !bend.is_empty() {
            bend.resize(rank * rank, 0.0);
        }
        let newcomers = Tower {
            told,
            weights: weights.chunks_exact(self.width).flat_map(|row| longer(row.to_vec(), 0.0)).collect(),
            bias: longer(bias, 1.0),
            bend,
        };
        Some(Exported::Towers(Towers { rank, users: users.collect(), newcomers, items: items.collect() }))
    }
}
