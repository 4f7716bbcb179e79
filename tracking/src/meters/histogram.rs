//! How long things took, counted in steps: to count one is two additions to numbers of the thread's own.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// The upper ends of the steps, in microseconds: 50 µs to 1 s.
const STEPS_US: [u64; 17] = [
    50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 300_000,
    500_000, 1_000_000,
];
/// More threads than take clicks on most machines; others share.
const SHARDS: usize = 16;

/// Counts of durations.
#[derive(Debug, Default)]
pub(crate) struct Histogram([Shard; SHARDS]);

/// The counts of some threads, on cache lines that no others write to.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    /// How many ended in each step, and how many behind the last.
    counts: [AtomicU64; STEPS_US.len() + 1],
    sum_us: AtomicU64,
}

/// Counts of a few kinds of things.
#[derive(Debug)]
pub(crate) struct Tally<const KINDS: usize>([Kinds<KINDS>; SHARDS]);

#[derive(Debug)]
#[repr(align(128))]
struct Kinds<const KINDS: usize>([AtomicU64; KINDS]);

impl<const KINDS: usize> Default for Tally<KINDS> {
    fn default() -> Self {
        Self([const { Kinds([const { AtomicU64::new(0) }; KINDS]) }; SHARDS])
    }
}

impl<const KINDS: usize> Tally<KINDS> {
    /// There was one more of a kind, which is less than `KINDS`.
    pub(crate) fn count(&self, kind: usize) {
        self.0[own_shard()].0[kind].fetch_add(1, Relaxed);
    }

    /// How many there were of each.
    pub(crate) fn read(&self) -> [u64; KINDS] {
        std::array::from_fn(|kind| self.0.iter().map(|shard| shard.0[kind].load(Relaxed)).sum())
    }
}

/// The counts at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Distribution {
    /// The upper end of each step in seconds, and how many took no longer.
    pub steps: Vec<(f64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long they took together, in seconds.
    pub sum_s: f64,
}

impl Histogram {
    pub(crate) fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let step = STEPS_US.iter().position(|end| us <= *end).unwrap_or(STEPS_US.len());
        let shard = &self.0[own_shard()];
        shard.counts[step].fetch_add(1, Relaxed);
        shard.sum_us.fetch_add(us, Relaxed);
    }

    pub(crate) fn read(&self) -> Distribution {
        let in_step = |step: usize| self.0.iter().map(|shard| shard.counts[step].load(Relaxed)).sum::<u64>();
        let mut count = 0;
        let mut steps = Vec::with_capacity(STEPS_US.len());
        for (step, end_us) in STEPS_US.iter().enumerate() {
            count += in_step(step);
            steps.push((seconds(*end_us), count));
        }
        count += in_step(STEPS_US.len());
        let sum_us = self.0.iter().map(|shard| shard.sum_us.load(Relaxed)).sum();
        Distribution { steps, count, sum_s: seconds(sum_us) }
    }
}

fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_step_that_it_ends_in_and_in_all_longer_ones() {
        let histogram = Histogram::default();
        for us in [50, 51, 999, 1_000_000, 1_000_001, 70_000_000] {
            histogram.record(Duration::from_micros(us));
        }
        let read = histogram.read();
        let at = |end_s: f64| read.steps.iter().find(|(end, _)| (end - end_s).abs() < 1e-9).unwrap().1;
        assert_eq!((at(0.000_05), at(0.000_1), at(0.001), at(0.5), at(1.0)), (1, 2, 3, 3, 4));
        assert_eq!((read.count, read.sum_s), (6, 72.001_101));
    }

    #[test]
    fn threads_count_together() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for _ in 0..SHARDS + 2 {
                scope.spawn(|| (0..1_000).for_each(|us| histogram.record(Duration::from_micros(us))));
            }
        });
        assert_eq!(histogram.read().count, 1_000 * (SHARDS as u64 + 2));
    }
}
