//! Whole partitions from events that come in order: what a generator and an export of history write through.

use std::{
    io, mem,
    path::PathBuf,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use domain::event::{Event, Kind, Known};
use polars::frame::DataFrame;

use super::{
    Lake,
    columns::Filling,
    disk::Naming,
    error::LakeError,
    lock::Lock,
    order::in_order,
    part::{GROUP_ROWS, NewPart},
    partition::{Partition, UNFINISHED},
    rows,
    schema::Table,
};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many events.
    pub events: u64,
    /// Into how many files.
    pub files: u64,
    /// Of how many bytes.
    pub bytes: u64,
}

/// Writes partitions anew: every partition that is given an event is replaced by what it is given.
///
/// Events of one kind come in the order in which they happened; kinds may be mixed. In memory are at most three row groups
/// of each kind (and the events of one microsecond): one that is filled, one that waits, one that is written. What cannot be
/// written is said by one of the next events, or at the end.
pub struct Rewriter {
    tables: Vec<TableWriter>,
    _lock: Lock,
}

impl Rewriter {
    pub(super) fn new(lake: &Lake) -> Result<Self, LakeError> {
        let tables = Kind::ALL.iter().map(|kind| TableWriter::new(lake.clone(), *kind));
        Ok(Self { _lock: lake.lock()?, tables: tables.collect() })
    }

    /// Takes an event.
    ///
    /// # Errors
    /// When it happened before one of its kind that was taken already, or its file cannot be written.
    pub fn push(&mut self, event: &Known<Event>) -> Result<(), LakeError> {
        self.tables[event.event.kind() as usize].push(event)
    }

    /// Puts the last partitions in their places.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self) -> Result<Written, LakeError> {
        let mut all = Written::default();
        for table in self.tables {
            let written = table.finish()?;
            all.events += written.events;
            all.files += written.files;
            all.bytes += written.bytes;
        }
        Ok(all)
    }
}

/// The partitions of one kind, one after the other.
struct TableWriter {
    lake: Lake,
    kind: Kind,
    rows: Filling,
    /// The partition that rows are of, and what its file takes the place of, until it is begun.
    open: Option<(Partition, Option<Naming>)>,
    /// What writes rows while others are taken; there is none before the first are written.
    press: Option<Press>,
    /// When the last event happened, and its id.
    last: Option<(i64, u128)>,
    /// Whether the rows that wait are in order and each there once.
    in_order: bool,
}

impl TableWriter {
    fn new(lake: Lake, kind: Kind) -> Self {
        let rows = Filling::new(Table::of(kind), 0);
        Self { lake, kind, rows, open: None, press: None, last: None, in_order: true }
    }

    fn push(&mut self, known: &Known<Event>) -> Result<(), LakeError> {
        let (occurred_at_us, id) = (known.event.occurred_at_us(), id_of(&known.event));
        if self.last.is_none_or(|(last_us, _)| last_us != occurred_at_us) {
            self.make_room_for(occurred_at_us)?;
        } else if self.last.is_some_and(|(_, last_id)| id <= last_id) {
            self.in_order = false;
        }
        self.last = Some((occurred_at_us, id));
        rows::write(known, &mut self.rows.row());
        Ok(())
    }

