//! A place in the log, and the one that is remembered: up to where events have been shipped.

use std::{fmt, io};

use super::{
    disk::{Disk, read_all, replace},
    frame,
};

const FILE: &str = "shipped";
const MAGIC: [u8; 4] = *b"tshp";
const VERSION: u32 = 1;
const LENGTH: usize = 28;

/// A place between two records: everything before it comes earlier in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The segment; segments are numbered from one and never reused.
    pub sequence: u64,
    /// The byte within the segment.
    pub offset: u32,
}

impl Position {
    /// The place of a segment's first record.
    pub(super) fn start_of(sequence: u64) -> Self {
        Self { sequence, offset: frame::SEGMENT_HEADER }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.sequence, self.offset)
    }
}

/// The remembered position, or nothing when there is none that can be trusted.
///
/// Nothing is safe: shipping starts again from the oldest segment, and shipping twice changes nothing.
pub(super) fn load(disk: &dyn Disk) -> io::Result<Option<Position>> {
    match disk.open(FILE) {
        Ok(file) => Ok(decode(&read_all(&*file)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Remembers a position; it lasts when this returns.
pub(super) fn save(disk: &dyn Disk, position: Position) -> io::Result<()> {
    replace(disk, FILE, &encode(position))
}

fn encode(position: Position) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..16].copy_from_slice(&position.sequence.to_le_bytes());
    bytes[16..20].copy_from_slice(&position.offset.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Position> {
    let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
    let (fields, crc) = bytes.split_at(24);
    let is_whole = crc == crc32fast::hash(fields).to_le_bytes();
    let is_known = fields[..4] == MAGIC && fields[4..8] == VERSION.to_le_bytes();
    let sequence = u64::from_le_bytes(fields[8..16].try_into().ok()?);
    let offset = u32::from_le_bytes(fields[16..20].try_into().ok()?);
    (is_whole && is_known).then_some(Position { sequence, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_and_a_torn_one_does_not() {
        let position = Position { sequence: 7, offset: 4096 };
        let bytes = encode(position);
        assert_eq!(decode(&bytes), Some(position));
        for at in 0..LENGTH {
            let mut torn = bytes;
            torn[at] ^= 1;
            assert_eq!(decode(&torn), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None);
        }
    }
}
