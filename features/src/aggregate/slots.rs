//! Who leaves a window when, where only their number or their sum matters.

use std::{collections::VecDeque, ops::AddAssign};

use serde::{Deserialize, Serialize};

use crate::window::NEVER;

/// Before anything that can leave.
const NONE: i64 = i64::MIN;

/// What was added, by the instant at which it leaves: one slot for each. The newest has its place outside the queue, so
/// that most additions to a window that moves in steps touch nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slots<N> {
    newest_us: i64,
    newest: N,
    queue: VecDeque<(i64, N)>,
}

impl<N: Default> Default for Slots<N> {
    fn default() -> Self {
        Self { newest_us: NONE, newest: N::default(), queue: VecDeque::new() }
    }
}

impl<N: AddAssign + Copy> Slots<N> {
    /// Remembers that so much leaves at `leaves_us`. What never leaves is not remembered. Something late is put among
    /// the others, which takes as long as they are many behind it.
    pub fn add(&mut self, leaves_us: i64, number: N) {
        if leaves_us == NEVER {
            return;
        }
        if leaves_us == self.newest_us {
            self.newest += number;
            return;
        }
        if self.newest_us < leaves_us {
            if self.newest_us != NONE {
                self.queue.push_back((self.newest_us, self.newest));
            }
            (self.newest_us, self.newest) = (leaves_us, number);
            return;
        }
        let place = self.queue.partition_point(|(at, _)| *at < leaves_us);
        match self.queue.get_mut(place) {
            Some((at, there)) if *at == leaves_us => *there += number,
            _ => self.queue.insert(place, (leaves_us, number)),
        }
    }

    /// Gives back a slot that has left by `now_us`, first the one that left first.
    pub fn next_gone(&mut self, now_us: i64) -> Option<N> {
        if now_us < self.due_us() {
            return None;
        }
        if let Some((_, gone)) = self.queue.pop_front() {
            return Some(gone);
        }
        let is_there = self.newest_us != NONE;
        self.newest_us = NONE;
        is_there.then_some(self.newest)
    }

    /// When the next one leaves; [`NEVER`] when none does.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        let newest_us = if self.newest_us == NONE { NEVER } else { self.newest_us };
        self.queue.front().map_or(newest_us, |(leaves_us, _)| *leaves_us)
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
    fn they_leave_in_order_however_they_came_and_those_of_one_instant_together() {
        let mut slots = Slots::default();
        for (leaves_us, number) in [(30, 1), (10, 2), (20, 4), (10, 8), (NEVER, 16), (30, 32), (40, 64)] {
            slots.add(leaves_us, number);
        }
        assert_eq!((slots.next_gone(9), slots.due_us()), (None, 10));
        assert_eq!([20, 20, 20].map(|now_us| slots.next_gone(now_us)), [Some(10), Some(4), None]);
        assert_eq!([40, 40, 40].map(|now_us| slots.next_gone(now_us)), [Some(33), Some(64), None]);
        assert_eq!((slots.next_gone(NEVER), slots.due_us()), (None, NEVER));
        slots.add(50, 128);
        assert_eq!((slots.due_us(), slots.next_gone(50)), (50, Some(128)));
    }
}
