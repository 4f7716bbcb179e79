//! What a lake holds, by its files' own metadata; and whether all of it is as it should be.

use domain::event::Kind;
use polars::{error::PolarsResult, frame::DataFrame};

use super::{Lake, LakeError, Partition, disk::Entry, part::Part, scan::decode, schema::Table};

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSummary {
    /// Which.
    pub kind: Kind,
    /// How many partitions.
    pub partitions: u64,
    /// How many events are in them.
    pub events: u64,
    /// How many bytes their files have.
    pub bytes: u64,
    /// When the first and the last happened, in microseconds since the Unix epoch.
    pub range_us: Option<(i64, i64)>,
    /// How many batches wait to be merged.
    pub batches_waiting: u64,
    /// How many events are in those; some may be known already.
    pub events_waiting: u64,
}

/// Something in the lake that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// A file cannot be read.
    #[error(transparent)]
    Unreadable(LakeError),
    /// A file is not in order, or has an event twice.
    #[error(
        "{0} is not sorted by time and id, each once: take its file away, and export or import its events again"
    )]
    Unsorted(Partition),
    /// A file has an event of another partition.
    #[error("{0} has an event of another time: take its file away, and export or import its events again")]
    Misplaced(Partition),
}

impl Lake {
    /// What each table holds, by the metadata of its files; reads no events.
    ///
    /// # Errors
    /// When a file is damaged, of a newer version, or not of its table.
    pub fn summary(&self) -> Result<Vec<TableSummary>, LakeError> {
        Kind::ALL.iter().map(|kind| self.table_summary(*kind)).collect()
    }

    fn table_summary(&self, kind: Kind) -> Result<TableSummary, LakeError> {
        let waiting = self.waiting(kind)?;
        let mut summary = TableSummary {
            kind,
            partitions: 0,
            events: 0,
            bytes: 0,
            range_us: None,
            batches_waiting: waiting.len() as u64,
            events_waiting: waiting.iter().map(|batch| batch.rows as u64).sum(),
        };
        for (_, entry) in self.found(kind)? {
            let part = Part::open(&*self.disk, &entry, Table::of(kind))?;
            summary.partitions += 1;
            summary.events += part.rows() as u64;
            summary.bytes += part.bytes()?;
            let ranges = [summary.range_us, part.range_us("occurred_at")];
            summary.range_us =
                ranges.into_iter().flatten().reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        }
        Ok(summary)
    }

    /// Reads every partition and says what is not as it should be; `progress` is told how many events were read.
    ///
    /// # Errors
    /// When a folder cannot be read; what is wrong with a file is a finding.
    pub fn check(&self, mut progress: impl FnMut(u64)) -> Result<Vec<Finding>, LakeError> {
        let mut findings = Vec::new();
        for kind in Kind::ALL {
            for (partition, entry) in self.found(*kind)? {
                match self.check_partition(partition, &entry, &mut progress) {
                    Ok(finding) => findings.extend(finding),
                    Err(error) => findings.push(Finding::Unreadable(error)),
                }
            }
            if let Err(error) = self.waiting(*kind) {
                findings.push(Finding::Unreadable(error));
            }
        }
        Ok(findings)
    }

    fn check_partition(
        &self,
        partition: Partition,
        entry: &Entry,
        progress: &mut impl FnMut(u64),
    ) -> Result<Option<Finding>, LakeError> {
        let part = Part::open(&*self.disk, entry, Table::of(partition.kind))?;
        let mut last: Option<(i64, String)> = None;
        for (from, rows) in part.groups() {
            let group = part.rows_of(from, rows)?;
            // Whoever reads them as events must be able to.
            decode(partition.kind, &group, part.path())?;
            for key in keys(&group).map_err(LakeError::computing("reading columns"))? {
                if !partition.holds(key.0) {
                    return Ok(Some(Finding::Misplaced(partition)));
                }
                if last.as_ref().is_some_and(|last| key <= *last) {
                    return Ok(Some(Finding::Unsorted(partition)));
                }
                last = Some(key);
            }
            progress(rows as u64);
        }
        Ok(None)
    }
}

fn keys(frame: &DataFrame) -> PolarsResult<Vec<(i64, String)>> {
    let times = frame.column("occurred_at")?.as_materialized_series().to_physical_repr().into_owned();
    let (times, ids) = (times.i64()?, frame.column("id")?.str()?);
    let both = times.iter().zip(ids.iter());
    Ok(both.map(|(time, id)| (time.unwrap_or_default(), id.unwrap_or_default().to_owned())).collect())
}
