//! Whom it is asked about, and when.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::entity::{Entity, Key, Keys};

/// Nobody of this kind is meant.
pub(super) const NOBODY: u32 = u32::MAX;

/// Rows of questions: an instant, and of each kind of entity that matters the one that is meant. A row takes eight bytes
/// and four for each kind, and each one that is asked about some sixty, however often.
#[derive(Debug)]
pub struct Asked {
    at_us: Vec<i64>,
    who: Vec<Who>,
}

/// Those of one kind.
#[derive(Debug)]
pub(super) struct Who {
    pub entity: Entity,
    /// A number for each.
    numbers: HashMap<Key, u32, RandomState>,
    /// Each by its number.
    pub keys: Vec<Key>,
    /// Which one each row means, by number.
    pub of_row: Vec<u32>,
}

impl Asked {
    /// No rows yet, about these kinds of entity.
    #[must_use]
    pub fn about(entities: impl IntoIterator<Item = Entity>) -> Self {
        let mut entities: Vec<Entity> = entities.into_iter().collect();
        entities.sort_unstable();
        entities.dedup();
        let who = entities.into_iter().map(|entity| Who {
            entity,
            numbers: HashMap::default(),
            keys: Vec::new(),
            of_row: Vec::new(),
        });
        Self { at_us: Vec::new(), who: who.collect() }
    }

    /// One more row.
    ///
    /// # Panics
    /// When there are more than four billion of one kind of entity.
    pub fn push(&mut self, at_us: i64, keys: &Keys) {
        self.at_us.push(at_us);
        for who in &mut self.who {
            let number = keys.get(who.entity).map_or(NOBODY, |key| who.number_of(key));
            who.of_row.push(number);
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.at_us.len()
    }

    /// When each row is asked about, in microseconds since the Unix epoch.
    #[must_use]
    pub fn at_us(&self) -> &[i64] {
        &self.at_us
    }

    pub(super) fn who(&self) -> &[Who] {
        &self.who
    }
}

impl Who {
    fn number_of(&mut self, key: Key) -> u32 {
        let Self { numbers, keys, .. } = self;
        *numbers.entry(key).or_insert_with(|| {
            keys.push(key);
            u32::try_from(keys.len() - 1).expect("fewer than four billion of one kind are asked about")
        })
    }

    /// The number of one that is asked about.
    pub(super) fn known(&self, key: Key) -> Option<u32> {
        self.numbers.get(&key).copied()
    }
}
