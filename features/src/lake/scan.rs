//! The lake read: as a plan that polars carries out, or as events in the order in which they became known.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    vec,
};

use domain::event::{Event, Kind, Known};
use polars::{
    error::PolarsResult,
    frame::DataFrame,
    io::HiveOptions,
    prelude::{IntoLazy, LazyFrame, PlRefPath, ScanArgsParquet, SortMultipleOptions, col, lit},
};

use super::{
    Lake,
    columns::Reading,
    disk::{Disk, Entry},
    error::LakeError,
    part::Part,
    rows,
    schema::{Table, Type},
};

/// How many events are read from a partition's columns at once.
const BLOCK: usize = 1_024;

impl Lake {
    /// The events of a kind that happened within `range_us` (microseconds since the Unix epoch), as a plan over the
    /// columns of its table. Each file is checked first.
    ///
    /// # Errors
    /// When a file is damaged, of a newer version, or not of the table.
    pub fn scan(&self, kind: Kind, range_us: Range<i64>) -> Result<LazyFrame, LakeError> {
        let table = Table::of(kind);
        let paths = self.parts(kind, &range_us)?.map(|part| Ok(part?.found().content.clone()));
        let paths = paths.collect::<Result<Vec<_>, LakeError>>()?;
        let planned = if paths.is_empty() {
            Ok(DataFrame::empty_with_schema(&table.schema()).lazy())
        } else {
            plan(table, &paths, range_us)
        };
        planned.map_err(LakeError::computing("planning to read the lake"))
    }

    /// All events of some kinds that happened within `range_us` (microseconds since the Unix epoch), in the order in
    /// which they became known, then of that in which they happened.
    ///
    /// In memory are the partitions of which some events, but not all, were known at the moment that was reached. What
    /// is merged into partitions meanwhile is there or not, and the order is that of what was there when it began.
    ///
    /// # Errors
    /// When a file is damaged, of a newer version, or not of its table.
    pub fn events(&self, kinds: &[Kind], range_us: Range<i64>) -> Result<Events, LakeError> {
        let mut waiting = Vec::new();
        for kind in kinds {
            for part in self.parts(*kind, &range_us)? {
                let part = part?;
                let first_known_us = part.range_us("known_at").map(|(first, _)| first);
                waiting.extend(first_known_us.map(|first| (first, part.kind(), part.found().entry.clone())));
            }
        }
        waiting.sort_unstable_by(|one, other| {
            (other.0, other.1, &other.2.path).cmp(&(one.0, one.1, &one.2.path))
        });
        Ok(Events { disk: self.disk.clone(), waiting, open: BinaryHeap::new(), range_us })
    }

    /// The partitions that something of `range_us` may be in. Each is open only while it is looked at: there are more
    /// of them than a process may have files open.
    fn parts(
        &self,
        kind: Kind,
        range_us: &Range<i64>,
    ) -> Result<impl Iterator<Item = Result<Part, LakeError>>, LakeError> {
        let touched = self.touched(kind, range_us)?;
        Ok(touched.into_iter().map(move |(_, entry)| Part::open(&*self.disk, &entry, Table::of(kind))))
    }
}

fn plan(table: &'static Table, paths: &[PathBuf], range_us: Range<i64>) -> PolarsResult<LazyFrame> {
    let paths = paths.iter().map(|path| PlRefPath::try_from_path(path));
    let args = ScanArgsParquet {
        schema: Some(Arc::new(table.schema())),
        allow_missing_columns: true,
        hive_options: HiveOptions::new_disabled(),
        glob: false,
        cache: false,
        ..ScanArgsParquet::default()
    };
    let moment = |us: i64| lit(us).cast(Type::Time.dtype());
    let within =
        moment(range_us.start).lt_eq(col("occurred_at")).and(col("occurred_at").lt(moment(range_us.end)));
    let all = LazyFrame::scan_parquet_files(paths.collect::<PolarsResult<Vec<_>>>()?.into(), args)?;
    Ok(all.filter(within))
}

