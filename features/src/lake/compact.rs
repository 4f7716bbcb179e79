//! What arrived becomes part of the partitions: each is replaced whole, and a batch goes only when all of it is in place.
//!
//! Killed anywhere, it starts again: rows that are merged twice are recognised by time and id.

use domain::event::Kind;
use polars::{error::PolarsResult, frame::DataFrame};

use super::{
    Lake, LakeError, Partition,
    disk::{Disk, Naming},
    incoming::Waiting,
    order::in_order,
    part::{NewPart, Part},
    partition::UNFINISHED,
    schema::Table,
};

/// How many rows that arrived are merged at once: enough that a partition is seldom written twice, and about a gigabyte
/// at most. A decision is some kilobytes.
const fn rows_at_once(kind: Kind) -> usize {
    match kind {
        Kind::Decision => 1 << 16,
        _ => 1 << 20,
    }
}

/// What was merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// How many files of arrived events went.
    pub batches: u64,
    /// How many events were in them.
    pub arrived: u64,
    /// How many of those the lake did not have.
    pub new: u64,
    /// How many times a partition was written.
    pub partitions: u64,
}

impl Lake {
    /// Merges all that arrived into the partitions. `progress` is told after each partition.
    ///
    /// # Errors
    /// When another process writes partitions, a file is damaged or of another version, or one cannot be written. Nothing
    /// is lost then: what arrived waits until it is in place.
    pub fn compact(&self, mut progress: impl FnMut(&Compacted)) -> Result<Compacted, LakeError> {
        let lock = self.lock()?;
        let mut done = Compacted::default();
        for kind in Kind::ALL {
            self.sweep(*kind, lock.taken_at)?;
            let mut waiting = self.waiting(*kind)?;
            while !waiting.is_empty() {
                let together = as_many_as_fit(*kind, &mut waiting);
                self.merge_batches(*kind, &together, &mut done, &mut progress)?;
            }
        }
        Ok(done)
    }

    fn merge_batches(
        &self,
        kind: Kind,
        batches: &[Waiting],
        done: &mut Compacted,
        progress: &mut impl FnMut(&Compacted),
    ) -> Result<(), LakeError> {
        let arrived = all_rows(&*self.disk, kind, batches)?;
        let times =
            arrived.column("occurred_at").map(|times| times.as_materialized_series().to_physical_repr());
        let times = times.map_err(LakeError::computing("reading times"))?;
        let times = times.i64().map_err(LakeError::computing("reading times"))?;
        let times: Vec<i64> = times.into_no_null_iter().collect();
        let mut from = 0;
        while from < times.len() {
            let partition = Partition::of(kind, times[from])?;
            let rows = times[from..].partition_point(|time| partition.holds(*time));
            done.new += self.merge_into(partition, arrived.slice(from as i64, rows))?;
            done.partitions += 1;
            from += rows;
            progress(done);
        }
        for batch in batches {
            let path = &batch.entry.path;
            self.disk.remove(path).map_err(|error| LakeError::io("removing", path, error))?;
            done.batches += 1;
            done.arrived += batch.rows as u64;
        }
        Ok(())
    }

    /// Writes a partition anew from what it holds and what arrived, and says how many rows more it has.
    fn merge_into(&self, partition: Partition, mut arrived: DataFrame) -> Result<u64, LakeError> {
        let table = Table::of(partition.kind);
        let path = self.root.join(partition.file());
        let unfinished = self.root.join(partition.folder()).join(UNFINISHED);
        let found = self.disk.find(&path).map_err(|error| LakeError::io("reading", &path, error))?;
        let held = found.map(|entry| Part::open(&*self.disk, &entry, table)).transpose()?;
        let instead_of = held.as_ref().map(|held| held.found().entry.clone());
        let mut merged = NewPart::create(&self.disk, unfinished, table, Naming::Place(instead_of))?;
        for (from, rows) in held.iter().flat_map(Part::groups) {
            let group = held.as_ref().map(|held| held.rows_of(from, rows)).transpose()?.unwrap_or_default();
            let (now, later) =
                split_behind(&group, &arrived).map_err(LakeError::computing("merging events"))?;
            arrived = later;
            merged.write(together(group, &now).map_err(LakeError::computing("merging events"))?)?;
        }
        merged.write(arrived)?;
        let before = held.map_or(0, |held| held.rows() as u64);
        let after = merged.rows();
        merged.publish(|_| path)?;
        Ok(after.saturating_sub(before))
    }
}

/// The next batches, as many as may be in memory at once, and one at least.
fn as_many_as_fit(kind: Kind, waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut rows = 0;
    let fits = |batch: &&Waiting| {
        rows += batch.rows;
        rows <= rows_at_once(kind)
    };
    let count = waiting.iter().take_while(fits).count().max(1);
    waiting.drain(..count).collect()
}

fn all_rows(disk: &dyn Disk, kind: Kind, batches: &[Waiting]) -> Result<DataFrame, LakeError> {
    let mut all: Option<DataFrame> = None;
    for batch in batches {
        let rows = Part::open(disk, &batch.entry, Table::of(kind))?.rows_of(0, batch.rows)?;
        all = Some(match all {
            Some(before) => before.vstack(&rows).map_err(LakeError::computing("joining batches"))?,
            None => rows,
        });
    }
    in_order(&all.unwrap_or_default()).map_err(LakeError::computing("sorting events"))
}

/// Parts `arrived` into what belongs before or among the rows of `group`, and what comes behind its last.
fn split_behind(group: &DataFrame, arrived: &DataFrame) -> PolarsResult<(DataFrame, DataFrame)> {
    let key = |frame: &DataFrame, row: usize| {
        let times = frame.column("occurred_at")?.as_materialized_series().to_physical_repr().into_owned();
        let ids = frame.column("id")?.str()?;
        PolarsResult::Ok((times.i64()?.get(row), ids.get(row).map(str::to_owned)))
    };
    let last = key(group, group.height().saturating_sub(1))?;
    let (mut low, mut high) = (0, arrived.height());
    while low < high {
        let middle = low.midpoint(high);
        if key(arrived, middle)? <= last { low = middle + 1 } else { high = middle }
    }
    Ok(arrived.split_at(low as i64))
}

fn together(group: DataFrame, arrived: &DataFrame) -> PolarsResult<DataFrame> {
    if arrived.height() == 0 {
        return Ok(group);
    }
    in_order(&group.vstack(arrived)?)
}
