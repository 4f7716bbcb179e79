//! Where records wait for the writer: each thread has a lane of its own, so that requests never wait for each other.

use std::{
    array,
    cell::{Cell, RefCell},
    mem,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
            Ordering::Release,
        },
    },
    thread::Thread,
    time::{Duration, Instant},
};

use super::{
    AppendError,
    batch::{Batch, Ticket},
};

/// So many records do not wait until their thread has nothing else to do.
const GATHERED: usize = 256;
/// Nor does a record that is this old.
const GATHERING: Duration = Duration::from_micros(500);

/// All lanes of a log.
pub(super) struct Lanes {
    lanes: Box<[Lane]>,
    /// How many records may wait in each.
    limit: usize,
    is_closed: AtomicBool,
    bell: Arc<Bell>,
}

// Two lanes never share a cache line, or threads would wait for each other's writes after all.
#[repr(align(128))]
#[derive(Default)]
struct Lane(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    records: Records,
    batch: Arc<Batch>,
    since: Option<Instant>,
    accepted: u64,
    refused: [u64; AppendError::NAMES.len()],
    is_closed: bool,
}

/// Records one behind the other.
#[derive(Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

/// What the writer takes out of a lane at once.
pub(super) struct Taken {
    pub records: Records,
    pub batch: Arc<Batch>,
    /// Those that nobody has seen to; they are refused when this is dropped.
    pub left: Range<u32>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.left.is_empty() {
            self.batch.refuse(self.left.clone(), AppendError::Stopped);
        }
    }
}

/// What lanes have counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offered {
    pub accepted: u64,
    /// By reason, in the order of [`AppendError::NAMES`].
    pub refused: [u64; AppendError::NAMES.len()],
    pub waiting: u64,
}

/// When the writer is to hear of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody waits for it.
    Awaited,
    /// Nobody does: it is enough that the writer knows that there is something.
    Unawaited,
}

impl Records {
    fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[begin as usize..*end as usize])
    }

    /// Forgets the records but not the room they took, unless that was unusually much.
    pub(super) fn clear(&mut self) {
        const USUAL: usize = 1 << 20;
        self.bytes.clear();
        self.bytes.shrink_to(USUAL);
        self.ends.clear();
        self.ends.shrink_to(USUAL / 256);
    }
}

impl Lanes {
    /// So many lanes, in which so many records may wait together.
    pub(super) fn new(lanes: usize, queue: usize) -> Self {
        let lanes = lanes.clamp(1, queue.max(1));
        Self {
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            limit: queue / lanes,
            is_closed: AtomicBool::new(false),
            bell: Arc::default(),
        }
    }

