//! The members of a set, one by one, in the order in which they leave.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::window::NEVER;

/// So few are looked through; more are looked up.
pub const FEW: usize = 16;
/// No place at all.
const NONE: usize = usize::MAX;

/// Members that leave when nothing renews them. Renewing one takes constant time when no other leaves later; otherwise
/// it takes as long as those are many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Members {
    /// When each leaves, and which it is, in no order.
    Few(Vec<(i64, u64)>),
    /// A list in order, and where each stands in it.
    Many(Box<Many>),
}

/// A list in the order in which its members leave, linked both ways, in places that are used again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, u64)>", into = "Vec<(i64, u64)>")]
pub struct Many {
    places: HashMap<u64, usize, RandomState>,
    nodes: Vec<Node>,
    first: usize,
    last: usize,
    /// Places that are free.
    free: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    leaves_us: i64,
    member: u64,
    before: usize,
    after: usize,
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
            Self::Many(many) => {
                while many.due_us() <= now_us && many.first != NONE {
                    many.pop();
                }
            }
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

    /// When the first one leaves; [`NEVER`] when none does.
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
            Self::Many(many) => many.places.len(),
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
            Self::Many(many) => many.in_order().collect(),
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
        let place = match self.places.get(&member) {
            Some(place) if leaves_us <= self.nodes[*place].leaves_us => return,
            Some(place) => {
                let place = *place;
                self.unlink(place);
                place
            }
            None => {
                let place = self.free.pop().unwrap_or(self.nodes.len());
                if place == self.nodes.len() {
                    self.nodes.push(Node { leaves_us, member, before: NONE, after: NONE });
                }
                self.places.insert(member, place);
                place
            }
        };
        self.link(place, leaves_us, member);
    }

    fn pop(&mut self) {
        let place = self.first;
        if place == NONE {
            return;
        }
        self.unlink(place);
        self.places.remove(&self.nodes[place].member);
        self.free.push(place);
    }

    fn due_us(&self) -> i64 {
        self.nodes.get(self.first).map_or(NEVER, |node| node.leaves_us)
    }

    /// Puts a member behind the last of those that leave with it or before.
    fn link(&mut self, place: usize, leaves_us: i64, member: u64) {
        let mut before = self.last;
        while before != NONE && leaves_us < self.nodes[before].leaves_us {
            before = self.nodes[before].before;
        }
        let after = if before == NONE { self.first } else { self.nodes[before].after };
        self.nodes[place] = Node { leaves_us, member, before, after };
        self.join(before, place);
        self.join(place, after);
    }

    fn unlink(&mut self, place: usize) {
        let Node { before, after, .. } = self.nodes[place];
        self.join(before, after);
    }

    /// Makes two places neighbours, where `NONE` is the end on either side.
    fn join(&mut self, before: usize, after: usize) {
        match self.nodes.get_mut(before) {
            Some(node) => node.after = after,
            None => self.first = after,
        }
        match self.nodes.get_mut(after) {
            Some(node) => node.before = before,
            None => self.last = before,
        }
    }

    fn in_order(&self) -> impl Iterator<Item = (i64, u64)> {
        let step = |node: &&Node| self.nodes.get(node.after);
        let nodes = std::iter::successors(self.nodes.get(self.first), move |node| step(node));
        nodes.map(|node| (node.leaves_us, node.member))
    }
}

impl From<Vec<(i64, u64)>> for Many {
    fn from(mut members: Vec<(i64, u64)>) -> Self {
        members.sort_unstable();
        let places = HashMap::default();
        let mut many = Self { places, nodes: Vec::new(), first: NONE, last: NONE, free: Vec::new() };
        members.into_iter().for_each(|(leaves_us, member)| many.add(leaves_us, member));
        many
    }
}

impl From<Many> for Vec<(i64, u64)> {
    fn from(many: Many) -> Self {
        many.in_order().collect()
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
                prop_assert_eq!(members.due_us(), plain.values().min().copied().unwrap_or(NEVER));
                prop_assert_eq!(members.len(), plain.len());
            }
        }
    }
}
