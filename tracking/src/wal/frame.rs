//! The bytes of a segment: a header, frames that each prove themselves, and a seal at the end.
//!
//! ```text
//! segment  magic 8 · version u32 · crc u32 · sequence u64 · zero 8          (all little-endian)
//! frame    length u32 · crc u32 · synced u32 · version u8 · kind u8 · payload
//! ```
//!
//! A frame's checksum covers its place (sequence and offset) as well as its bytes, so that a frame is
//! valid nowhere but where it was written. `synced` is the offset up to which the segment was known to be
//! durable when the frame was written: it tells a torn tail, which nobody was promised, from damage.

/// The format that this release writes; older ones stay readable, newer ones are refused.
pub(super) const VERSION: u8 = 1;
/// The bytes before the first frame.
pub(super) const SEGMENT_HEADER: u32 = 32;
/// The bytes of a frame before its payload.
pub(super) const FRAME_HEADER: u32 = 14;
/// The longest record that is ever written: longer lengths are noise, not frames.
pub(super) const RECORD_LIMIT: u32 = 64 * 1024;

const MAGIC: [u8; 8] = *b"tribwal\0";

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record that someone appended.
    Record = 1,
    /// The end of the segment: nothing follows, the next segment goes on.
    Seal = 2,
}

/// A frame that has proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub kind: Kind,
    pub synced: u32,
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The bytes that the frame takes in the segment.
    pub(super) fn length(&self) -> u32 {
        FRAME_HEADER + self.payload.len() as u32
    }
}

/// Why a segment's header is not one that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is not the beginning of this segment: torn, damaged or another file.
    #[error("the segment's header is torn or damaged")]
    Damaged,
    /// It is whole, but a newer release wrote it.
    #[error("the segment has format version {0}, and this release reads versions up to {VERSION}")]
    Newer(u32),
}

