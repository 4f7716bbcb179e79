//! When an entity is looked at again because what was known of it has left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    entity::{Entity, Key},
    window::HOUR,
};

/// Entities by the hour in which they are due.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sweep {
    due: BTreeMap<i64, Vec<(u8, Key)>>,
}

impl Sweep {
    /// Looks at an entity again at the first whole hour at or after `at_us`.
    pub(super) fn schedule(&mut self, entity: Entity, key: Key, at_us: i64) {
        let hour = at_us.saturating_add(HOUR - 1).div_euclid(HOUR);
        self.due.entry(hour).or_default().push((entity as u8, key));
    }

    /// An entity that is due.
    pub(super) fn next(&mut self, now_us: i64) -> Option<(Entity, Key)> {
        loop {
            let mut first = self.due.first_entry()?;
            if now_us < first.key().saturating_mul(HOUR) {
                return None;
            }
            match first.get_mut().pop() {
                Some((entity, key)) => return Some((*Entity::ALL.get(usize::from(entity))?, key)),
                None => drop(first.remove()),
            }
        }
    }
}
