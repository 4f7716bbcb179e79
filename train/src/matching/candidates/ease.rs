//! Each item's interactions as a linear regression on those of all others, in closed form (EASE: Steck 2019, "Embarrassingly
//! Shallow Autoencoders for Sparse Data"), with a ridge that grows with popularity, which stands for items dropped out at
//! random (EDLAE: Steck 2020), and with features of items as users who had to do with all that have them (Jeunen, Van Balen
//! and Goethals 2020).
//!
//! With Y the users (and features) × items table and Λ the ridges, the inverse P of Y'Y + Λ gives the coefficients
//! −P_ji / P_ii. Where users are fewer than items, the inverse of the users × users matrix K = Y Λ⁻¹ Y' + 1 says the same
//! (Woodbury): P = Λ⁻¹ − Λ⁻¹ Y' K⁻¹ Y Λ⁻¹.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::matching::{
    Because, Candidate, Interaction, Interactions, MatchingError, Reason, Scorer, Seen, inverse::inverse,
};

pub(super) const EASE: Candidate = Candidate {
    name: "ease",
    doc: "Each item as a linear regression on all others, in closed form, with features of items as further rows.",
    fit: |seen, _| Ok(Box::new(fit(&Ease::default(), seen)?)),
};

/// The largest inverse, in rows; where both sides are larger, only so many of the items with most users have a score.
const MOST: usize = 6_000;

/// How EASE is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ease {
    /// What squared coefficients cost.
    pub ridge: f64,
    /// What they cost more for each squared interaction of the item that they are of.
    pub dropout: f64,
    /// The power of a user's number of items that the user's interactions are divided by.
    pub user_power: f64,
    /// By how much an interaction counts more whose value is a standard deviation above the mean.
    pub grading: f64,
    /// How much a feature counts; an interaction counts about 1.
    pub features: f64,
}

impl Default for Ease {
    fn default() -> Self {
        Self { ridge: 300.0, dropout: 0.5, user_power: 0.2, grading: 0.1, features: 3.0 }
    }
}

/// Fitted item regressions.
#[derive(Debug)]
pub struct Regressions {
    seen: Arc<Seen>,
    /// The users × items table with features below: of each item the rows and their entries.
    columns: Vec<Vec<(u32, f64)>>,
    /// The row of each user in it; None for those without interactions.
    row_of: Vec<Option<u32>>,
    /// The entries of users, as their interactions are ordered.
    entries: Vec<f64>,
    ridges: Vec<f64>,
    inverse: Inverse,
}

#[derive(Debug)]
enum Inverse {
    /// K⁻¹ and the diagonal of P.
    Users(DMatrix<f64>, Vec<f64>),
    /// P, of the items in it, and the place of each item.
    Items(DMatrix<f64>, Vec<Option<u32>>),
}

/// Fits item regressions.
///
/// # Errors
/// When the ridge is too small for numbers of this precision.
pub fn fit(plan: &Ease, seen: &Arc<Seen>) -> Result<Regressions, MatchingError> {
    let all = &seen.interactions;
    let entries = entries(plan, all);
    let mut rows = 0;
    let row_of: Vec<Option<u32>> = (0..all.users())
        .map(|user| {
            (!all.of_user(user).is_empty()).then(|| {
                rows += 1;
                rows - 1
            })
        })
        .collect();
    let mut columns: Vec<Vec<(u32, f64)>> = vec![Vec::new(); all.items()];
    for (row, entry) in all.rows().iter().zip(&entries) {
        if let Some(place) = row_of[row.user as usize] {
            columns[row.item as usize].push((place, *entry));
        }
    }
    if let Some(profiles) = seen.items.as_ref().filter(|_| 0.0 < plan.features) {
        for (item, column) in columns.iter_mut().enumerate() {
            column.extend(profiles.row(item).iter().map(|(at, weight)| (rows + at, plan.features * weight)));
        }
        rows += profiles.names().len() as u32;
    }
    let squares: Vec<f64> = all
        .popularity()
        .iter()
        .zip(&columns)
        .map(|(count, column)| column[..*count].iter().map(|(_, it)| it * it).sum())
        .collect();
    let ridges: Vec<f64> = squares.iter().map(|squares: &f64| plan.ridge + plan.dropout * squares).collect();
    let rows = rows as usize;
    let inverse = if rows <= all.items() && rows <= MOST {
        by_users(&columns, &ridges, rows)?
    } else {
        by_items(&columns, &ridges, rows)?
    };
    Ok(Regressions { seen: Arc::clone(seen), columns, row_of, entries, ridges, inverse })
}

/// What interactions count: users of many items less, and high values more.
fn entries(plan: &Ease, all: &Interactions) -> Vec<f64> {
    let count = all.len() as f64;
    let mean = all.rows().iter().map(|row| row.value).sum::<f64>() / count;
    let spread =
        (all.rows().iter().map(|row| (row.value - mean) * (row.value - mean)).sum::<f64>() / count).sqrt();
    let active: Vec<f64> = (0..all.users()).map(|user| libm::log(all.of_user(user).len() as f64)).collect();
    let usual = active.iter().filter(|it| it.is_finite()).sum::<f64>()
        / active.iter().filter(|it| it.is_finite()).count() as f64;
    let of = |row: &Interaction| {
        let above = if 0.0 < spread { ((row.value - mean) / spread).clamp(-3.0, 3.0) } else { 0.0 };
        (1.0 + plan.grading * above) * libm::exp(plan.user_power * (usual - active[row.user as usize]))
    };
    all.rows().iter().map(of).collect()
}

