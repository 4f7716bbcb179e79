//! The log's reading end: durable records in their order, once, and what could not be read by name.

use std::{io, ops::Range, sync::Arc};

use tokio::sync::watch;

use super::{
    disk::{Disk, DiskFile, read_fully},
    frame::{self, Kind, Parsed},
    position::{self, Position},
    recovery::{segment_name, segments},
};

/// How much is read from the disk at once; a frame always fits.
const CHUNK: usize = 1 << 20;
/// How many bytes of records are taken out together, at most one chunk more.
const BATCH: usize = 8 << 20;
const _: () = assert!(frame::RECORD_LIMIT as usize + 64 < CHUNK);

/// Records that were read together.
#[derive(Debug)]
pub struct Batch {
    /// The records, oldest first.
    pub records: Vec<Vec<u8>>,
    /// Where records are missing that had been durable.
    pub damage: Vec<Damage>,
    /// The place behind the batch, to be remembered once its records are stored.
    pub end: Position,
}

/// Bytes of a segment that the disk did not give back as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment; its file is kept under the ending `.damaged`.
    pub sequence: u64,
    /// The bytes that are no frame; empty when the whole file is missing.
    pub bytes: Range<u32>,
}

/// Reads the log from where shipping had come to; there is one per log.
pub struct Reader {
    disk: Arc<dyn Disk>,
    durable: watch::Receiver<Position>,
    position: Position,
    open: Option<(u64, Box<dyn DiskFile>)>,
    chunk: Vec<u8>,
    damaged: Vec<u64>,
}

impl Reader {
    pub(super) fn new(disk: Arc<dyn Disk>, durable: watch::Receiver<Position>, position: Position) -> Self {
        Self { disk, durable, position, open: None, chunk: Vec::new(), damaged: Vec::new() }
    }

    /// The place of the next record.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Goes back to an earlier place that has not been freed, to read the same records again.
    pub fn rewind(&mut self, position: Position) {
        self.position = position;
    }

    /// Up to where there is something to read; closed when there never will be more.
    pub fn durable(&self) -> watch::Receiver<Position> {
        self.durable.clone()
    }

    /// Whether every durable record has been read.
    pub fn is_at_end(&self) -> bool {
        *self.durable.borrow() <= self.position
    }

    /// Reads on, at most `records` records and about 8 MiB.
    ///
    /// # Errors
    /// When the disk cannot be read; nothing is skipped, the same records come with the next call.
    pub fn read(&mut self, records: usize) -> io::Result<Batch> {
        let durable = *self.durable.borrow();
        let mut position = self.position;
        let mut batch = Batch { records: Vec::new(), damage: Vec::new(), end: position };
        let mut bytes = 0;
        while position < durable && batch.records.len() < records && bytes < BATCH {
            let Some(extent) = self.open(&mut position, durable, &mut batch)? else { continue };
            bytes += self.read_chunk(&mut position, extent, records, &mut batch)?;
        }
        self.position = position;
        batch.end = position;
        self.damaged.extend(batch.damage.iter().map(|damage| damage.sequence));
        Ok(batch)
    }

    /// Remembers that everything before `position` is stored elsewhere, and frees the segments before it.
    ///
    /// # Errors
    /// When the disk cannot be written; shipping the same records again does no harm.
    pub fn free(&mut self, position: Position) -> io::Result<()> {
        position::save(&*self.disk, position)?;
        for sequence in segments(&*self.disk)? {
            if position.sequence <= sequence {
                break;
            }
            let name = segment_name(sequence);
            if self.damaged.contains(&sequence) {
                self.disk.rename(&name, &format!("{name}.damaged"))?;
            } else {
                self.disk.remove(&name)?;
            }
        }
        self.damaged.retain(|sequence| position.sequence <= *sequence);
        Ok(())
    }

    /// Opens the segment at `position` and says up to where it may be read; a missing one is skipped.
    fn open(
        &mut self,
        position: &mut Position,
        durable: Position,
        batch: &mut Batch,
    ) -> io::Result<Option<Extent>> {
        let sequence = position.sequence;
        if self.open.as_ref().is_none_or(|(open, _)| *open != sequence) {
            self.open = match self.disk.open(&segment_name(sequence)) {
                Ok(file) => Some((sequence, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    batch.damage.push(Damage { sequence, bytes: 0..0 });
                    let later = segments(&*self.disk)?.into_iter().find(|later| sequence < *later);
                    *position = Position::start_of(later.unwrap_or(durable.sequence));
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
        }
        let Some((_, file)) = &self.open else { return Ok(None) };
        if sequence == durable.sequence {
            return Ok(Some(Extent { limit: durable.offset, is_sealed: false }));
        }
        Ok(Some(Extent { limit: u32::try_from(file.length()?).unwrap_or(u32::MAX), is_sealed: true }))
    }

    /// Reads some frames, and says how many bytes they took.
    fn read_chunk(
        &mut self,
        position: &mut Position,
        extent: Extent,
        records: usize,
        batch: &mut Batch,
    ) -> io::Result<usize> {
        let Some((sequence, file)) = &self.open else { return Ok(0) };
        let (sequence, begin, limit) = (*sequence, position.offset, extent.limit);
        self.chunk.resize(CHUNK.min(limit.saturating_sub(begin) as usize), 0);
        let read = read_fully(&**file, &mut self.chunk, u64::from(begin))?;
        let mut at = 0;
        while batch.records.len() < records {
            position.offset = begin + at as u32;
            if limit <= position.offset && !extent.is_sealed {
                break;
            }
            match frame::parse(&self.chunk[at..read], (sequence, position.offset)) {
                Parsed::Whole(found) if found.kind == Kind::Seal => {
                    *position = Position::start_of(sequence + 1);
                    break;
                }
                Parsed::Whole(found) => {
                    batch.records.push(found.payload.to_vec());
                    at += found.length() as usize;
                }
                // The rest of the frame is behind the chunk; the next one begins with it.
                Parsed::Needs(length) if 0 < at && position.offset as usize + length <= limit as usize => {
                    break;
                }
                Parsed::Needs(_) | Parsed::Nothing => {
                    skip_damage(&**file, position, extent, batch)?;
                    break;
                }
            }
            position.offset = begin + at as u32;
        }
        Ok(at)
    }
}

/// Up to where a segment may be read.
#[derive(Clone, Copy)]
struct Extent {
    limit: u32,
    /// A sealed segment ends with its seal; the one being written ends where it is durable.
    is_sealed: bool,
}

/// Goes on behind bytes that are no frame, and says which they were.
fn skip_damage(
    file: &dyn DiskFile,
    position: &mut Position,
    extent: Extent,
    batch: &mut Batch,
) -> io::Result<()> {
    let Position { sequence, offset: begin } = *position;
    let mut bytes = vec![0; extent.limit as usize];
    let read = read_fully(file, &mut bytes, 0)?;
    let next = frame::find(&bytes[..read], sequence, begin.saturating_add(1));
    let end = next.map_or(extent.limit.max(begin), |(offset, _)| offset);
    batch.damage.push(Damage { sequence, bytes: begin..end });
    *position = match next {
        None if extent.is_sealed => Position::start_of(sequence + 1),
        _ => Position { sequence, offset: end },
    };
    Ok(())
}
