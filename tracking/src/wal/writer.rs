//! The one thread that writes the log, and makes many records durable with one sync.

use std::{
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    AppendError, Durability,
    batch::{Batch, Run},
    counters::Counters,
    disk::{Disk, DiskFile},
    frame::{self, Kind},
    lanes::{Lanes, Records, Taken},
    position::Position,
    recovery::segment_name,
};

/// The bytes of a seal, for which every segment keeps room.
const SEAL: u32 = frame::FRAME_HEADER;

/// How long after a refusal the disk is asked again, when no caller does.
const PROBE: Duration = Duration::from_millis(500);

/// The longest record that fits into a segment of this size.
pub(super) fn record_limit(segment_bytes: u32) -> u32 {
    let overhead = frame::SEGMENT_HEADER + frame::FRAME_HEADER + SEAL;
    segment_bytes.saturating_sub(overhead).min(frame::RECORD_LIMIT)
}

/// The log's writing end.
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    lanes: Arc<Lanes>,
    durability: Durability,
    segment_bytes: u32,
    counters: Arc<Counters>,
    durable: watch::Sender<Position>,
    segment: Option<Segment>,
    next_sequence: u64,
    /// Frames that are encoded but not written, and whose they are.
    encoded: Vec<u8>,
    encoded_for: Vec<Run>,
    /// Whose frames are written but not synced.
    written_for: Vec<Run>,
    /// For each lane what is put in the place of the records that are taken out.
    empty: Vec<Records>,
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
        (disk, lanes): (Arc<dyn Disk>, Arc<Lanes>),
        (durability, segment_bytes): (Durability, u32),
        (counters, durable, is_ailing): (Arc<Counters>, watch::Sender<Position>, Arc<AtomicBool>),
    ) -> Self {
        let next_sequence = durable.borrow().sequence;
        Self {
            disk,
            empty: (0..lanes.len()).map(|_| Records::default()).collect(),
            lanes,
            durability,
            segment_bytes,
            counters,
            durable,
            segment: None,
            next_sequence,
            encoded: Vec::new(),
            encoded_for: Vec::new(),
            written_for: Vec::new(),
            has_stopped: false,
            is_ailing,
        }
    }

    /// Writes what comes until the log is closed, and gives back the folder's lock.
    pub(super) fn run(mut self) {
        self.lanes.bell().listen();
        loop {
            self.rest();
            // Asked before taking: what was put before the closing is still written.
            let is_closed = self.lanes.is_closed();
            for lane in 0..self.lanes.len() {
                let mut empty = mem::take(&mut self.empty[lane]);
                if let Some(taken) = self.lanes.take(lane, &mut empty) {
                    empty = self.store(taken);
                }
                self.empty[lane] = empty;
            }
            self.write();
            self.sync();
            if is_closed {
                break;
            }
        }
    }

    /// Waits until there is something to write; in interval mode then until it is time.
    fn rest(&mut self) {
        let is_probing = self.is_ailing.load(Relaxed) && !self.has_stopped;
        if !self.lanes.bell().wait(is_probing.then_some(PROBE)) {
            return self.probe();
        }
        let Durability::Interval(interval) = self.durability else { return };
        let began = Instant::now();
        while !self.lanes.is_closed() && !self.lanes.is_pressing() && !self.is_ailing.load(Relaxed) {
            let left = interval.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            // A bell that rings is heard and not kept, or the next one that matters would be silent.
            self.lanes.bell().wait(Some(left));
        }
    }

    /// Finds out whether the disk has room again: without traffic nobody else would.
    fn probe(&mut self) {
        if self.make_room(0).is_ok() {
            self.is_ailing.store(false, Relaxed);
        }
    }

    /// Encodes what was taken, as far as there is room; gives back the records' room.
    fn store(&mut self, mut taken: Taken) -> Records {
        let (mut records, batch) = (mem::take(&mut taken.records), taken.batch.clone());
        let mut refusal = self.has_stopped.then_some(AppendError::Stopped);
        for (index, record) in (0..).zip(records.iter()) {
            if refusal.is_none() {
                refusal = self.make_room(record.len() as u32).err();
            }
            match refusal {
                None => self.encode(record, &batch, index),
                Some(error) => self.refuse([Run::new(&batch, index)], error),
            }
            taken.left.start = index + 1;
        }
        records.clear();
        records
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

    fn encode(&mut self, record: &[u8], batch: &Arc<Batch>, index: u32) {
        if let Some(segment) = &self.segment {
            let offset = segment.written + self.encoded.len() as u32;
            let place = (segment.sequence, offset);
            frame::encode(&mut self.encoded, Kind::Record, record, segment.synced, place);
            if !self.encoded_for.last_mut().is_some_and(|run| run.extend(batch, index)) {
                self.encoded_for.push(Run::new(batch, index));
            }
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
                let unwritten = mem::take(&mut self.encoded_for);
                self.refuse(unwritten, refusal(&error));
                if let Err(error) = is_undone {
                    self.stop(&error);
                }
            }
        }
    }

    /// Makes everything written last, and tells those who wait for it.
    fn sync(&mut self) {
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
        self.counters.count_sync(began.elapsed());
        self.counters.make_durable(self.written_for.iter().map(|run| u64::from(run.len())).sum());
        // Before the callers hear of it, so that whoever they tell can read it.
        self.durable.send_replace(position);
        self.written_for.drain(..).for_each(Run::keep);
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

    fn refuse(&self, runs: impl IntoIterator<Item = Run>, error: AppendError) {
        self.is_ailing.store(true, Relaxed);
        for run in runs {
            self.counters.refuse(error, u64::from(run.len()));
            run.refuse(error);
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
        let unsynced = mem::take(&mut self.written_for);
        let unwritten = mem::take(&mut self.encoded_for);
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
