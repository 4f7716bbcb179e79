//! The lake told again: events in the order in which they became known, a block at a time, with only those columns read
//! that somebody asks about.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    ops::Range,
    path::Path,
    sync::Arc,
};

use domain::event::{Event, Kind, Known};
use rayon::prelude::*;

use super::{
    Lake,
    columns::Reading,
    disk::{Disk, Entry},
    error::LakeError,
    part::Part,
    partition::Partition,
    rows,
    schema::Table,
    template,
};

/// How many events are told at once: enough for several cores, and some ten megabytes.
const BLOCK: usize = 1 << 15;
/// How many of them one core takes apart at a time.
const CHUNK: usize = 1 << 11;

/// Which events of a kind are told, and what of them.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which kind.
    pub kind: Kind,
    /// Those that happened then, in microseconds since the Unix epoch.
    pub occurred_us: Range<i64>,
    /// The columns that are read. An event says nothing of the others: ids are nil, texts empty, numbers zero.
    pub columns: BTreeSet<&'static str>,
}

impl Told {
    /// All that there is to know of events that happened then.
    #[must_use]
    pub fn whole(kind: Kind, occurred_us: Range<i64>) -> Self {
        Self { kind, occurred_us, columns: Table::of(kind).columns().map(|column| column.name).collect() }
    }

    fn reads(&self, column: &str) -> bool {
        matches!(column, "id" | "occurred_at" | "known_at") || self.columns.contains(column)
    }
}

/// Events that follow each other in the order in which they became known, in pieces that were taken apart together.
pub type Block = Vec<Vec<Known<Event>>>;

/// Events in the order in which they became known. In memory are the row groups of which some events, but not all, were
/// known at the moment that was reached, by the columns that are read.
pub struct Replay {
    disk: Arc<dyn Disk>,
    told: Vec<Told>,
    known_us: Range<i64>,
    /// Row groups of which nothing was known yet; the one that is next is the last.
    waiting: Vec<Waiting>,
    open: Vec<Open>,
    rows: u64,
}

struct Waiting {
    first_known_us: i64,
    /// Which of those that are told.
    told: usize,
    entry: Arc<Entry>,
    from: usize,
    rows: usize,
}

/// A row group with events that were not told yet.
struct Open {
    kind: Kind,
    entry: Arc<Entry>,
    columns: Reading,
    /// When each event became known, and its row.
    order: Vec<(i64, u32)>,
    next: usize,
}

impl Lake {
    /// Tells events again that became known within `known_us` (microseconds since the Unix epoch).
    ///
    /// # Errors
    /// When a file is damaged, of a newer version, or not of its table.
    pub fn replay(&self, told: Vec<Told>, known_us: Range<i64>) -> Result<Replay, LakeError> {
        let mut waiting = Vec::new();
        for (place, one) in told.iter().enumerate() {
            let touched = self.touched(one.kind, &one.occurred_us)?;
            let found: Result<Vec<_>, LakeError> = touched
                .par_iter()
                .map(|(_, entry)| groups(&*self.disk, entry, (place, one), &known_us))
                .collect();
            waiting.extend(found?.into_iter().flatten());
        }
        waiting.sort_by(|one, other| {
            (other.first_known_us, other.told, &other.entry.path, other.from).cmp(&(
                one.first_known_us,
                one.told,
                &one.entry.path,
                one.from,
            ))
        });
        let rows = waiting.iter().map(|group| group.rows as u64).sum();
        Ok(Replay { disk: self.disk.clone(), told, known_us, waiting, open: Vec::new(), rows })
    }

    /// Finds events of a kind by their printed ids, and gives them to `each`, with what the columns say that are named.
    ///
    /// # Errors
    /// When a file is damaged, of a newer version, or not of its table.
    pub fn find(
        &self,
        told: &Told,
        is_wanted: impl Fn(&str) -> bool + Sync,
        mut each: impl FnMut(Known<Event>),
    ) -> Result<(), LakeError> {
        let touched = self.touched(told.kind, &told.occurred_us)?;
        let found = |(_, entry): &(Partition, Entry)| -> Result<Vec<Known<Event>>, LakeError> {
            let part = Part::open(&*self.disk, entry, Table::of(told.kind))?;
            let mut found = Vec::new();
            for (from, rows) in part.groups() {
                let columns = read(&part, told, from, rows)?;
                for row in (0..rows).filter(|row| is_wanted(columns.id(*row))) {
                    found.push(event(told.kind, &columns, row, part.path())?);
                }
            }
            Ok(found)
        };
        // A few partitions at a time, so that not all that is found is in memory together.
        for some in touched.chunks(8 * rayon::current_num_threads()) {
            let found: Vec<Vec<_>> = some.par_iter().map(&found).collect::<Result<_, LakeError>>()?;
            found.into_iter().flatten().for_each(&mut each);
        }
        Ok(())
    }
}

