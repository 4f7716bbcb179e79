//! The least number that still counts.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::window::NEVER;

/// Those numbers that are or will once be the least: each later one is larger and leaves later. (The monotone deque;
/// D. Lemire, «Streaming maximum-minimum filter using no more than three comparisons per element», 2006, here for
/// numbers that may also come out of order.)
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Least {
    queue: VecDeque<(i64, i64)>,
}

impl Least {
    /// Adds a number.
    pub fn add(&mut self, leaves_us: i64, number: i64) {
        if self.queue.back().is_some_and(|(last, _)| leaves_us <= *last) {
            self.insert(leaves_us, number);
            return;
        }
        while self.queue.back().is_some_and(|(_, shorter)| number <= *shorter) {
            self.queue.pop_back();
        }
        self.queue.push_back((leaves_us, number));
    }

    /// Adds a number that leaves before or with another.
    fn insert(&mut self, leaves_us: i64, number: i64) {
        let place = self.queue.partition_point(|(at, _)| *at < leaves_us);
        let is_outdone = self.queue.get(place).is_some_and(|(_, longer)| *longer <= number);
        if is_outdone {
            return;
        }
        let outdone = self.queue.range(..place).rev().take_while(|(_, shorter)| number <= *shorter).count();
        // One that leaves at the same instant is larger, or it would have outdone the new one.
        let same = usize::from(self.queue.get(place).is_some_and(|(at, _)| *at == leaves_us));
        self.queue.drain(place - outdone..place + same);
        self.queue.insert(place - outdone, (leaves_us, number));
    }

    /// Forgets those that have left.
    pub fn expire(&mut self, now_us: i64) {
        while self.queue.front().is_some_and(|(leaves_us, _)| *leaves_us <= now_us) {
            self.queue.pop_front();
        }
    }

    /// When the next one leaves.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.queue.front().map_or(NEVER, |(leaves_us, _)| *leaves_us)
    }

    /// The least number, where there is one.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.queue.front().map(|(_, number)| *number)
    }

    /// Gives memory back.
    pub fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }
}
