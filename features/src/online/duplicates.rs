//! Which events were seen already, for as long as they may come again.

use std::collections::{BTreeMap, HashSet};

use domain::event::Kind;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::window::DAY;

/// Ids of events, by kind and by the day on which they happened: both copies of an event lie in the same slice, and a
/// slice is forgotten whole when nothing of it was seen for long enough.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Duplicates {
    slices: BTreeMap<(u8, i64), Slice>,
    checked_at_us: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Slice {
    ids: HashSet<u128, RandomState>,
    seen_at_us: i64,
}

impl Duplicates {
    /// Whether this is the first time; `now_us` is when it came.
    pub(super) fn is_new(&mut self, kind: Kind, occurred_at_us: i64, id: u128, now_us: i64) -> bool {
        let slice = self.slices.entry((kind as u8, occurred_at_us.div_euclid(DAY))).or_default();
        slice.seen_at_us = now_us;
        slice.ids.insert(id)
    }

    /// Whether it was told and is still remembered.
    pub(super) fn knows(&self, kind: Kind, occurred_at_us: i64, id: u128) -> bool {
        let slice = self.slices.get(&(kind as u8, occurred_at_us.div_euclid(DAY)));
        slice.is_some_and(|slice| slice.ids.contains(&id))
    }

    /// Forgets days of which nothing came for `memory_us`. Looks at most once in an hour.
    pub(super) fn forget(&mut self, now_us: i64, memory_us: i64) {
        if now_us.saturating_sub(self.checked_at_us) < DAY / 24 {
            return;
        }
        self.checked_at_us = now_us;
        self.slices.retain(|_, slice| now_us.saturating_sub(slice.seen_at_us) <= memory_us);
    }

    /// How many ids are remembered.
    pub(super) fn ids(&self) -> usize {
        self.slices.values().map(|slice| slice.ids.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_until_its_day_was_quiet_for_long() {
        let mut seen = Duplicates::default();
        assert!(seen.is_new(Kind::Click, 5, 1, DAY));
        assert!(!seen.is_new(Kind::Click, 5, 1, 2 * DAY));
        assert!(seen.is_new(Kind::Conversion, 5, 1, 2 * DAY));
        seen.forget(9 * DAY, 7 * DAY);
        assert_eq!(seen.ids(), 2);
        seen.forget(9 * DAY + 1 + DAY / 24, 7 * DAY);
        assert_eq!(seen.ids(), 0);
        assert!(seen.is_new(Kind::Click, 5, 1, 10 * DAY));
    }
}
