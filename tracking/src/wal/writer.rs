//! The one thread that writes the log, and makes many records durable with one sync.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout_at,
};

use super::{
    AppendError, Durability,
    counters::Counters,
    disk::{Disk, DiskFile},
    frame::{self, Kind},
    position::Position,
    recovery::segment_name,
};

/// How many records are written before their callers hear of it, at most.
const BATCH: usize = 4096;
/// The bytes of a seal, for which every segment keeps room.
const SEAL: u32 = frame::FRAME_HEADER;

/// How long after a refusal the disk is asked again, when no caller does.
const PROBE: Duration = Duration::from_millis(500);

/// What the log's callers send to its writer.
pub(super) enum Message {
    Append(Pending),
    Close(oneshot::Sender<()>),
}

/// A record on its way to the disk.
pub(super) struct Pending {
    pub record: Vec<u8>,
    /// Who waits for it to be durable; nobody in interval mode.
    pub caller: Option<Caller>,
}

type Caller = oneshot::Sender<Result<(), AppendError>>;

/// The longest record that fits into a segment of this size.
pub(super) fn record_limit(segment_bytes: u32) -> u32 {
    let overhead = frame::SEGMENT_HEADER + frame::FRAME_HEADER + SEAL;
    segment_bytes.saturating_sub(overhead).min(frame::RECORD_LIMIT)
}

/// The log's writing end.
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    durability: Durability,
    segment_bytes: u32,
    counters: Arc<Counters>,
    durable: watch::Sender<Position>,
    segment: Option<Segment>,
    next_sequence: u64,
    /// Frames that are encoded but not written, and their callers.
    encoded: Vec<u8>,
    encoded_for: Vec<Option<Caller>>,
    /// Callers whose frames are written but not synced.
    written_for: Vec<Option<Caller>>,
    sync_due: Option<tokio::time::Instant>,
    has_stopped: bool,
    /// Tells callers that the disk did not do the last thing it was asked for.
    is_ailing: Arc<AtomicBool>,
}

