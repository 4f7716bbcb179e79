//! Whole partitions from events that come in order: what a generator and an export of history write through.

use std::mem;

use domain::event::{Event, Kind, Known};

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
/// Events of one kind come in the order in which they happened; kinds may be mixed. In memory are at most one row group
/// of each kind (and the events of one microsecond).
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
    /// The partition that is being written, and its file once a row group was.
    open: Option<(Partition, Option<NewPart>)>,
    /// When the last event happened, and its id.
    last: Option<(i64, u128)>,
    /// Whether the rows that wait are in order and each there once.
    in_order: bool,
    written: Written,
}

impl TableWriter {
    fn new(lake: Lake, kind: Kind) -> Self {
        let rows = Filling::new(Table::of(kind), 0);
        Self { lake, kind, rows, open: None, last: None, in_order: true, written: Written::default() }
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
            self.close()?;
            self.open = Some((next, None));
        } else if GROUP_ROWS <= self.rows.rows() {
            self.write_rows()?;
        }
        Ok(())
    }

    fn write_rows(&mut self) -> Result<(), LakeError> {
        let Some((partition, file)) = self.open.as_mut().filter(|_| 0 < self.rows.rows()) else {
            return Ok(());
        };
        let mut frame = self.rows.take().map_err(LakeError::computing("filling columns"))?;
        if !mem::replace(&mut self.in_order, true) {
            frame = in_order(&frame).map_err(LakeError::computing("sorting events"))?;
        }
        if file.is_none() {
            let unfinished = self.lake.root.join(partition.folder()).join(UNFINISHED);
            let path = self.lake.root.join(partition.file());
            let found = self.lake.disk.find(&path).map_err(|error| LakeError::io("reading", &path, error))?;
            let naming = Naming::Place(found);
            *file = Some(NewPart::create(&self.lake.disk, unfinished, Table::of(self.kind), naming)?);
        }
        file.as_mut().map_or(Ok(()), |file| file.write(frame))
    }

    fn close(&mut self) -> Result<(), LakeError> {
        self.write_rows()?;
        if let Some((partition, Some(file))) = self.open.take() {
            self.written.events += file.rows();
            self.written.files += 1;
            self.written.bytes += file.publish(|_| self.lake.root.join(partition.file()))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Written, LakeError> {
        self.close()?;
        Ok(self.written)
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
    }
}
