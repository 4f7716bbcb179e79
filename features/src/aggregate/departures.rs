//! Who leaves a window when, by category.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::window::NEVER;

/// So many that leave at one instant are at least kept before those of one category are put together.
const UNSORTED: usize = 32;

/// So many events of a category that leave at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure<C> {
    /// When.
    pub leaves_us: i64,
    /// Which category.
    pub category: C,
    /// How many.
    pub many: u64,
}

/// Departures in order. Adding at the end takes constant time on average, as does giving back; something late is put
/// among the others, which takes as long as they are many behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Departures<C> {
    queue: VecDeque<Departure<C>>,
    /// How many at the end leave together.
    last: usize,
    /// How many of them there may be before they are put together.
    limit: usize,
}

impl<C> Default for Departures<C> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), last: 0, limit: UNSORTED }
    }
}

impl<C: Copy + Ord> Departures<C> {
    /// Remembers that one event of a category leaves at `leaves_us`. What never leaves is not remembered.
    pub fn add(&mut self, leaves_us: i64, category: C) {
        let new = Departure { leaves_us, category, many: 1 };
        match self.queue.back_mut() {
            _ if leaves_us == NEVER => {}
            Some(back) if leaves_us < back.leaves_us => {
                let place = self.queue.partition_point(|it| it.leaves_us <= leaves_us);
                self.queue.insert(place, new);
            }
            Some(back) if leaves_us == back.leaves_us && category == back.category => back.many += 1,
            Some(back) if leaves_us == back.leaves_us => {
                self.queue.push_back(new);
                self.last += 1;
                if self.limit <= self.last {
                    self.put_together();
                }
            }
            _ => {
                self.queue.push_back(new);
                (self.last, self.limit) = (1, UNSORTED);
            }
        }
    }

    /// Makes one of those of a category that leave last.
    fn put_together(&mut self) {
        let mut last: Vec<Departure<C>> = self.queue.drain(self.queue.len() - self.last..).collect();
        last.sort_unstable_by_key(|it| it.category);
        last.dedup_by(|next, kept| {
            let is_same = next.category == kept.category;
            kept.many += if is_same { next.many } else { 0 };
            is_same
        });
        self.last = last.len();
        self.limit = UNSORTED.max(2 * self.last);
        self.queue.extend(last);
    }

    /// Gives back what has left by `now_us`, first what left first.
    pub fn next_gone(&mut self, now_us: i64) -> Option<Departure<C>> {
        if now_us < self.due_us() {
            return None;
        }
        let gone = self.queue.pop_front();
        self.last = self.last.min(self.queue.len());
        gone
    }

    /// When the next one leaves; [`NEVER`] when none does.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.queue.front().map_or(NEVER, |it| it.leaves_us)
    }

    /// Gives memory back that a busier time needed.
    pub fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(departures: &mut Departures<char>, now_us: i64) -> Vec<(i64, char, u64)> {
        let next = || departures.next_gone(now_us);
        std::iter::from_fn(next).map(|it| (it.leaves_us, it.category, it.many)).collect()
    }

    #[test]
    fn they_leave_in_order_however_they_came() {
        let mut departures = Departures::default();
        for (leaves_us, category) in [(30, 'c'), (10, 'a'), (20, 'b'), (NEVER, 'z')] {
            departures.add(leaves_us, category);
        }
        assert_eq!((gone(&mut departures, 9), departures.due_us()), (vec![], 10));
        assert_eq!(gone(&mut departures, 20), [(10, 'a', 1), (20, 'b', 1)]);
        assert_eq!(gone(&mut departures, NEVER), [(30, 'c', 1)]);
        assert_eq!(departures.due_us(), NEVER);
    }

    #[test]
    fn those_that_leave_together_are_as_many_as_their_categories() {
        let mut departures = Departures::default();
        departures.add(5, 'z');
        for place in 0..1_000 {
            departures.add(10, ['a', 'b', 'c'][place % 3]);
        }
        departures.add(7, 'y');
        assert!(departures.queue.len() < 2 + UNSORTED);
        let gone = gone(&mut departures, 10);
        assert_eq!(gone[..2], [(5, 'z', 1), (7, 'y', 1)]);
        assert_eq!(gone.iter().map(|(.., many)| many).sum::<u64>(), 1_002);
    }
}
