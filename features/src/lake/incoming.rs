//! What arrives goes into a file of its own first; a batch that arrives twice is the same file.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use domain::event::{Event, Kind, Known};

use super::{
    Lake, LakeError,
    columns::Filling,
    disk::{Entry, Naming},
    order::in_order,
    part::{NewPart, Part},
    partition::Partition,
    rows,
    schema::Table,
};

/// Where batches wait to be merged into partitions; readers leave out names that begin so.
const FOLDER: &str = "_incoming";

/// How an unfinished batch's name ends; it begins with `_`.
const UNFINISHED: &str = ".new";

/// For how long nobody writes to an unfinished batch before it counts as left behind by a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_hours(24);

/// How many batches this process has begun to write.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Some events, of any kinds and in any order, that are given to the lake together.
///
/// They are in memory until then: a batch is at most some hundred thousand events.
pub struct Batch {
    lake: Lake,
    tables: Vec<Filling>,
}

/// A batch that waits to be merged.
pub(super) struct Waiting {
    pub(super) entry: Entry,
    /// How many events are in it.
    pub(super) rows: usize,
    /// When the first and the last of them happened.
    range_us: Option<(i64, i64)>,
}

impl Lake {
    /// Begins a batch.
    #[must_use]
    pub fn batch(&self) -> Batch {
        let tables = Kind::ALL.iter().map(|kind| Filling::new(Table::of(*kind), 0));
        Batch { lake: self.clone(), tables: tables.collect() }
    }

    /// The batches of a kind that wait, the one with the earliest events first.
    pub(super) fn waiting(&self, kind: Kind) -> Result<Vec<Waiting>, LakeError> {
        let mut found = Vec::new();
        for entry in self.arrived(kind)? {
            let name = name(&entry);
            if !name.ends_with(".parquet") || name.starts_with('_') {
                continue;
            }
            let part = match Part::open(&*self.disk, &entry, Table::of(kind)) {
                // It was merged and taken away since its name was read.
                Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                part => part?,
            };
            found.push(Waiting { entry, rows: part.rows(), range_us: part.range_us("occurred_at") });
        }
        found.sort_by(|one, other| (one.range_us, &one.entry.path).cmp(&(other.range_us, &other.entry.path)));
        Ok(found)
    }

    /// Takes away the unfinished batches of a kind that were left behind; `now` is the time of the lake's own disk.
    pub(super) fn sweep(&self, kind: Kind, now: SystemTime) -> Result<(), LakeError> {
        for entry in self.arrived(kind)? {
            let name = name(&entry);
            let unfinished = name.starts_with('_') && name.ends_with(UNFINISHED);
            let age = now.duration_since(entry.modified).unwrap_or_default();
            if unfinished && LEFT_BEHIND <= age {
                let removed = self.disk.remove(&entry.path);
                removed.map_err(|error| LakeError::io("removing", &entry.path, error))?;
            }
        }
        Ok(())
    }

    /// Everything that is where batches of a kind arrive.
    fn arrived(&self, kind: Kind) -> Result<Vec<Entry>, LakeError> {
        let folder = self.incoming(kind);
        self.disk.list(&folder).map_err(|error| LakeError::io("reading", folder, error))
    }

    fn incoming(&self, kind: Kind) -> PathBuf {
        self.root.join(FOLDER).join(kind.name())
    }

    /// An empty file for a batch, under a name that no other writer has: one of another machine may have our number.
    fn new_batch(&self, kind: Kind, folder: &Path) -> Result<NewPart, LakeError> {
        loop {
            let number = BEGUN.fetch_add(1, Ordering::Relaxed);
            let unfinished = folder.join(format!("_{}-{number}{UNFINISHED}", std::process::id()));
            match NewPart::create(&self.disk, unfinished, Table::of(kind), Naming::Content) {
                Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            }
        }
    }
}

fn name(entry: &Entry) -> &str {
    entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

impl Batch {
    /// Takes an event.
    ///
    /// # Errors
    /// When it happened at a moment that no partition can be named after; the batch is as it was before.
    pub fn push(&mut self, event: &Known<Event>) -> Result<(), LakeError> {
        let kind = event.event.kind();
        Partition::of(kind, event.event.occurred_at_us())?;
        rows::write(event, &mut self.tables[kind as usize].row());
        Ok(())
    }

    /// How many events it has.
    #[must_use]
    pub fn events(&self) -> usize {
        self.tables.iter().map(Filling::rows).sum()
    }

    /// Gives the events to the lake, one file for each kind, named after what it holds: the same batch is the same
    /// file, however often it is given. It may be given while the lake is being compacted.
    ///
    /// # Errors
    /// When a file cannot be written; those of other kinds may be in their places by then, and giving the batch again
    /// brings the rest.
    pub fn finish(self) -> Result<u64, LakeError> {
        let mut events = 0;
        for (kind, mut rows) in Kind::ALL.iter().zip(self.tables) {
            if rows.rows() == 0 {
                continue;
            }
            let frame = rows.take().map_err(LakeError::computing("filling columns"))?;
            let frame = in_order(&frame).map_err(LakeError::computing("sorting events"))?;
            events += frame.height() as u64;
            let folder = self.lake.incoming(*kind);
            let mut file = self.lake.new_batch(*kind, &folder)?;
            file.write(frame)?;
            file.publish(|hash| folder.join(format!("{hash}.parquet")))?;
        }
        Ok(events)
    }
}