struct Segment {
    file: Box<dyn DiskFile>,
    sequence: u64,
    written: u32,
    synced: u32,
    is_allocated: bool,
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        (durability, segment_bytes): (Durability, u32),
        (counters, durable, is_ailing): (Arc<Counters>, watch::Sender<Position>, Arc<AtomicBool>),
    ) -> Self {
        let next_sequence = durable.borrow().sequence;
        Self {
            disk,
            durability,
            segment_bytes,
            counters,
            durable,
            segment: None,
            next_sequence,
            encoded: Vec::new(),
            encoded_for: Vec::new(),
            written_for: Vec::new(),
            sync_due: None,
            has_stopped: false,
            is_ailing,
        }
    }

    /// Writes what comes until the log is closed or nobody holds it any more.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        let mut closed_for = Vec::new();
        loop {
            let received = queue.recv_many(&mut messages, BATCH);
            let count = match self.wakes_at() {
                Some(due) => timeout_at(due, received).await,
                None => Ok(received.await),
            };
            match count {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) if self.sync_due.is_some() => self.sync(),
                Err(_) => self.probe(),
            }
            let mut batch = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Append(pending) => batch.push(pending),
                    Message::Close(done) => {
                        // What is already queued is still written; the next receive then ends the loop.
                        queue.close();
                        closed_for.push(done);
                    }
                }
            }
            self.store(batch);
        }
        self.sync();
        // The folder's lock is given back before anybody hears that the log is closed.
        drop(self);
        for done in closed_for {
            // Whoever asked may have stopped waiting; the log is closed all the same.
            let _ = done.send(());
        }
    }

    fn wakes_at(&self) -> Option<tokio::time::Instant> {
        let probes = self.is_ailing.load(Relaxed) && !self.has_stopped;
        self.sync_due.or_else(|| probes.then(|| tokio::time::Instant::now() + PROBE))
    }

    /// Finds out whether the disk has room again: without traffic nobody else would.
    fn probe(&mut self) {
        if self.make_room(0).is_ok() {
            self.is_ailing.store(false, Relaxed);
        }
    }

    fn store(&mut self, batch: Vec<Pending>) {
        let mut refusal = self.has_stopped.then_some(AppendError::Stopped);
        for pending in batch {
            if refusal.is_none() {
                refusal = self.make_room(pending.record.len() as u32).err();
            }
            match refusal {
                None => self.encode(pending),
                Some(error) => self.refuse([pending.caller], error),
            }
        }
        self.write();
        match self.durability {
            Durability::Commit => self.sync(),
            Durability::Interval(interval) => self.sync_when_due(interval),
        }
    }

    fn sync_when_due(&mut self, interval: Duration) {
        if self.written_for.is_empty() {
            return;
        }
        let now = tokio::time::Instant::now();
        if *self.sync_due.get_or_insert(now + interval) <= now {
            self.sync();
        }
    }

    /// Sees to it that the open segment has room for a record, beginning another where it has not.
    fn make_room(&mut self, record: u32) -> Result<(), AppendError> {
        let needed = frame::FRAME_HEADER + record + SEAL;
        if let Some(segment) = &mut self.segment {
            if !segment.is_allocated {
                segment.allocate(self.segment_bytes).map_err(|error| refusal(&error))?;
            }
            if segment.written + self.encoded.len() as u32 + needed <= self.segment_bytes {
                return Ok(());
            }
        }
        self.seal()?;
        match self.begin() {
            Ok(segment) => self.segment = Some(segment),
            Err(error) => return Err(refusal(&error)),
        }
        self.counters.count_segment();
        Ok(())
    }

    fn encode(&mut self, pending: Pending) {
        if let Some(segment) = &self.segment {
            let offset = segment.written + self.encoded.len() as u32;
            let place = (segment.sequence, offset);
            frame::encode(&mut self.encoded, Kind::Record, &pending.record, segment.synced, place);
            self.encoded_for.push(pending.caller);
        }
    }

    /// Hands the encoded frames to the disk; they do not last yet.
    fn write(&mut self) {
        let Some(segment) = self.segment.as_mut().filter(|_| !self.encoded.is_empty()) else {
            return;
        };
        let written = segment.write(&self.encoded);
        self.encoded.clear();
        match written {
            Ok(()) => self.written_for.append(&mut self.encoded_for),
            Err(error) => {
                tracing::error!(%error, sequence = segment.sequence, "the log could not be written");
                let is_undone = segment.undo();
                let callers = std::mem::take(&mut self.encoded_for);
                self.refuse(callers, refusal(&error));
                if let Err(error) = is_undone {
                    self.stop(&error);
                }
            }
        }
    }

    /// Makes everything written last, and tells those who wait for it.
    fn sync(&mut self) {
        self.sync_due = None;
        let Some(segment) = self.segment.as_mut().filter(|segment| segment.synced < segment.written) else {
            return;
        };
        let began = Instant::now();
        if let Err(error) = segment.file.sync() {
            return self.stop(&error);
        }
        segment.synced = segment.written;
        self.is_ailing.store(false, Relaxed);
        let position = Position { sequence: segment.sequence, offset: segment.synced };
        self.counters.count_sync(began.elapsed().as_micros() as u64);
        self.counters.make_durable(self.written_for.len() as u64);
        // Before the callers hear of it, so that whoever they tell can read it.
        self.durable.send_replace(position);
        for caller in self.written_for.drain(..).flatten() {
            // A caller that has gone away has its record all the same.
            let _ = caller.send(Ok(()));
        }
    }

    /// Ends the open segment for good, so that a reader knows that nothing is missing behind it.
    fn seal(&mut self) -> Result<(), AppendError> {
        self.write();
        let Some(segment) = &mut self.segment else {
            return if self.has_stopped { Err(AppendError::Stopped) } else { Ok(()) };
        };
        let end = segment.written;
        let mut seal = Vec::with_capacity(SEAL as usize);
        frame::encode(&mut seal, Kind::Seal, &[], segment.synced, (segment.sequence, end));
        if let Err(error) = segment.write(&seal) {
            if let Err(error) = segment.undo() {
                self.stop(&error);
            }
            return Err(refusal(&error));
        }
        self.sync();
        if self.has_stopped {
            return Err(AppendError::Stopped);
        }
        if let Some(sealed) = self.segment.take()
            && let Err(error) = sealed.file.set_length(u64::from(sealed.written))
        {
            tracing::warn!(%error, sequence = sealed.sequence, "a sealed segment keeps its unused room");
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Segment> {
        let sequence = self.next_sequence;
        let name = segment_name(sequence);
        let file = self.disk.create(&name)?;
        let mut segment = Segment { file, sequence, written: 0, synced: 0, is_allocated: false };
        let begun = segment.allocate(self.segment_bytes).and_then(|()| {
            segment.write(&frame::segment_header(sequence))?;
            segment.file.sync()?;
            self.disk.sync_folder()
        });
        if let Err(error) = begun {
            // The next attempt creates the file anew, so a leftover does no harm but to the room it takes.
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        segment.synced = segment.written;
        self.next_sequence += 1;
        Ok(segment)
    }

    fn refuse(&self, callers: impl IntoIterator<Item = Option<Caller>>, error: AppendError) {
        self.is_ailing.store(true, Relaxed);
        for caller in callers {
            self.counters.refuse(1);
            if let Some(caller) = caller {
                // A caller that has gone away needs no refusal.
                let _ = caller.send(Err(error));
            }
        }
    }

    /// After a failed sync nobody knows what the disk holds: the log never promises anything again.
    fn stop(&mut self, error: &io::Error) {
        tracing::error!(%error, "the log stops accepting events, because the disk failed to keep them; restart once it works");
        self.has_stopped = true;
        self.is_ailing.store(true, Relaxed);
        if let Some(segment) = self.segment.take() {
            // Refused records should not be found after a restart; a disk that fails here as well may keep them.
            let _ = segment.file.set_length(u64::from(segment.synced));
        }
        let unsynced = std::mem::take(&mut self.written_for);
        let unwritten = std::mem::take(&mut self.encoded_for);
        self.encoded.clear();
        self.refuse(unsynced.into_iter().chain(unwritten), AppendError::Stopped);
    }
}

impl Segment {
    fn allocate(&mut self, length: u32) -> io::Result<()> {
        self.file.allocate(u64::from(length))?;
        self.is_allocated = true;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, u64::from(self.written))?;
        self.written += bytes.len() as u32;
        Ok(())
    }

    /// Takes back a write that failed half-way, so that no refused record can ever be found.
    fn undo(&mut self) -> io::Result<()> {
        self.is_allocated = false;
        self.file.set_length(u64::from(self.written))
    }
}

fn refusal(error: &io::Error) -> AppendError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::DiskFull,
        _ => AppendError::Io,
    }
}
