//! How many different ones: counted while they are few, estimated when they are many.

use serde::{Deserialize, Serialize};

use super::{hyperloglog::HyperLogLog, members::Members};

/// Up to so many different ones are counted exactly; more are estimated, with a standard error of 1.6 %.
pub const EXACTLY: usize = 1_024;

/// A set whose members leave when nothing renews them. Its size is a function of the set alone, however it came about:
/// of all members the [`EXACTLY`] + 1 that stay longest are kept one by one, so that they are all of them again when
/// enough others have left; a sketch counts beside them while there are more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Distinct {
    members: Members,
    /// All of them, when there are more than can be kept one by one.
    sketch: Option<Box<HyperLogLog>>,
}

impl Distinct {
    /// A member, which stays at least until it leaves.
    pub fn add(&mut self, leaves_us: i64, member: u64) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(leaves_us, member);
        }
        self.members.add(leaves_us, member);
        if EXACTLY + 1 < self.members.len() {
            self.members.pop();
        } else if self.members.len() == EXACTLY + 1 && self.sketch.is_none() {
            let mut sketch = Box::<HyperLogLog>::default();
            self.members.all().into_iter().for_each(|(leaves_us, member)| sketch.add(leaves_us, member));
            self.sketch = Some(sketch);
        }
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        self.members.expire(now_us);
        if self.members.len() <= EXACTLY {
            self.sketch = None;
        } else if let Some(sketch) = &mut self.sketch {
            sketch.expire(now_us);
        }
    }

    /// The instant before which nothing leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        let sketch_us = self.sketch.as_ref().map_or(i64::MAX, |sketch| sketch.due_us());
        self.members.due_us().min(sketch_us)
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
        self.members.shrink();
    }
}

/// How many different ones there are among so few that they are counted exactly; the list is put in order.
#[must_use]
pub fn of(members: &mut [i64]) -> u64 {
    members.sort_unstable();
    let runs = members.chunk_by(|one, next| one == next).count();
    u64::try_from(runs).unwrap_or(u64::MAX)
}
