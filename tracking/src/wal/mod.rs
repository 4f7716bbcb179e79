//! The write-ahead log: what it has accepted is on the disk before anybody hears of it.
//!
//! Callers append records; one thread writes them into preallocated segments and makes all that came
//! together durable with one sync. One reader takes them out in their order, and gives back the room once
//! they are stored elsewhere. `docs/ARCHITECTURE.md` says what may be relied on; `frame` has the bytes.

mod batch;
mod counters;
mod disk;
mod frame;
mod lanes;
#[cfg(test)]
mod model_tests;
mod occupied;
mod position;
#[cfg(test)]
mod promise_tests;
mod reader;
mod recovery;
#[cfg(test)]
mod simulated_disk;
mod writer;

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use tokio::sync::watch;

use batch::Ticket;
use counters::Counters;
use disk::{Disk, Folder};
use lanes::{Lanes, Urgency};
use writer::Writer;

use crate::meters::Distribution;

pub(crate) use self::occupied::{Occupied, occupied};
pub use self::{
    counters::Counts,
    frame::HeaderError,
    lanes::{gather_until_parked, thread_goes_on, thread_parks},
    position::Position,
    reader::{Batch, Damage, Reader},
};

/// When an appended record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on the disk: a crash of the process or of the machine loses nothing.
    Commit,
    /// At once; it is written, and the disk asked to keep it, within this time. A power cut or a killed process
    /// loses at most what was appended in the last such interval, during a sync that ran meanwhile, and during the one
    /// that follows.
    Interval(Duration),
}

/// How a log behaves.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// When an appended record counts as kept.
    pub durability: Durability,
    /// How large a segment becomes before the next one is begun.
    pub segment_bytes: u32,
    /// How many records may wait for the disk; more are refused.
    pub queue: usize,
    /// How many lanes share that queue: one for each thread that appends, so that none waits for another.
    pub lanes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { durability: Durability::Commit, segment_bytes: 64 << 20, queue: 16_384, lanes: 1 }
    }
}

/// Why a record was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too many records wait for the disk.
    #[error("too many events wait for the disk")]
    Full,
    /// The disk has no room for another segment.
    #[error("the disk is full")]
    DiskFull,
    /// The disk refused a write; nothing of the record remains.
    #[error("the disk refused a write")]
    Io,
    /// The disk once failed to keep what it had taken; this log accepts nothing until it is opened again.
    #[error("the log has stopped, because the disk failed to keep events")]
    Stopped,
    /// The record is longer than a log takes.
    #[error("the event is too long")]
    TooLong,
    /// The log is being closed.
    #[error("the log is closed")]
    Closed,
}

impl AppendError {
    /// Every reason, in the order of declaration, with its name in the numbers.
    pub(crate) const NAMES: [(Self, &str); 6] = [
        (Self::Full, "queue_full"),
        (Self::DiskFull, "disk_full"),
        (Self::Io, "disk_failed"),
        (Self::Stopped, "stopped"),
        (Self::TooLong, "too_long"),
        (Self::Closed, "closing"),
    ];
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes this log.
    #[error("another process uses this log")]
    Locked,
    /// A segment cannot be read by this release.
    #[error("segment {sequence} of the log: {error}")]
    Segment {
        /// The segment's number.
        sequence: u64,
        /// What is wrong with it.
        error: HeaderError,
    },
    /// The settings contradict themselves.
    #[error("a log's segments take 4 KiB to 1 GiB, and at least one record waits in at least one lane")]
    Settings,
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The log's appending end, for as many callers as there are.
#[derive(Clone)]
pub struct Wal {
    lanes: Arc<Lanes>,
    counters: Arc<Counters>,
    durable: watch::Receiver<Position>,
    has_ended: watch::Receiver<bool>,
    durability: Durability,
    record_limit: usize,
    is_ailing: Arc<AtomicBool>,
    _closing: Arc<ClosesWithTheLast>,
}

/// The log ends when nobody can append any more.
struct ClosesWithTheLast(Arc<Lanes>);

impl Drop for ClosesWithTheLast {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Says that the writer has ended, however it did, and lets nobody wait for it.
struct Ends {
    lanes: Arc<Lanes>,
    has_ended: watch::Sender<bool>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.lanes.close();
        // What a writer that panicked left behind is refused by being dropped.
        (0..self.lanes.len()).for_each(|lane| self.lanes.abandon(lane));
        self.has_ended.send_replace(true);
    }
}

/// An appended record: resolves once it is as durable as was configured, or refused.
///
/// Dropping it does not take the record back. It must be polled on when it is woken: others may be woken by it.
#[derive(Debug)]
#[must_use = "nobody knows what became of the record"]
pub struct Append(State);

#[derive(Debug)]
enum State {
    Known(Result<(), AppendError>),
    Waits(Ticket),
}

impl Future for Append {
    type Output = Result<(), AppendError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            State::Known(outcome) => Poll::Ready(*outcome),
            State::Waits(ticket) => Pin::new(ticket).poll(context),
        }
    }
}

