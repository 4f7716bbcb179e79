//! Parts of the log that the stream has taken and that wait to be confirmed: neighbours become one, so that there are
//! few of them however long confirming is held up.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Acquire, Ordering::Release},
    },
};

use tokio::{sync::Notify, time::Instant};

use crate::{stream::log::BATCH, wal::Position};

/// A part of the log that the stream has taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    pub begin: Position,
    pub end: Position,
    pub records: usize,
    /// The highest of the places that the stream gave its clicks.
    pub highest: u64,
    pub at: Instant,
}

#[derive(Default)]
struct Waiting {
    parts: Mutex<VecDeque<Published>>,
    has_ended: AtomicBool,
    has_changed: Notify,
}

/// Takes parts in, in their order.
pub(super) struct Parts(Arc<Waiting>);

/// Gives them out again.
pub(super) struct Unconfirmed(Arc<Waiting>);

/// The two ends of an empty line.
pub(super) fn line() -> (Parts, Unconfirmed) {
    let waiting = Arc::<Waiting>::default();
    (Parts(waiting.clone()), Unconfirmed(waiting))
}

impl Waiting {
    fn parts(&self) -> MutexGuard<'_, VecDeque<Published>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    /// The part that follows the last one.
    pub(super) fn push(&self, part: Published) {
        let mut parts = self.0.parts();
        match parts.back_mut().filter(|last| last.records + part.records <= BATCH) {
            Some(last) => {
                last.end = part.end;
                last.records += part.records;
                last.highest = last.highest.max(part.highest);
                last.at = part.at;
            }
            None => parts.push_back(part),
        }
        drop(parts);
        self.0.has_changed.notify_one();
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Release);
        self.0.has_changed.notify_one();
    }
}

impl Unconfirmed {
    /// The next part; nothing when there never will be one.
    pub(super) async fn next(&self) -> Option<Published> {
        loop {
            // Asked first: what is pushed before the end is seen.
            let has_ended = self.0.has_ended.load(Acquire);
            if let Some(part) = self.0.parts().pop_front() {
                return Some(part);
            }
            if has_ended {
                return None;
            }
            self.0.has_changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32, records: usize) -> Published {
        let place = |offset| Position { sequence: 1, offset };
        let (begin, end) = (place(number), place(number + 1));
        Published { begin, end, records, highest: u64::from(number), at: Instant::now() }
    }

    #[tokio::test]
    async fn what_waits_for_hours_stays_few() {
        let (parts, unconfirmed) = line();
        let pushed = 5 * BATCH as u32 / 2;
        (0..pushed).for_each(|number| parts.push(part(number, 1)));
        drop(parts);
        let (mut seen, mut position) = (Vec::new(), 0);
        while let Some(part) = unconfirmed.next().await {
            assert_eq!((part.begin.offset, part.highest), (position, u64::from(part.end.offset) - 1));
            position = part.end.offset;
            seen.push(part.records);
        }
        assert_eq!((position, seen), (pushed, vec![BATCH, BATCH, BATCH / 2]));
    }
}
