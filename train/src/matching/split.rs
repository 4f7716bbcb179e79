//! Interactions parted into what is learned from and what is judged on.

use crate::anomaly::dice::Dice;

use super::{Interactions, MatchingError};

/// How interactions are parted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// A share of all pairs, drawn by chance, is judged on.
    Random {
        /// Above 0 and below 1; a quarter is usual.
        test: f64,
    },
    /// The last pair of each user who has two or more is judged on.
    LeaveLast,
    /// The latest share of all pairs is judged on; pairs of one instant stay together.
    Time {
        /// Above 0 and below 1.
        test: f64,
    },
    /// All pairs of a share of the items, drawn by chance, are judged on: how well newcomers are placed.
    NewItems {
        /// Above 0 and below 1.
        test: f64,
    },
}

/// The two parts, of the same users and items.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// What is learned from.
    pub train: Interactions,
    /// What is judged on.
    pub test: Interactions,
}

impl Split {
    /// Parts interactions. The same seed parts them alike.
    ///
    /// # Errors
    /// When the share is none, or a part would be empty.
    pub fn part(self, all: &Interactions, seed: u64) -> Result<Parts, MatchingError> {
        let tested = match self {
            Self::Random { test } => random(all, share(test)?, seed),
            Self::LeaveLast => last(all),
            Self::Time { test } => latest(all, share(test)?),
            Self::NewItems { test } => new_items(all, share(test)?, seed),
        };
        let parts = Parts { train: all.select(|at, _| !tested[at]), test: all.select(|at, _| tested[at]) };
        if parts.train.is_empty() {
            return Err(MatchingError::EmptyPart("learn from"));
        }
        if parts.test.is_empty() {
            return Err(MatchingError::EmptyPart("judge on"));
        }
        Ok(parts)
    }
}

fn share(test: f64) -> Result<f64, MatchingError> {
    if 0.0 < test && test < 1.0 { Ok(test) } else { Err(MatchingError::Share(test)) }
}

/// Which of `length` things are drawn.
fn drawn(length: usize, share: f64, seed: u64) -> Vec<bool> {
    let count = libm::round(length as f64 * share) as usize;
    let mut drawn = vec![false; length];
    for at in Dice::new(seed, 0).sample(length as u32, count) {
        drawn[at as usize] = true;
    }
    drawn
}

fn random(all: &Interactions, share: f64, seed: u64) -> Vec<bool> {
    drawn(all.len(), share, seed)
}

fn last(all: &Interactions) -> Vec<bool> {
    let mut tested = Vec::with_capacity(all.len());
    for user in 0..all.users() {
        let rows = all.of_user(user);
        let last = (0..rows.len()).max_by_key(|at| (rows[*at].ts_us, *at));
        tested.extend((0..rows.len()).map(|at| 1 < rows.len() && Some(at) == last));
    }
    tested
}

fn latest(all: &Interactions, share: f64) -> Vec<bool> {
    let mut times: Vec<i64> = all.rows().iter().map(|row| row.ts_us).collect();
    times.sort_unstable();
    let at = libm::floor(times.len() as f64 * (1.0 - share)) as usize;
    let from = times.get(at).copied().unwrap_or(i64::MAX);
    all.rows().iter().map(|row| from <= row.ts_us).collect()
}

fn new_items(all: &Interactions, share: f64, seed: u64) -> Vec<bool> {
    let known: Vec<usize> =
        all.popularity().iter().enumerate().filter(|(_, count)| 0 < **count).map(|(item, _)| item).collect();
    let mut new = vec![false; all.items()];
    for (item, drawn) in known.iter().zip(drawn(known.len(), share, seed)) {
        new[*item] = drawn;
    }
    all.rows().iter().map(|row| new[row.item as usize]).collect()
}
