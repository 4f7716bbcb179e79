//! How many different ones: counted while they are few, estimated when they are many.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::hyperloglog::HyperLogLog;

/// Up to so many different ones are counted exactly; more are estimated, with a standard error of 1.6 %.
pub const EXACTLY: usize = 1_024;
/// So few are looked through; more are looked up.
const FEW: usize = 16;

/// A set whose members leave when nothing renews them. Its size is a function of the set alone, however it came about:
/// of all members the [`EXACTLY`] + 1 that stay longest are kept one by one, so that they are all of them again when
/// enough others have left; a sketch counts beside them while there are more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Distinct {
    /// When each leaves, and which it is, in this order.
    members: VecDeque<(i64, u64)>,
    /// When each leaves, once there are more than a few.
    leaves_us: Option<HashMap<u64, i64, RandomState>>,
    /// All of them, when there are more than can be kept one by one.
    sketch: Option<Box<HyperLogLog>>,
}

impl Distinct {
    /// A member, which stays at least until it leaves.
    pub fn add(&mut self, leaves_us: i64, member: u64) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(leaves_us, member);
        }
        match self.leaves(member) {
            Some(known) if leaves_us <= known => return,
            Some(known) => self.remove(known, member),
            None => {}
        }
        let is_last = self.members.back().is_none_or(|(last, _)| *last <= leaves_us);
        let place =
            if is_last { self.members.len() } else { self.members.partition_point(|it| it.0 <= leaves_us) };
        self.members.insert(place, (leaves_us, member));
        if let Some(index) = &mut self.leaves_us {
            index.insert(member, leaves_us);
        } else if FEW < self.members.len() {
            self.leaves_us =
                Some(self.members.iter().map(|(leaves_us, member)| (*member, *leaves_us)).collect());
        }
        if EXACTLY + 1 < self.members.len() {
            self.pop();
        } else if self.members.len() == EXACTLY + 1 && self.sketch.is_none() {
            let mut sketch = Box::<HyperLogLog>::default();
            self.members.iter().for_each(|(leaves_us, member)| sketch.add(*leaves_us, *member));
            self.sketch = Some(sketch);
        }
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while self.members.front().is_some_and(|(leaves_us, _)| *leaves_us <= now_us) {
            self.pop();
        }
        if self.members.len() <= EXACTLY {
            self.sketch = None;
        } else if let Some(sketch) = &mut self.sketch {
            sketch.expire(now_us);
        }
    }

    /// How many different ones there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        let kept = u64::try_from(self.members.len()).unwrap_or(u64::MAX);
        let Some(sketch) = &self.sketch else { return kept };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate is a small positive number"
        )]
        let estimate = sketch.estimate().round() as u64;
        estimate.max(kept)
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.members.shrink_to_fit();
        if self.members.len() <= FEW {
            self.leaves_us = None;
        }
    }

    fn leaves(&self, member: u64) -> Option<i64> {
        match &self.leaves_us {
            Some(index) => index.get(&member).copied(),
            None => self.members.iter().find(|(_, it)| *it == member).map(|(leaves_us, _)| *leaves_us),
        }
    }

    fn remove(&mut self, leaves_us: i64, member: u64) {
        let first = self.members.partition_point(|(at, _)| *at < leaves_us);
        let place = self.members.range(first..).position(|(_, it)| *it == member).map(|place| first + place);
        place.and_then(|place| self.members.remove(place));
    }

    fn pop(&mut self) {
        if let (Some((_, member)), Some(index)) = (self.members.pop_front(), &mut self.leaves_us) {
            index.remove(&member);
        }
    }
}
