//! How many events fall into each category, or each bucket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::departures::Departures;

/// Counts by category, from which what leaves is taken away exactly.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "C: Serialize + DeserializeOwned + Ord")]
pub struct Tally<C> {
    counts: BTreeMap<C, u64>,
    departures: Departures<(C, u64)>,
}

impl<C: Copy + Ord> Default for Tally<C> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), departures: Departures::default() }
    }
}

/// A category's count changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub before: u64,
    /// What it is.
    pub after: u64,
}

impl<C: Copy + Ord> Tally<C> {
    /// One more event of a category.
    pub fn add(&mut self, leaves_us: i64, category: C) -> Change {
        let count = self.counts.entry(category).or_default();
        *count += 1;
        let after = *count;
        self.departures.add(leaves_us, (category, 1), |there, more| {
            let is_same = there.0 == more.0;
            there.1 += if is_same { more.1 } else { 0 };
            is_same
        });
        Change { before: after - 1, after }
    }

    /// Takes away those that have left, and says so of each category.
    pub fn expire(&mut self, now_us: i64, mut each: impl FnMut(Change)) {
        while let Some((category, gone)) = self.departures.next_gone(now_us) {
            let before = self.counts.get(&category).copied().unwrap_or_default();
            let after = before - gone;
            if after == 0 {
                self.counts.remove(&category);
            } else {
                self.counts.insert(category, after);
            }
            each(Change { before, after });
        }
    }

    /// Every category with its count, in order.
    pub fn counts(&self) -> impl Iterator<Item = (C, u64)> {
        self.counts.iter().map(|(category, count)| (*category, *count))
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.departures.shrink();
    }
}