fn by_users(columns: &[Vec<(u32, f64)>], ridges: &[f64], rows: usize) -> Result<Inverse, MatchingError> {
    let mut matrix = DMatrix::<f64>::identity(rows, rows);
    for (column, ridge) in columns.iter().zip(ridges) {
        for (at, (one, entry)) in column.iter().enumerate() {
            let entry = entry / ridge;
            let mut into = matrix.column_mut(*one as usize);
            column[at..].iter().for_each(|(other, second)| into[*other as usize] += entry * second);
        }
    }
    let inverse = inverse(matrix)?;
    let diagonal = |(column, ridge): (&Vec<(u32, f64)>, &f64)| {
        (1.0 - product(&times(&inverse, column), column) / ridge) / ridge
    };
    let diagonal = columns.iter().zip(ridges).map(diagonal).collect();
    Ok(Inverse::Users(inverse, diagonal))
}

fn by_items(columns: &[Vec<(u32, f64)>], ridges: &[f64], rows: usize) -> Result<Inverse, MatchingError> {
    let mut items: Vec<u32> = (0..columns.len() as u32).collect();
    items.sort_by_key(|item| (usize::MAX - columns[*item as usize].len(), *item));
    items.truncate(MOST);
    let mut place = vec![None; columns.len()];
    items.iter().zip(0..).for_each(|(item, at)| place[*item as usize] = Some(at));
    let mut by_row: Vec<Vec<(u32, f64)>> = vec![Vec::new(); rows];
    for (at, item) in items.iter().enumerate() {
        columns[*item as usize]
            .iter()
            .for_each(|(row, entry)| by_row[*row as usize].push((at as u32, *entry)));
    }
    let mut matrix = DMatrix::<f64>::zeros(items.len(), items.len());
    for row in &by_row {
        for (at, (one, entry)) in row.iter().enumerate() {
            let mut into = matrix.column_mut(*one as usize);
            row[at..].iter().for_each(|(other, second)| into[*other as usize] += entry * second);
        }
    }
    items.iter().enumerate().for_each(|(at, item)| matrix[(at, at)] += ridges[*item as usize]);
    Ok(Inverse::Items(inverse(matrix)?, place))
}

/// A symmetric matrix times a sparse vector.
fn times(matrix: &DMatrix<f64>, sparse: &[(u32, f64)]) -> Vec<f64> {
    let mut product = vec![0.0; matrix.nrows()];
    for (at, entry) in sparse {
        let column = matrix.column(*at as usize);
        product.iter_mut().zip(column.iter()).for_each(|(sum, it)| *sum += entry * it);
    }
    product
}

fn product(dense: &[f64], sparse: &[(u32, f64)]) -> f64 {
    sparse.iter().map(|(at, entry)| entry * dense[*at as usize]).sum()
}

impl Regressions {
    /// The user's items and their entries.
    fn of_user(&self, user: usize) -> impl Iterator<Item = (u32, f64)> {
        let rows = self.seen.interactions.of_user(user);
        let first = self.seen.interactions.first_of_user(user);
        rows.iter().zip(&self.entries[first..]).map(|(row, entry)| (row.item, *entry))
    }
}

impl Scorer for Regressions {
    fn scores(&self, user: usize) -> Vec<f64> {
        let mut scores = vec![0.0; self.columns.len()];
        match (&self.inverse, self.row_of[user]) {
            (_, None) => {}
            (Inverse::Users(inverse, diagonal), Some(row)) => {
                let column = inverse.column(row as usize);
                let column = column.as_slice();
                for (item, score) in scores.iter_mut().enumerate() {
                    *score = -product(column, &self.columns[item]) / (self.ridges[item] * diagonal[item]);
                }
                self.of_user(user).for_each(|(item, entry)| scores[item as usize] += entry);
            }
            (Inverse::Items(inverse, place), Some(_)) => {
                let own = |(item, entry): (u32, f64)| Some((place[item as usize]?, entry));
                let own: Vec<(u32, f64)> = self.of_user(user).filter_map(own).collect();
                let sums = times(inverse, &own);
                let entries: foldhash::HashMap<u32, f64> = own.into_iter().collect();
                for (score, at) in scores.iter_mut().zip(place) {
                    let Some(at) = at else { continue };
                    let entry = entries.get(at).copied().unwrap_or(0.0);
                    *score = entry - sums[*at as usize] / inverse[(*at as usize, *at as usize)];
                }
            }
        }
        scores
    }

    fn reasons(&self, user: usize, item: usize) -> Vec<Reason> {
        let weigh: Box<dyn Fn(u32) -> f64> = match &self.inverse {
            Inverse::Users(inverse, diagonal) => {
                let toward = times(inverse, &self.columns[item]);
                let scale = self.ridges[item] * diagonal[item];
                Box::new(move |own| {
                    product(&toward, &self.columns[own as usize]) / (scale * self.ridges[own as usize])
                })
            }
            Inverse::Items(inverse, place) => Box::new(move |own| match (place[item], place[own as usize]) {
                (Some(to), Some(from)) => {
                    -inverse[(from as usize, to as usize)] / inverse[(to as usize, to as usize)]
                }
                _ => 0.0,
            }),
        };
        let others = self.of_user(user).filter(|(own, _)| *own as usize != item);
        others
            .map(|(own, entry)| Reason { because: Because::Item(own), contribution: entry * weigh(own) })
            .collect()
    }
}