impl Wal {
    /// Opens or begins the log in a folder, and gives its one reader.
    ///
    /// # Errors
    /// When another process has it open, a newer release wrote it, or the disk refuses.
    pub fn open(folder: &Path, settings: Settings) -> Result<(Self, Reader), OpenError> {
        let disk = Folder::open(folder).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked,
            _ => OpenError::Io(error),
        })?;
        Self::open_on(Arc::new(disk), settings)
    }

    fn open_on(disk: Arc<dyn Disk>, settings: Settings) -> Result<(Self, Reader), OpenError> {
        if settings.queue < 1 || settings.lanes < 1 || !(4 << 10..=1 << 30).contains(&settings.segment_bytes)
        {
            return Err(OpenError::Settings);
        }
        let recovered = recovery::recover(&*disk)?;
        if 0 < recovered.cut_bytes {
            tracing::warn!(
                bytes = recovered.cut_bytes,
                "the log's unfinished end was cut off; nobody had been promised it"
            );
        }
        let (durable_sender, durable) = watch::channel(Position::start_of(recovered.next_sequence));
        let counters = Arc::new(Counters::default());
        let is_ailing = Arc::new(AtomicBool::new(false));
        let lanes = Arc::new(Lanes::new(settings.lanes, settings.queue));
        let writer = Writer::new(
            (disk.clone(), lanes.clone()),
            (settings.durability, settings.segment_bytes),
            (counters.clone(), durable_sender, is_ailing.clone()),
        );
        let (sender, has_ended) = watch::channel(false);
        let ends = Ends { lanes: lanes.clone(), has_ended: sender };
        thread::Builder::new().name("wal-writer".into()).spawn(move || {
            let _ends = ends;
            writer.run();
        })?;
        let reader = Reader::new(disk, durable.clone(), recovered.shipped);
        let wal = Self {
            _closing: Arc::new(ClosesWithTheLast(lanes.clone())),
            lanes,
            counters,
            durable,
            has_ended,
            durability: settings.durability,
            record_limit: writer::record_limit(settings.segment_bytes) as usize,
            is_ailing,
        };
        Ok((wal, reader))
    }

    /// Appends a record; in commit mode it is on the disk when this resolves.
    ///
    /// # Errors
    /// When the record is not kept. Nothing of it will ever be read, unless the disk failed to forget it too.
    pub fn append(&self, record: impl AsRef<[u8]>) -> Append {
        self.append_with(|bytes| bytes.extend_from_slice(record.as_ref()))
    }

    /// Appends the record that `write` puts behind the bytes it is given, which are not its own.
    ///
    /// # Errors
    /// As with [`Wal::append`].
    pub fn append_with(&self, write: impl FnOnce(&mut Vec<u8>)) -> Append {
        // While the disk refuses, nobody is told «kept» before it is: interval mode waits like commit mode.
        let is_awaited = self.durability == Durability::Commit || self.is_ailing.load(Relaxed);
        let urgency = if is_awaited { Urgency::Awaited } else { Urgency::Unawaited };
        Append(match self.lanes.put(self.record_limit, urgency, write) {
            Ok(ticket) if is_awaited => State::Waits(ticket),
            Ok(_) => State::Known(Ok(())),
            Err(error) => State::Known(Err(error)),
        })
    }

    /// What has been counted since the log was opened.
    pub fn counts(&self) -> Counts {
        self.counters.read(&self.lanes)
    }

    /// How long the disk took to make writes last.
    pub(crate) fn sync_times(&self) -> Distribution {
        self.counters.sync_times()
    }

    /// Up to where the log is durable.
    pub fn durable(&self) -> Position {
        *self.durable.borrow()
    }

    /// Whether the last thing that the disk was asked for succeeded.
    pub fn is_well(&self) -> bool {
        !self.is_ailing.load(Relaxed) && !self.lanes.is_closed()
    }

    /// Makes everything that was appended durable, and accepts nothing more.
    pub async fn close(&self) {
        self.lanes.close();
        // An error says that the writer has ended, which is what is waited for.
        let _ = self.has_ended.clone().wait_for(|has_ended| *has_ended).await;
    }
}
