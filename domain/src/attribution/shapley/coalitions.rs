//! Which sets of channels met in journeys, and what came of it.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::attribution::{Chunk, Statistics, journeys::Distinct};

/// What came of the journeys of some set of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Journeys that converted.
    pub conversions: f64,
    /// What their conversions are worth.
    pub value: f64,
    /// Journeys that did not.
    pub nulls: f64,
}

impl std::ops::AddAssign for Worth {
    fn add_assign(&mut self, other: Self) {
        self.conversions += other.conversions;
        self.value += other.value;
        self.nulls += other.nulls;
    }
}

/// What came of journeys, by the exact set of their channels: enough for every game.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Box<[u32]>, Worth)>", into = "Vec<(Box<[u32]>, Worth)>")]
pub struct CoalitionStatistics {
    /// Sets are sorted lists of channels.
    sets: HashMap<Box<[u32]>, Worth, FixedState>,
    distinct: Distinct,
    set: Vec<u32>,
}

impl CoalitionStatistics {
    /// Every set of channels that some journey has, with what came of the journeys that have just these channels. Sets and
    /// their channels ascend, so that sums over them are the same in every run.
    #[must_use]
    pub fn sets(&self) -> Vec<(&[u32], Worth)> {
        let mut sets: Vec<(&[u32], Worth)> = self.sets.iter().map(|(set, worth)| (&**set, *worth)).collect();
        sets.sort_unstable_by_key(|(set, _)| *set);
        sets
    }
}

/// The channels that some set has, ascending.
pub(super) fn players(sets: &[(&[u32], Worth)]) -> Vec<u32> {
    let mut present = Vec::new();
    for channel in sets.iter().flat_map(|(set, _)| *set) {
        let place = *channel as usize;
        present.resize(present.len().max(place + 1), false);
        present[place] = true;
    }
    (0..).zip(present).filter_map(|(channel, present)| present.then_some(channel)).collect()
}

/// What came of all journeys.
pub(super) fn total(sets: &[(&[u32], Worth)]) -> Worth {
    sets.iter().fold(Worth::default(), |mut total, (_, worth)| {
        total += *worth;
        total
    })
}

impl Statistics for CoalitionStatistics {
    fn add(&mut self, journeys: &Chunk<'_>) {
        for row in journeys.iter().filter(|row| 0.0 < row.conversions + row.nulls) {
            self.set.clear();
            self.set.extend_from_slice(self.distinct.of(row.journey.touches));
            self.set.sort_unstable();
            let worth = Worth { conversions: row.conversions, value: row.value, nulls: row.nulls };
            match self.sets.get_mut(&*self.set) {
                Some(sum) => *sum += worth,
                None => drop(self.sets.insert(self.set.as_slice().into(), worth)),
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for (set, worth) in other.sets {
            *self.sets.entry(set).or_default() += worth;
        }
    }
}

impl From<Vec<(Box<[u32]>, Worth)>> for CoalitionStatistics {
    fn from(sets: Vec<(Box<[u32]>, Worth)>) -> Self {
        Self { sets: sets.into_iter().collect(), ..Self::default() }
    }
}

impl From<CoalitionStatistics> for Vec<(Box<[u32]>, Worth)> {
    fn from(statistics: CoalitionStatistics) -> Self {
        let mut sets: Self = statistics.sets.into_iter().collect();
        sets.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        sets
    }
}