    /// What must be written before an event of another moment than the last can be taken.
    fn make_room_for(&mut self, occurred_at_us: i64) -> Result<(), LakeError> {
        if let Some((last_us, _)) = self.last.filter(|(last_us, _)| occurred_at_us < *last_us) {
            return Err(LakeError::OutOfOrder { kind: self.kind, occurred_at_us, last_us });
        }
        let same = self.open.as_ref().is_some_and(|(partition, _)| partition.holds(occurred_at_us));
        if !same {
            let next = Partition::of(self.kind, occurred_at_us)?;
            self.write_rows()?;
            let path = self.lake.root.join(next.file());
            let found = self.lake.disk.find(&path).map_err(|error| LakeError::io("reading", &path, error))?;
            self.open = Some((next, Some(Naming::Place(found))));
        } else if GROUP_ROWS <= self.rows.rows() {
            self.write_rows()?;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> Result<(), LakeError> {
        let Some((partition, naming)) = self.open.as_mut().filter(|_| 0 < self.rows.rows()) else {
            return Ok(());
        };
        let (partition, naming) = (*partition, naming.take());
        let frame = self.rows.take().map_err(LakeError::computing("filling columns"))?;
        let in_order = mem::replace(&mut self.in_order, true);
        let press = self.press.get_or_insert_with(|| Press::start(self.lake.clone()));
        press.take(Rows { partition, naming, frame, in_order })
    }

    fn finish(mut self) -> Result<Written, LakeError> {
        self.write_rows()?;
        self.press.take().map_or_else(|| Ok(Written::default()), Press::finish)
    }
}

/// Some rows of a partition.
struct Rows {
    partition: Partition,
    /// With the first of them.
    naming: Option<Naming>,
    frame: DataFrame,
    in_order: bool,
}

/// A thread that puts rows into files, because making columns Parquet takes as long as filling them. Dropped, it ends
/// before anything else happens, and leaves no unfinished file.
struct Press {
    /// At most one row group waits.
    rows: Option<SyncSender<Rows>>,
    thread: Option<JoinHandle<Result<Written, LakeError>>>,
    root: PathBuf,
}

impl Press {
    fn start(lake: Lake) -> Self {
        let (rows, taken) = sync_channel(1);
        let root = lake.root.clone();
        let thread = thread::spawn(move || write_all(&lake, taken.iter()));
        Self { rows: Some(rows), thread: Some(thread), root }
    }

    fn take(&mut self, rows: Rows) -> Result<(), LakeError> {
        let taken = self.rows.as_ref().is_some_and(|to| to.send(rows).is_ok());
        // A thread that takes no more has ended, and says why.
        if taken { Ok(()) } else { self.end().map(drop) }
    }

    fn finish(mut self) -> Result<Written, LakeError> {
        self.end()
    }

    fn end(&mut self) -> Result<Written, LakeError> {
        drop(self.rows.take());
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(written)) => written,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => {
                let earlier = io::Error::other("an earlier event could not be written");
                Err(LakeError::io("writing", &self.root, earlier))
            }
        }
    }
}

impl Drop for Press {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Nobody waits for what it would say.
            self.rows = None;
            drop(self.thread.take().map(JoinHandle::join));
        }
    }
}

/// Puts rows into the files of their partitions, each of which is in its place before the next begins.
fn write_all(lake: &Lake, all: impl Iterator<Item = Rows>) -> Result<Written, LakeError> {
    let mut written = Written::default();
    let mut open: Option<(Partition, NewPart)> = None;
    for Rows { partition, naming, frame, in_order: is_in_order } in all {
        if let Some((before, file)) = open.take_if(|(before, _)| *before != partition) {
            written.add(lake, before, file)?;
        }
        let frame = if is_in_order {
            frame
        } else {
            in_order(&frame).map_err(LakeError::computing("sorting events"))?
        };
        let (_, file) = match &mut open {
            Some(open) => open,
            none => none.insert((partition, begin(lake, partition, naming)?)),
        };
        file.write(frame)?;
    }
    if let Some((last, file)) = open {
        written.add(lake, last, file)?;
    }
    Ok(written)
}

/// The file of a partition, empty and beside its place.
fn begin(lake: &Lake, partition: Partition, naming: Option<Naming>) -> Result<NewPart, LakeError> {
    let unfinished = lake.root.join(partition.folder()).join(UNFINISHED);
    let naming = naming.unwrap_or(Naming::Place(None));
    NewPart::create(&lake.disk, unfinished, Table::of(partition.kind), naming)
}

impl Written {
    /// Puts a file in its place.
    fn add(&mut self, lake: &Lake, partition: Partition, file: NewPart) -> Result<(), LakeError> {
        self.events += file.rows();
        self.files += 1;
        self.bytes += file.publish(|_| lake.root.join(partition.file()))?;
        Ok(())
    }
}

/// The event's id as a number, by which ids of one kind are ordered as their printed forms are.
fn id_of(event: &Event) -> u128 {
    match event {
        Event::Click(visit) => visit.seen.id.uuid().as_u128(),
        Event::Impression(visit) => visit.seen.id.uuid().as_u128(),
        Event::Conversion(event) => event.id.uuid().as_u128(),
        Event::Refund(event) => event.id.uuid().as_u128(),
        Event::StatusChange(event) => event.id.uuid().as_u128(),
        Event::Review(event) => event.id.uuid().as_u128(),
        Event::RateChange(event) => event.id.uuid().as_u128(),
        Event::Decision(event) => event.id.uuid().as_u128(),
    }
}
