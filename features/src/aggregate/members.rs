//! The members of a set, one by one, in the order in which they leave.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::window::NEVER;

/// So few are looked through; more are looked up.
pub const FEW: usize = 16;
/// How often a member may have been renewed, on average, before the queue forgets what came to nothing.
const RENEWALS: usize = 3;

/// Members that leave when nothing renews them. Renewing one takes constant time on average when no other leaves later;
/// otherwise it takes as long as those are many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Members {
    /// When each leaves, and which it is, in no order.
    Few(Vec<(i64, u64)>),
    /// Looked up, with a queue.
    Many(Box<Many>),
}

/// When each member leaves, and a queue in that order, in which one that was renewed stands more than once: only the
/// last of its places counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, u64)>", into = "Vec<(i64, u64)>")]
pub struct Many {
    leaves_us: HashMap<u64, i64, RandomState>,
    queue: VecDeque<(i64, u64)>,
}

impl Default for Members {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Members {
    /// A member, which stays at least until it leaves.
    pub fn add(&mut self, leaves_us: i64, member: u64) {
        match self {
            Self::Few(few) => {
                if let Some((known, _)) = few.iter_mut().find(|(_, it)| *it == member) {
                    *known = leaves_us.max(*known);
                    return;
                }
                few.push((leaves_us, member));
                if FEW < few.len() {
                    *self = Self::Many(Box::new(Many::from(std::mem::take(few))));
                }
            }
            Self::Many(many) => many.add(leaves_us, member),
        }
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        match self {
            Self::Few(few) => few.retain(|(leaves_us, _)| now_us < *leaves_us),
            Self::Many(many) => many.expire(now_us),
        }
    }

    /// Forgets the one that leaves first.
    pub fn pop(&mut self) {
        match self {
            Self::Few(few) => {
                let first = few.iter().enumerate().min_by_key(|(_, (leaves_us, _))| *leaves_us);
                let first = first.map(|(place, _)| place);
                first.into_iter().for_each(|place| _ = few.swap_remove(place));
            }
            Self::Many(many) => many.pop(),
        }
    }

    /// The instant before which none leaves; [`NEVER`] when none does.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        match self {
            Self::Few(few) => few.iter().map(|(leaves_us, _)| *leaves_us).min().unwrap_or(NEVER),
            Self::Many(many) => many.due_us(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.leaves_us.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every one, with when it leaves.
    #[must_use]
    pub fn all(&self) -> Vec<(i64, u64)> {
        match self {
            Self::Few(few) => few.clone(),
            Self::Many(many) => many.all().collect(),
        }
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        if self.len() <= FEW {
            *self = Self::Few(self.all());
        }
    }
}

impl Many {
    fn add(&mut self, leaves_us: i64, member: u64) {
        let known = self.leaves_us.entry(member).or_insert(i64::MIN);
        if leaves_us <= *known {
            return;
        }
        *known = leaves_us;
        if self.queue.back().is_none_or(|(last, _)| *last <= leaves_us) {
            self.queue.push_back((leaves_us, member));
        } else {
            let place = self.queue.partition_point(|(at, _)| *at <= leaves_us);
            self.queue.insert(place, (leaves_us, member));
        }
        if (1 + RENEWALS) * self.leaves_us.len() < self.queue.len() {
            let Self { leaves_us, queue } = self;
            queue.retain(|(at, member)| leaves_us.get(member) == Some(at));
        }
    }

    fn expire(&mut self, now_us: i64) {
        while self.queue.front().is_some_and(|(leaves_us, _)| *leaves_us <= now_us) {
            self.forget_first();
        }
    }

    /// Forgets the member that leaves first.
    fn pop(&mut self) {
        let before = self.leaves_us.len();
        while self.leaves_us.len() == before && !self.queue.is_empty() {
            self.forget_first();
        }
    }

    /// Takes the first place of the queue away, and its member with it if that place counts.
    fn forget_first(&mut self) {
        let Some((leaves_us, member)) = self.queue.pop_front() else { return };
        if self.leaves_us.get(&member) == Some(&leaves_us) {
            self.leaves_us.remove(&member);
        }
    }

    fn due_us(&self) -> i64 {
        self.queue.front().map_or(NEVER, |(leaves_us, _)| *leaves_us)
    }

    fn all(&self) -> impl Iterator<Item = (i64, u64)> {
        self.leaves_us.iter().map(|(member, leaves_us)| (*leaves_us, *member))
    }
}

impl From<Vec<(i64, u64)>> for Many {
    fn from(mut members: Vec<(i64, u64)>) -> Self {
        members.sort_unstable();
        let mut many = Self::default();
        members.into_iter().for_each(|(leaves_us, member)| many.add(leaves_us, member));
        many
    }
}

impl From<Many> for Vec<(i64, u64)> {
    fn from(many: Many) -> Self {
        many.all().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_those_of_a_plain_map(
            steps in proptest::collection::vec((0_i64..4, 0_i64..60, 0_u64..40), 0..300),
        ) {
            let (mut members, mut plain) = (Members::default(), BTreeMap::<u64, i64>::new());
            let mut now_us = 0;
            for (by, stays, member) in steps {
                now_us += by;
                members.expire(now_us);
                plain.retain(|_, leaves_us| now_us < *leaves_us);
                if 0 < stays {
                    members.add(now_us + stays, member);
                    let known = plain.entry(member).or_insert(now_us + stays);
                    *known = (now_us + stays).max(*known);
                }
                let mut found: Vec<(u64, i64)> =
                    members.all().into_iter().map(|(leaves_us, member)| (member, leaves_us)).collect();
                found.sort_unstable();
                prop_assert_eq!(&found, &plain.clone().into_iter().collect::<Vec<_>>());
                let first = plain.values().min().copied().unwrap_or(NEVER);
                prop_assert!(now_us < members.due_us() && members.due_us() <= first);
                prop_assert_eq!(members.len(), plain.len());
            }
        }
    }
}
