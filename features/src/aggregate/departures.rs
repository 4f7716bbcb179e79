//! Who leaves a window when: what was added is given back at the instant at which it no longer counts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::window::NEVER;

/// How many of those that leave at the same instant are looked through for one that the new one can join.
const NEIGHBOURS: usize = 16;

/// Additions in the order in which they leave. Adding at the end takes constant time, as does giving back; something
/// late is put among the others, which takes as long as they are many behind it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Departures<T> {
    queue: VecDeque<(i64, T)>,
}

impl<T> Default for Departures<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new() }
    }
}

impl<T> Departures<T> {
    /// Remembers that `item` leaves at `leaves_us`. Where one that leaves at the same instant takes it in, as `join`
    /// says, it needs no place of its own. What never leaves is not remembered.
    pub fn add(&mut self, leaves_us: i64, item: T, join: impl Fn(&mut T, &T) -> bool) {
        if leaves_us == NEVER {
            return;
        }
        let is_last = self.queue.back().is_none_or(|(last, _)| *last < leaves_us);
        let place =
            if is_last { self.queue.len() } else { self.queue.partition_point(|(at, _)| *at <= leaves_us) };
        let first = place.saturating_sub(NEIGHBOURS);
        let neighbours = self.queue.range_mut(first..place).rev();
        for (_, neighbour) in neighbours.take_while(|(at, _)| *at == leaves_us) {
            if join(neighbour, &item) {
                return;
            }
        }
        self.queue.insert(place, (leaves_us, item));
    }

    /// Gives back one that has left by `now_us`, first the one that left first.
    pub fn next_gone(&mut self, now_us: i64) -> Option<T> {
        let (leaves_us, _) = self.queue.front()?;
        if *leaves_us <= now_us { self.queue.pop_front().map(|(_, item)| item) } else { None }
    }

    /// When the next one leaves; [`NEVER`] when none does.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.queue.front().map_or(NEVER, |(leaves_us, _)| *leaves_us)
    }

    /// Gives memory back that a busier time needed.
    pub fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_leave_in_order_however_they_came() {
        let mut departures = Departures::default();
        for (leaves, item) in [(30, 'c'), (10, 'a'), (20, 'b'), (NEVER, 'z')] {
            departures.add(leaves, item, |_, _| false);
        }
        assert_eq!((departures.next_gone(9), departures.due_us()), (None, 10));
        assert_eq!(departures.next_gone(20), Some('a'));
        assert_eq!(departures.next_gone(20), Some('b'));
        assert_eq!(departures.next_gone(20), None);
        assert_eq!(departures.next_gone(NEVER), Some('c'));
        assert_eq!((departures.next_gone(NEVER), departures.due_us()), (None, NEVER));
    }

    #[test]
    fn those_that_leave_together_share_a_place() {
        let mut departures = Departures::default();
        let join = |there: &mut (char, u64), new: &(char, u64)| {
            let same = there.0 == new.0;
            there.1 += if same { new.1 } else { 0 };
            same
        };
        for item in ['a', 'b', 'a', 'b', 'b'] {
            departures.add(10, (item, 1), join);
        }
        assert_eq!(departures.next_gone(10), Some(('a', 2)));
        assert_eq!(departures.next_gone(10), Some(('b', 3)));
        assert_eq!(departures.next_gone(10), None);
    }
}