/// The row groups of a file with something to tell.
fn groups(
    disk: &dyn Disk,
    entry: &Entry,
    (told, one): (usize, &Told),
    known_us: &Range<i64>,
) -> Result<Vec<Waiting>, LakeError> {
    let part = Part::open(disk, entry, Table::of(one.kind))?;
    // As the content that was looked at: row groups of another have other rows.
    let entry = Arc::new(part.found().entry.clone());
    let times = part.ranges_us("known_at").zip(part.ranges_us("occurred_at"));
    let groups = part.groups().zip(times).filter(|(_, (known, occurred))| {
        let overlaps = |had: &(i64, i64), asked: &Range<i64>| had.0 < asked.end && asked.start <= had.1;
        overlaps(known, known_us) && overlaps(occurred, &one.occurred_us)
    });
    let waiting = |((from, rows), ((first_known_us, _), _))| Waiting {
        first_known_us,
        told,
        entry: entry.clone(),
        from,
        rows,
    };
    Ok(groups.map(waiting).collect())
}

fn read(part: &Part, told: &Told, from: usize, rows: usize) -> Result<Reading, LakeError> {
    let frame = part.columns_of(from, rows, |name| told.reads(name))?;
    Reading::with_template(Table::of(told.kind), &frame, template::of(told.kind))
        .map_err(LakeError::computing("reading columns"))
}

fn event(kind: Kind, columns: &Reading, row: usize, path: &Path) -> Result<Known<Event>, LakeError> {
    rows::read(kind, &mut columns.row(row)).map_err(|source| LakeError::Cell {
        path: path.to_owned(),
        id: columns.id(row).to_owned(),
        source,
    })
}

impl Open {
    fn new(disk: &dyn Disk, group: &Waiting, told: &Told, known_us: &Range<i64>) -> Result<Self, LakeError> {
        let part = Part::open(disk, &group.entry, Table::of(told.kind))?;
        let columns = read(&part, told, group.from, group.rows)?;
        let is_told = |occurred_us: &i64, known: &i64| {
            told.occurred_us.contains(occurred_us) && known_us.contains(known)
        };
        let mut order: Vec<(i64, u32)> = (0..)
            .zip(columns.times())
            .filter(|(_, (occurred, known))| is_told(occurred, known))
            .map(|(row, (_, known))| (known, row))
            .collect();
        order.sort_unstable();
        Ok(Self { kind: told.kind, entry: group.entry.clone(), columns, order, next: 0 })
    }

    fn next_known_us(&self) -> Option<i64> {
        self.order.get(self.next).map(|(known_us, _)| *known_us)
    }
}

impl Replay {
    /// How many rows the row groups have that were not read yet.
    #[must_use]
    pub fn rows_left(&self) -> u64 {
        self.rows
    }

    /// The next events; none when all were told.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn next_block(&mut self) -> Result<Option<Block>, LakeError> {
        let places = self.next_places()?;
        if places.is_empty() {
            return Ok(None);
        }
        let open = &self.open;
        let told = |(group, row): &(usize, u32)| {
            let group = &open[*group];
            event(group.kind, &group.columns, *row as usize, &group.entry.path)
        };
        let chunk = |some: &[(usize, u32)]| some.iter().map(told).collect::<Result<Vec<_>, LakeError>>();
        places.par_chunks(CHUNK).map(chunk).collect::<Result<Block, LakeError>>().map(Some)
    }

    /// Where the next events stand: in which open group, and in which row of it.
    fn next_places(&mut self) -> Result<Vec<(usize, u32)>, LakeError> {
        self.open.retain(|group| group.next_known_us().is_some());
        let mut places = Vec::with_capacity(BLOCK);
        let heads = self.open.iter().enumerate();
        let mut heads: BinaryHeap<Reverse<(i64, usize)>> =
            heads.filter_map(|(place, group)| Some(Reverse((group.next_known_us()?, place)))).collect();
        while places.len() < BLOCK {
            self.open_what_may_be_next(&mut heads)?;
            let Some(Reverse((_, place))) = heads.pop() else { break };
            let group = &mut self.open[place];
            places.push((place, group.order[group.next].1));
            group.next += 1;
            heads.extend(group.next_known_us().map(|next| Reverse((next, place))));
        }
        Ok(places)
    }

    fn open_what_may_be_next(
        &mut self,
        heads: &mut BinaryHeap<Reverse<(i64, usize)>>,
    ) -> Result<(), LakeError> {
        while let Some(group) = self.waiting.last() {
            let next_known_us = heads.peek().map(|Reverse((known_us, _))| *known_us);
            if next_known_us.is_some_and(|next| next < group.first_known_us) {
                break;
            }
            let opened = Open::new(&*self.disk, group, &self.told[group.told], &self.known_us)?;
            self.rows -= group.rows as u64;
            heads.extend(opened.next_known_us().map(|next| Reverse((next, self.open.len()))));
            self.open.push(opened);
            self.waiting.pop();
        }
        Ok(())
    }
}