/// Events in the order in which they became known; after an error there is nothing more.
pub struct Events {
    disk: Arc<dyn Disk>,
    /// Files of which nothing was known yet, by the moment when the first of it was; the one that is next is the last.
    waiting: Vec<(i64, Kind, Entry)>,
    open: BinaryHeap<Reverse<Source>>,
    range_us: Range<i64>,
}

impl Iterator for Events {
    type Item = Result<Known<Event>, LakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step();
        if next.is_err() {
            self.waiting.clear();
            self.open.clear();
        }
        next.transpose()
    }
}

impl Events {
    fn step(&mut self) -> Result<Option<Known<Event>>, LakeError> {
        self.open_what_may_be_next()?;
        let Some(Reverse(source)) = self.open.pop() else { return Ok(None) };
        let Source { next, mut rest } = source;
        if let Some(after) = rest.next()? {
            self.open.push(Reverse(Source { next: after, rest }));
        }
        Ok(Some(next))
    }

    /// Opens every partition with an event that may be known before all those that wait in open ones.
    fn open_what_may_be_next(&mut self) -> Result<(), LakeError> {
        while let Some((first_known_us, ..)) = self.waiting.last() {
            let next_known_us = self.open.peek().map(|Reverse(source)| source.next.known_at_us);
            if next_known_us.is_some_and(|next| next < *first_known_us) {
                break;
            }
            let Some((_, kind, entry)) = self.waiting.pop() else { break };
            let part = Part::open(&*self.disk, &entry, Table::of(kind))?;
            let mut rest = Rest::of(&part, self.range_us.clone())?;
            if let Some(next) = rest.next()? {
                self.open.push(Reverse(Source { next, rest }));
            }
        }
        Ok(())
    }
}

/// A partition with events that were not given yet.
struct Source {
    next: Known<Event>,
    rest: Rest,
}

impl Source {
    fn key(&self) -> (i64, i64, Kind, &Path) {
        let event = &self.next.event;
        (self.next.known_at_us, event.occurred_at_us(), event.kind(), &self.rest.path)
    }
}

impl Ord for Source {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Source {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Source {}

/// The rows of a partition in the order in which they became known, decoded a block at a time.
struct Rest {
    kind: Kind,
    path: PathBuf,
    range_us: Range<i64>,
    frame: DataFrame,
    next_row: usize,
    block: vec::IntoIter<Known<Event>>,
}

impl Rest {
    fn of(part: &Part, range_us: Range<i64>) -> Result<Self, LakeError> {
        let frame = part.rows_of(0, part.rows())?;
        let frame = frame.sort(["known_at", "occurred_at", "id"], SortMultipleOptions::default());
        let frame = frame.map_err(LakeError::computing("sorting events"))?;
        let (kind, path) = (part.kind(), part.path().to_owned());
        Ok(Self { kind, path, range_us, frame, next_row: 0, block: Vec::new().into_iter() })
    }

    fn next(&mut self) -> Result<Option<Known<Event>>, LakeError> {
        loop {
            if let Some(next) = self.block.next() {
                return Ok(Some(next));
            }
            if self.next_row == self.frame.height() {
                return Ok(None);
            }
            let block = self.frame.slice(self.next_row as i64, BLOCK);
            self.next_row += block.height();
            let mut events = decode(self.kind, &block, &self.path)?;
            events.retain(|known| self.range_us.contains(&known.event.occurred_at_us()));
            self.block = events.into_iter();
        }
    }
}

/// The events of a frame that came from the file at `path`.
pub(super) fn decode(kind: Kind, frame: &DataFrame, path: &Path) -> Result<Vec<Known<Event>>, LakeError> {
    let table = Table::of(kind);
    let columns = Reading::new(table, frame).map_err(LakeError::computing("reading columns"))?;
    let event = |row: usize| {
        rows::read(kind, &mut columns.row(row)).map_err(|source| LakeError::Cell {
            path: path.to_owned(),
            id: columns.id(row).to_owned(),
            source,
        })
    };
    (0..frame.height()).map(event).collect()
}
