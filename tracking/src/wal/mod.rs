//! The write-ahead log: what it has accepted is on the disk before anybody hears of it.
//!
//! Callers append records; one thread writes them into preallocated segments and makes all that came
//! together durable with one sync. One reader takes them out in their order, and gives back the room once
//! they are stored elsewhere. `docs/ARCHITECTURE.md` says what may be relied on; `frame` has the bytes.

mod counters;
mod disk;
mod frame;
#[cfg(test)]
mod model_tests;
mod position;
mod reader;
mod recovery;
#[cfg(test)]
mod simulated_disk;
mod writer;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use counters::Counters;
use disk::{Disk, Folder};
use writer::{Message, Pending, Writer};

pub use self::{
    counters::Counts,
    frame::HeaderError,
    position::Position,
    reader::{Batch, Damage, Reader},
};

/// When an appended record counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on the disk: a crash of the process or of the machine loses nothing.
    Commit,
    /// At once; the disk is asked to keep it within this time. A power cut loses what was appended in the
    /// last such interval and the sync after it, a killed process only what had not been written yet.
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
}

impl Default for Settings {
    fn default() -> Self {
        Self { durability: Durability::Commit, segment_bytes: 64 << 20, queue: 16_384 }
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
    #[error("a log's segments take 4 KiB to 1 GiB, and at least one record waits")]
    Settings,
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The log's appending end, for as many callers as there are.
#[derive(Clone)]
pub struct Wal {
    queue: mpsc::Sender<Message>,
    counters: Arc<Counters>,
    durable: watch::Receiver<Position>,
    durability: Durability,
    record_limit: u32,
    is_ailing: Arc<AtomicBool>,
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
        if settings.queue < 1 || !(4 << 10..=1 << 30).contains(&settings.segment_bytes) {
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
        let (queue, queued) = mpsc::channel(settings.queue);
        let writer = Writer::new(
            disk.clone(),
            (settings.durability, settings.segment_bytes),
            (counters.clone(), durable_sender, is_ailing.clone()),
        );
        // The thread has a runtime of its own: it may block on the disk, and still wait with a deadline.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new()
            .name("wal-writer".into())
            .spawn(move || runtime.block_on(writer.run(queued)))?;
        let reader = Reader::new(disk, durable.clone(), recovered.shipped);
        let record_limit = writer::record_limit(settings.segment_bytes);
        let wal = Self { queue, counters, durable, durability: settings.durability, record_limit, is_ailing };
        Ok((wal, reader))
    }

    /// Appends a record; in commit mode it is on the disk when this returns.
    ///
    /// A caller that stops waiting does not take its record back.
    ///
    /// # Errors
    /// When the record is not kept. Nothing of it will ever be read, unless the disk failed to forget it too.
    pub async fn append(&self, record: Vec<u8>) -> Result<(), AppendError> {
        self.counters.accept();
        if self.record_limit < record.len() as u32 || u32::MAX as usize <= record.len() {
            return self.refuse(AppendError::TooLong);
        }
        // While the disk refuses, nobody is told «kept» before it is: interval mode waits like commit mode.
        let waits = self.durability == Durability::Commit || self.is_ailing.load(Relaxed);
        let (caller, outcome) = if waits {
            let (caller, outcome) = oneshot::channel();
            (Some(caller), Some(outcome))
        } else {
            (None, None)
        };
        match self.queue.try_send(Message::Append(Pending { record, caller })) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return self.refuse(AppendError::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => return self.refuse(AppendError::Closed),
        }
        match outcome {
            Some(outcome) => outcome.await.unwrap_or(Err(AppendError::Stopped)),
            None => Ok(()),
        }
    }

    fn refuse(&self, error: AppendError) -> Result<(), AppendError> {
        self.counters.refuse(1);
        Err(error)
    }

    /// What has been counted since the log was opened.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Up to where the log is durable.
    pub fn durable(&self) -> Position {
        *self.durable.borrow()
    }

    /// Whether the last thing that the disk was asked for succeeded.
    pub fn is_well(&self) -> bool {
        !self.is_ailing.load(Relaxed) && !self.queue.is_closed()
    }

    /// Makes everything that was appended durable, and accepts nothing more.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error says that the writer has ended, which is what is waited for.
            let _ = closed.await;
        }
    }
}