/// Writes a segment's header.
pub(super) fn segment_header(sequence: u64) -> [u8; SEGMENT_HEADER as usize] {
    let mut header = [0; SEGMENT_HEADER as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&u32::from(VERSION).to_le_bytes());
    header[16..24].copy_from_slice(&sequence.to_le_bytes());
    let crc = crc32fast::hash(&header);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Checks a segment's header against the sequence that its name gives.
pub(super) fn check_segment_header(bytes: &[u8], sequence: u64) -> Result<(), HeaderError> {
    let header = bytes.first_chunk::<{ SEGMENT_HEADER as usize }>().ok_or(HeaderError::Damaged)?;
    let mut unsigned = *header;
    unsigned[12..16].fill(0);
    let is_whole = read_u32(header, 12) == crc32fast::hash(&unsigned);
    if !is_whole || header[..8] != MAGIC || header[16..24] != sequence.to_le_bytes() {
        return Err(HeaderError::Damaged);
    }
    let version = read_u32(header, 8);
    if u32::from(VERSION) < version { Err(HeaderError::Newer(version)) } else { Ok(()) }
}

/// Appends one frame to `buffer`, to be written at `offset` of segment `sequence`.
pub(super) fn encode(buffer: &mut Vec<u8>, kind: Kind, payload: &[u8], synced: u32, place: (u64, u32)) {
    let length = (payload.len() as u32).to_le_bytes();
    let crc = checksum(kind as u8, VERSION, payload, synced, place).to_le_bytes();
    buffer.reserve(FRAME_HEADER as usize + payload.len());
    buffer.extend_from_slice(&length);
    buffer.extend_from_slice(&crc);
    buffer.extend_from_slice(&synced.to_le_bytes());
    buffer.extend_from_slice(&[VERSION, kind as u8]);
    buffer.extend_from_slice(payload);
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A whole frame.
    Whole(Frame<'a>),
    /// Perhaps a frame, but this many bytes are needed to tell.
    Needs(usize),
    /// No frame: preallocated zeros, a torn write, or damage.
    Nothing,
}

/// Reads what stands at `offset` of segment `sequence`; `bytes` begin there.
pub(super) fn parse(bytes: &[u8], place: (u64, u32)) -> Parsed<'_> {
    let Some(header) = bytes.first_chunk::<{ FRAME_HEADER as usize }>() else {
        return Parsed::Needs(FRAME_HEADER as usize);
    };
    let (length, crc, synced) = (read_u32(header, 0), read_u32(header, 4), read_u32(header, 8));
    let kind = match (header[12], header[13]) {
        (VERSION, 1) => Kind::Record,
        (VERSION, 2) => Kind::Seal,
        _ => return Parsed::Nothing,
    };
    if RECORD_LIMIT < length {
        return Parsed::Nothing;
    }
    let end = FRAME_HEADER as usize + length as usize;
    let Some(payload) = bytes.get(FRAME_HEADER as usize..end) else {
        return Parsed::Needs(end);
    };
    if crc != checksum(kind as u8, VERSION, payload, synced, place) {
        return Parsed::Nothing;
    }
    Parsed::Whole(Frame { kind, synced, payload })
}

/// The first whole frame at or after `from` in a segment's bytes, with its offset.
pub(super) fn find(segment: &[u8], sequence: u64, from: u32) -> Option<(u32, Frame<'_>)> {
    let end = segment.len() as u32;
    (from..end).find_map(|offset| match parse(&segment[offset as usize..], (sequence, offset)) {
        Parsed::Whole(frame) => Some((offset, frame)),
        Parsed::Needs(_) | Parsed::Nothing => None,
    })
}

fn checksum(kind: u8, version: u8, payload: &[u8], synced: u32, (sequence, offset): (u64, u32)) -> u32 {
    let mut place = [0; 22];
    place[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    place[4..8].copy_from_slice(&synced.to_le_bytes());
    place[8..10].copy_from_slice(&[version, kind]);
    place[10..18].copy_from_slice(&sequence.to_le_bytes());
    place[18..].copy_from_slice(&offset.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place);
    hasher.update(payload);
    hasher.finalize()
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_frame_comes_back_as_it_was(payload: Vec<u8>, synced: u32, sequence: u64, offset: u32) {
            let mut bytes = Vec::new();
            encode(&mut bytes, Kind::Record, &payload, synced, (sequence, offset));
            let frame = Frame { kind: Kind::Record, synced, payload: &payload };
            prop_assert_eq!(parse(&bytes, (sequence, offset)), Parsed::Whole(frame));
        }

        #[test]
        fn a_frame_is_valid_nowhere_else(payload: Vec<u8>, elsewhere in 1u32..) {
            let mut bytes = Vec::new();
            encode(&mut bytes, Kind::Record, &payload, 0, (7, 0));
            prop_assert_eq!(parse(&bytes, (7, elsewhere)), Parsed::Nothing);
            prop_assert_eq!(parse(&bytes, (8, 0)), Parsed::Nothing);
        }

        #[test]
        fn one_flipped_bit_is_noticed(payload: Vec<u8>, bit: prop::sample::Index) {
            let mut bytes = Vec::new();
            encode(&mut bytes, Kind::Record, &payload, 5, (1, 32));
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!matches!(parse(&bytes, (1, 32)), Parsed::Whole(_)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, (1, 32));
            let _ = find(&bytes, 1, 0);
            let _ = check_segment_header(&bytes, 1);
        }
    }

    #[test]
    fn a_header_belongs_to_one_segment_and_names_a_newer_format() {
        let mut header = segment_header(9);
        assert_eq!(check_segment_header(&header, 9), Ok(()));
        assert_eq!(check_segment_header(&header, 8), Err(HeaderError::Damaged));
        header[8] = 2;
        assert_eq!(check_segment_header(&header, 9), Err(HeaderError::Damaged));
        header[12..16].fill(0);
        let crc = crc32fast::hash(&header);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(check_segment_header(&header, 9), Err(HeaderError::Newer(2)));
    }
}