    /// Puts a record of at most `longest` bytes into the lane of this thread.
    pub(super) fn put(
        &self,
        longest: usize,
        urgency: Urgency,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Ticket, AppendError> {
        let mut queue = self.lane();
        queue.accepted += 1;
        let refusal = match queue.is_closed {
            true => Some(AppendError::Closed),
            false => (self.limit <= queue.records.len()).then_some(AppendError::Full),
        };
        if let Some(refusal) = refusal.or_else(|| queue.write(longest, write).err()) {
            queue.refused[refusal as usize] += 1;
            return Err(refusal);
        }
        let index = queue.records.len() - 1;
        let batch = queue.batch.clone();
        let is_gathered = self.gathers(&mut queue, urgency);
        drop(queue);
        match urgency {
            Urgency::Awaited if is_gathered || !rings_when_parked(&self.bell) => self.bell.ring(),
            Urgency::Awaited if index == 0 => batch.wake_each_other(),
            Urgency::Unawaited if index == 0 || is_gathered => self.bell.ring(),
            Urgency::Awaited | Urgency::Unawaited => {}
        }
        Ok(Ticket::new(batch, index as u32))
    }

    /// Whether a lane has gathered so much that its thread's next rest is not waited for.
    fn gathers(&self, queue: &mut Queue, urgency: Urgency) -> bool {
        match urgency {
            Urgency::Awaited => {
                let since = *queue.since.get_or_insert_with(Instant::now);
                GATHERED <= queue.records.len() || GATHERING <= since.elapsed()
            }
            Urgency::Unawaited => self.limit / 2 <= queue.records.len(),
        }
    }

    fn lane(&self) -> MutexGuard<'_, Queue> {
        let last = self.lanes.len() - 1;
        let lane = match NUMBER.get() {
            Some(number) if 0 < last => number % last,
            _ => last,
        };
        self.lanes[lane].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn each(&self) -> impl Iterator<Item = MutexGuard<'_, Queue>> {
        self.lanes.iter().map(|lane| lane.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what waits in one lane, and leaves empty records in its place.
    pub(super) fn take(&self, lane: usize, empty: &mut Records) -> Option<Taken> {
        let mut queue = self.lanes[lane].0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.records.is_empty() {
            return None;
        }
        queue.since = None;
        let records = mem::replace(&mut queue.records, mem::take(empty));
        let batch = mem::take(&mut queue.batch);
        drop(queue);
        let left = 0..records.len() as u32;
        batch.expect(left.end);
        Some(Taken { records, batch, left })
    }

    /// Refuses what waits in a lane, because nobody will write it.
    pub(super) fn abandon(&self, lane: usize) {
        drop(self.take(lane, &mut Records::default()));
    }

    /// How many lanes there are.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether some lane is filled so far that the writer should not wait any longer.
    pub(super) fn is_pressing(&self) -> bool {
        self.each().any(|queue| self.limit / 2 <= queue.records.len())
    }

    /// Accepts nothing more; what waits is still written.
    pub(super) fn close(&self) {
        self.each().for_each(|mut queue| queue.is_closed = true);
        self.is_closed.store(true, Release);
        self.bell.ring();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Acquire)
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn offered(&self) -> Offered {
        self.each().fold(Offered::default(), |sum, queue| Offered {
            accepted: sum.accepted + queue.accepted,
            refused: array::from_fn(|reason| sum.refused[reason] + queue.refused[reason]),
            waiting: sum.waiting + queue.records.len() as u64,
        })
    }
}

impl Queue {
    fn write(&mut self, longest: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), AppendError> {
        let records = &mut self.records;
        let begin = records.ends.last().map_or(0, |end| *end as usize);
        // A writer that once panicked may have left something unfinished.
        records.bytes.truncate(begin);
        write(&mut records.bytes);
        let length = records.bytes.len() - begin;
        match u32::try_from(records.bytes.len()) {
            Ok(end) if length <= longest => {
                records.ends.push(end);
                Ok(())
            }
            fits => {
                records.bytes.truncate(begin);
                Err(if fits.is_ok() { AppendError::TooLong } else { AppendError::Full })
            }
        }
    }
}

/// Wakes the writer; ringing twice is ringing once.
#[derive(Default)]
pub(super) struct Bell {
    is_rung: AtomicBool,
    listener: OnceLock<Thread>,
}

impl Bell {
    /// The thread that listens from now on; there is one.
    pub(super) fn listen(&self) {
        let _ = self.listener.set(std::thread::current());
    }

    fn ring(&self) {
        if !self.is_rung.swap(true, AcqRel)
            && let Some(listener) = self.listener.get()
        {
            listener.unpark();
        }
    }

    /// Waits until it rings, or for so long; says whether it rang.
    pub(super) fn wait(&self, patience: Option<Duration>) -> bool {
        let began = Instant::now();
        while !self.is_rung.swap(false, AcqRel) {
            match patience.map(|patience| patience.saturating_sub(began.elapsed())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => return false,
                Some(left) => std::thread::park_timeout(left),
            }
        }
        true
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which lane is this thread's own; all threads that were not announced share the last one.
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    static PARKING: RefCell<Option<(Arc<Bell>, Instant)>> = const { RefCell::new(None) };
}

/// Says that this thread calls [`thread_parks`] whenever it has nothing else to do: its records wait for that, so
/// that all requests of one turn become durable together. For a runtime's `on_thread_start`.
pub fn gather_until_parked() {
    if NUMBER.get().is_none() {
        NUMBER.set(Some(THREADS.fetch_add(1, Relaxed)));
    }
}

/// Hands over what this thread has gathered. For a runtime's `on_thread_park`.
pub fn thread_parks() {
    if let Some((bell, _)) = PARKING.take() {
        bell.ring();
    }
}

/// Hands over what this thread has gathered if that was a while ago: a thread that never rests must call it too.
pub fn thread_goes_on() {
    let is_due = |(_, since): &(Arc<Bell>, Instant)| GATHERING <= since.elapsed();
    if PARKING.with_borrow(|parking| parking.as_ref().is_some_and(is_due)) {
        thread_parks();
    }
}

/// Takes [`gather_until_parked`] back.
#[cfg(test)]
pub(super) fn gather_no_more() {
    thread_parks();
    NUMBER.set(None);
}

/// Whether this thread will ring the bell once it rests.
fn rings_when_parked(bell: &Arc<Bell>) -> bool {
    if NUMBER.get().is_none() {
        return false;
    }
    PARKING.with_borrow_mut(|parking| match parking {
        Some((earlier, _)) if Arc::ptr_eq(earlier, bell) => {}
        earlier => {
            if let Some((other, _)) = earlier.replace((bell.clone(), Instant::now())) {
                other.ring();
            }
        }
    });
    true
}
