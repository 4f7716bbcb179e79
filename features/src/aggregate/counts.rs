//! How many events fall into each category.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

/// So few are looked through; more are looked up.
const FEW: usize = 16;

/// A count for each category that has one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Counts {
    /// In no order.
    Few(Vec<(u64, u64)>),
    /// Looked up.
    Many(HashMap<u64, u64, RandomState>),
}

impl Default for Counts {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Counts {
    /// One more of a category; returns how many there are now.
    pub fn add(&mut self, category: u64) -> u64 {
        match self {
            Self::Few(few) => {
                if let Some((_, count)) = few.iter_mut().find(|(it, _)| *it == category) {
                    *count += 1;
                    return *count;
                }
                few.push((category, 1));
                if FEW < few.len() {
                    *self = Self::Many(few.iter().copied().collect());
                }
                1
            }
            Self::Many(many) => {
                let count = many.entry(category).or_default();
                *count += 1;
                *count
            }
        }
    }

    /// So many fewer of a category; returns how many are left.
    pub fn take(&mut self, category: u64, gone: u64) -> u64 {
        match self {
            Self::Few(few) => {
                let Some(place) = few.iter().position(|(it, _)| *it == category) else { return 0 };
                let left = few[place].1 - gone;
                few[place].1 = left;
                if left == 0 {
                    few.swap_remove(place);
                }
                left
            }
            Self::Many(many) => {
                let Some(count) = many.get_mut(&category) else { return 0 };
                *count -= gone;
                let left = *count;
                if left == 0 {
                    many.remove(&category);
                }
                left
            }
        }
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        if let Self::Many(many) = self
            && many.len() <= FEW
        {
            *self = Self::Few(many.drain().collect());
        }
    }
}
