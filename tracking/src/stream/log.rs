//! The click log as it is read on the way to the database: on threads that may wait for the disk.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::spawn_blocking};

use super::progress::Progress;
use crate::{
    event::Event,
    wal::{Batch, Position, Reader},
};

/// How many events are read at once and stored in one transaction, at most: the more, the fewer times a link's counter
/// is raised.
pub(super) const BATCH: usize = 10_000;
/// How often the place in the log is remembered; after a crash at most this much is shipped again.
const REMEMBERING: Duration = Duration::from_secs(1);

/// Events as they stand in the log.
pub(super) struct Read {
    /// Their bytes.
    pub records: Vec<Vec<u8>>,
    /// The same, decoded.
    pub events: Vec<Event>,
    /// The place behind them.
    pub end: Position,
}

/// A reading end of the log. Clones read on their own, and one of them frees.
#[derive(Clone)]
pub(super) struct Log {
    /// Locked only while somebody reads or frees; whoever reads says from where.
    reader: Arc<Mutex<Reader>>,
    durable: watch::Receiver<Position>,
    /// The first place that was written since the log was opened.
    opened_at: Position,
    /// Up to where it is known on disk that clicks are stored, and since when.
    remembered: (Position, Instant),
    progress: Arc<Progress>,
}

impl Log {
    pub(super) fn new(reader: Reader, progress: Arc<Progress>) -> Self {
        let durable = reader.durable();
        let opened_at = *durable.borrow();
        Self {
            opened_at,
            durable,
            remembered: (reader.position(), Instant::now()),
            reader: Arc::new(Mutex::new(reader)),
            progress,
        }
    }

    /// The place up to which everything is known to be stored.
    pub(super) fn freed(&self) -> Position {
        self.remembered.0
    }

    /// Waits for something to read behind `position`; false when the log is closed and there never will be.
    pub(super) async fn has_more(&mut self, position: Position) -> bool {
        // A closed log may still have something that was written last.
        self.durable.wait_for(|durable| position < *durable).await.is_ok()
            || position < *self.durable.borrow()
    }

    /// Reads what comes next for the first time: what is damaged is told, and what is older than this run counted.
    ///
    /// # Errors
    /// When the disk cannot be read, or a newer release wrote a record, which must not be left out.
    pub(super) async fn read_on(&self, begin: Position) -> anyhow::Result<Read> {
        let mut batch = self.read(begin, BATCH).await?;
        let mut records = batch.records.len();
        // A batch is either from before the log was opened or from after it, or it could not be counted.
        while 1 < records && begin < self.opened_at && self.opened_at < batch.end {
            records /= 2;
            batch = self.read(begin, records).await?;
        }
        let events = events(&batch.records)?;
        if batch.end <= self.opened_at {
            self.progress.inherited.add(events.len() as u64);
        }
        for damage in &batch.damage {
            self.progress.damaged.add(1);
            tracing::error!(
                sequence = damage.sequence,
                from = damage.bytes.start,
                to = damage.bytes.end,
                "the disk lost a part of the log that had been durable; the segment is kept for inspection"
            );
        }
        Ok(Read { records: batch.records, events, end: batch.end })
    }

    /// Reads at most so many records from a place that has not been freed.
    pub(super) async fn read(&self, begin: Position, records: usize) -> io::Result<Batch> {
        self.with_reader(move |reader| {
            reader.rewind(begin);
            reader.read(records)
        })
        .await
    }

    /// Gives back the room before `position`, once it is worth a write to the disk.
    pub(super) async fn free(&mut self, position: Position) {
        let (remembered, at) = self.remembered;
        if remembered.sequence != position.sequence || REMEMBERING <= at.elapsed() {
            self.free_now(position).await;
        }
    }

    /// Remembers that everything before `position` is stored, and gives back its room.
    pub(super) async fn free_now(&mut self, position: Position) {
        if position != self.remembered.0
            && let Err(error) = self.with_reader(move |reader| reader.free(position)).await
        {
            tracing::error!(%error, "the log cannot be freed; the same clicks are shipped again after a restart");
        }
        self.remembered = (position, Instant::now());
    }

    /// Disks block: not on a thread that serves clicks.
    async fn with_reader<T: Send + 'static>(&self, act: impl FnOnce(&mut Reader) -> T + Send + 'static) -> T {
        let reader = self.reader.clone();
        let acting = spawn_blocking(move || act(&mut reader.lock().unwrap_or_else(PoisonError::into_inner)));
        match acting.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// The events in some records.
pub(super) fn events(records: &[Vec<u8>]) -> anyhow::Result<Vec<Event>> {
    Ok(records.iter().map(|record| Event::decode(record)).collect::<Result<_, _>>()?)
}
