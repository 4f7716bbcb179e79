//! Who waits for which cue: today's in order, and those of later days by their day alone.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    mem,
};

use crate::{rhythm::DAY, visit::actor::Actor};

/// Everybody who waits.
pub(crate) struct Wheel {
    /// The first day's midnight.
    begins_us: i64,
    today: usize,
    now: BinaryHeap<Waiting>,
    days: Vec<Vec<Waiting>>,
    count: usize,
}

/// An actor and their next cue.
struct Waiting {
    cue: Reverse<i64>,
    actor: Actor,
}

impl Wheel {
    /// Nobody waits, from one midnight to another.
    pub(crate) fn new(begins_us: i64, ends_us: i64) -> Self {
        let days = day(begins_us, ends_us);
        Self {
            begins_us,
            today: 0,
            now: BinaryHeap::new(),
            days: (0..days).map(|_| Vec::new()).collect(),
            count: 0,
        }
    }

    /// Lets somebody wait; who would be called after the end is let go.
    pub(crate) fn push(&mut self, at_us: i64, actor: Actor) {
        let (day, waiting) = (day(self.begins_us, at_us), Waiting { cue: Reverse(at_us), actor });
        if day <= self.today {
            self.now.push(waiting);
        } else if let Some(later) = self.days.get_mut(day) {
            later.push(waiting);
        } else {
            return;
        }
        self.count += 1;
    }

    /// Somebody whose cue is before `until_us`, which is today.
    pub(crate) fn pop(&mut self, until_us: i64) -> Option<(i64, Actor)> {
        self.turn(day(self.begins_us, until_us - 1));
        let due = self.now.peek().is_some_and(|next| next.cue.0 < until_us);
        let next = due.then(|| self.now.pop()).flatten()?;
        self.count -= 1;
        Some((next.cue.0, next.actor))
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn turn(&mut self, today: usize) {
        while self.today < today {
            self.today += 1;
            let mut day = self.days.get_mut(self.today).map(mem::take).unwrap_or_default();
            day.extend(mem::take(&mut self.now).into_vec());
            self.now = day.into();
        }
    }
}

/// A moment's day; what is before the first belongs to it.
fn day(begins_us: i64, at_us: i64) -> usize {
    usize::try_from((at_us - begins_us).div_euclid(DAY)).unwrap_or(0)
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cue == other.cue
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    // Actors share nothing: which of two goes first in a microsecond changes nothing.
    fn cmp(&self, other: &Self) -> Ordering {
        self.cue.cmp(&other.cue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visit::{journey::Journey, person::Person};

    #[test]
    fn cues_come_in_order_over_days_and_end_with_the_last() {
        let mut wheel = Wheel::new(DAY, 5 * DAY);
        for cue in [DAY + 3, 3 * DAY, DAY + 1, 5 * DAY, 2 * DAY - 1, 4 * DAY + 7, 2 * DAY, 0] {
            wheel.push(cue, Actor::Journey(Journey::organic(cue, Person::new(0, 1), 0, 1)));
        }
        assert_eq!(wheel.len(), 7);
        let mut cues = Vec::new();
        for until in (DAY + 1..=5 * DAY).step_by(1 << 30).chain([5 * DAY]) {
            while let Some((cue, _)) = wheel.pop(until) {
                cues.push(cue);
            }
        }
        assert_eq!(cues, [0, DAY + 1, DAY + 3, 2 * DAY - 1, 2 * DAY, 3 * DAY, 4 * DAY + 7]);
        assert_eq!(wheel.len(), 0);
    }
}
