//! Records that become durable together, and those who wait for them.

use std::{
    mem,
    ops::Range,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::AppendError;

/// The records that the writer took out of one lane at once.
#[derive(Debug, Default)]
pub(super) struct Batch(Mutex<Fate>);

#[derive(Debug, Default)]
struct Fate {
    /// How many records there are, once no more come.
    expected: Option<u32>,
    settled: u32,
    /// Which records are not kept, and why; usually none.
    refused: Vec<(Range<u32>, AppendError)>,
    /// Waiters run on one thread: only the first is woken from outside, and wakes the others.
    wakes_each_other: bool,
    /// Somebody stopped waiting, and can wake nobody.
    has_quitter: bool,
    wakers: Vec<Waker>,
}

impl Batch {
    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No more records come than these.
    pub(super) fn expect(&self, records: u32) {
        self.fate().expected = Some(records);
    }

    /// Waking a task from its own thread is many times cheaper than from another.
    pub(super) fn wake_each_other(&self) {
        self.fate().wakes_each_other = true;
    }

    fn keep(&self, records: Range<u32>) {
        self.settle(|fate| fate.settled += records.end - records.start);
    }

    pub(super) fn refuse(&self, records: Range<u32>, error: AppendError) {
        self.settle(|fate| {
            fate.settled += records.end - records.start;
            fate.refused.push((records, error));
        });
    }

    fn settle(&self, change: impl FnOnce(&mut Fate)) {
        let mut fate = self.fate();
        change(&mut fate);
        if !fate.is_settled() {
            return;
        }
        if fate.wakes_each_other && !fate.has_quitter {
            let first = fate.wakers.first().cloned();
            drop(fate);
            first.into_iter().for_each(Waker::wake);
            return;
        }
        let wakers = mem::take(&mut fate.wakers);
        drop(fate);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Fate {
    fn is_settled(&self) -> bool {
        self.expected == Some(self.settled)
    }

    fn outcome(&self, index: u32) -> Result<(), AppendError> {
        let refusal = self.refused.iter().find(|(records, _)| records.contains(&index));
        refusal.map_or(Ok(()), |(_, error)| Err(*error))
    }
}

/// A part of a batch on its way through the writer; dropped without a word, its records are refused.
pub(super) struct Run {
    batch: Arc<Batch>,
    records: Range<u32>,
}

impl Run {
    /// One record of a batch.
    pub(super) fn new(batch: &Arc<Batch>, index: u32) -> Self {
        Self { batch: batch.clone(), records: index..index + 1 }
    }

    pub(super) fn len(&self) -> u32 {
        self.records.end - self.records.start
    }

    /// Takes one more record in if it comes next in the same batch.
    pub(super) fn extend(&mut self, batch: &Arc<Batch>, index: u32) -> bool {
        let is_next = Arc::ptr_eq(&self.batch, batch) && self.records.end == index;
        self.records.end += u32::from(is_next);
        is_next
    }

    pub(super) fn keep(mut self) {
        self.batch.keep(mem::take(&mut self.records));
    }

    pub(super) fn refuse(mut self, error: AppendError) {
        self.batch.refuse(mem::take(&mut self.records), error);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.records.is_empty() {
            self.batch.refuse(self.records.clone(), AppendError::Stopped);
        }
    }
}

/// A place in a batch: resolves once the record there is kept or refused.
#[derive(Debug)]
pub(super) struct Ticket {
    batch: Arc<Batch>,
    index: u32,
    /// Where its waker stands among the batch's.
    slot: Option<usize>,
}

impl Ticket {
    pub(super) fn new(batch: Arc<Batch>, index: u32) -> Self {
        Self { batch, index, slot: None }
    }
}

impl Future for Ticket {
    type Output = Result<(), AppendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ticket = self.get_mut();
        let mut fate = ticket.batch.fate();
        if fate.is_settled() {
            let outcome = fate.outcome(ticket.index);
            let others = mem::take(&mut fate.wakers);
            drop(fate);
            let own = ticket.slot.take();
            let others = others.into_iter().enumerate().filter(|(slot, _)| Some(*slot) != own);
            others.for_each(|(_, waker)| waker.wake());
            return Poll::Ready(outcome);
        }
        match ticket.slot {
            Some(slot) => fate.wakers[slot].clone_from(context.waker()),
            None => {
                ticket.slot = Some(fate.wakers.len());
                fate.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.slot.is_none() {
            return;
        }
        let mut fate = self.batch.fate();
        fate.has_quitter = true;
        if fate.is_settled() {
            let others = mem::take(&mut fate.wakers);
            drop(fate);
            others.into_iter().for_each(Waker::wake);
        }
    }
}
