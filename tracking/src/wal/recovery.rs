//! Opening a log again: what was promised is found, the torn tail behind it is cut, and the end is sealed.

use std::io;

use super::{
    OpenError,
    disk::{Disk, read_all},
    frame::{self, HeaderError, Kind, Parsed},
    position::{self, Position},
};

/// What stood in the folder.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Up to where events had been shipped.
    pub shipped: Position,
    /// The number of the segment that will be begun next; all earlier ones are sealed.
    pub next_sequence: u64,
    /// Bytes of unfinished writes that were cut off; nobody had been promised them.
    pub cut_bytes: u64,
}

/// Seals the last segment, takes away what was shipped, and says where to go on.
pub(super) fn recover(disk: &dyn Disk) -> Result<Recovered, OpenError> {
    let remembered = position::load(disk)?;
    let sequences = segments(disk)?;
    // A later segment is what proves that an earlier one was whole; a killed process may have left it a name that does
    // not last.
    disk.sync_folder()?;
    let cut_bytes = match sequences.last() {
        Some(last) => seal(disk, *last)?,
        None => 0,
    };
    let behind_last = sequences.last().map_or(1, |last| last + 1);
    let oldest = sequences.first().copied().unwrap_or(behind_last);
    let shipped = remembered.unwrap_or(Position::start_of(oldest));
    for sequence in sequences.into_iter().filter(|sequence| *sequence < shipped.sequence) {
        disk.remove(&segment_name(sequence))?;
    }
    let is_begun = Position::start_of(shipped.sequence) < shipped;
    let behind_shipped = shipped.sequence + u64::from(is_begun);
    Ok(Recovered { shipped, next_sequence: behind_last.max(behind_shipped), cut_bytes })
}

/// The name of a segment's file.
pub(super) fn segment_name(sequence: u64) -> String {
    format!("{sequence:020}.wal")
}

/// The segments in the folder, oldest first.
pub(super) fn segments(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let names = disk.list()?;
    let mut sequences: Vec<u64> =
        names.iter().filter_map(|name| name.strip_suffix(".wal")?.parse().ok()).collect();
    sequences.sort_unstable();
    Ok(sequences)
}

/// Cuts a segment behind the last frame that may have been promised, and seals it there.
fn seal(disk: &dyn Disk, sequence: u64) -> Result<u64, OpenError> {
    let file = disk.open(&segment_name(sequence))?;
    // A seal proves that everything before it was durable; a killed process may have left frames that are not.
    file.sync()?;
    let bytes = read_all(&*file)?;
    match frame::check_segment_header(&bytes, sequence) {
        Ok(()) => {}
        Err(HeaderError::Damaged) => file.write_at(&frame::segment_header(sequence), 0)?,
        Err(error) => return Err(OpenError::Segment { sequence, error }),
    }
    let end = match end_of(&bytes, sequence) {
        End::Sealed => return Ok(0),
        End::Torn(end) => end,
    };
    let mut seal = Vec::new();
    frame::encode(&mut seal, Kind::Seal, &[], end, (sequence, end));
    file.set_length(u64::from(end))?;
    file.write_at(&seal, u64::from(end))?;
    file.sync()?;
    Ok(noise_behind(&bytes, end))
}

/// How many bytes behind `end` somebody had begun to write.
fn noise_behind(bytes: &[u8], end: u32) -> u64 {
    let behind = bytes.get(end as usize..).unwrap_or_default();
    behind.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The segment says itself that nothing follows.
    Sealed,
    /// Nothing at or behind this offset was ever promised.
    Torn(u32),
}

/// Walks a segment to its end, past damage to what had been durable.
fn end_of(bytes: &[u8], sequence: u64) -> End {
    let mut at = frame::SEGMENT_HEADER;
    loop {
        match frame::parse(bytes.get(at as usize..).unwrap_or_default(), (sequence, at)) {
            Parsed::Whole(found) if found.kind == Kind::Seal => return End::Sealed,
            Parsed::Whole(found) => at += found.length(),
            Parsed::Needs(_) | Parsed::Nothing => match behind_damage(bytes, sequence, at) {
                Some(next) => at = next,
                None => return End::Torn(at),
            },
        }
    }
}

/// Where to go on when the bytes at `at` are no frame, if a later frame knows that they were durable once.
///
/// Later frames that do not know it were written together with the torn ones: none of them was promised.
fn behind_damage(bytes: &[u8], sequence: u64, at: u32) -> Option<u32> {
    let (first, _) = frame::find(bytes, sequence, at + 1)?;
    let mut from = first;
    while let Some((offset, found)) = frame::find(bytes, sequence, from) {
        if at < found.synced {
            return Some(first);
        }
        from = offset + found.length();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of one letter each; a digit says what had been synced when they were written, in frames.
    fn segment(frames: &[(&str, u32)]) -> (Vec<u8>, u32) {
        let mut bytes = frame::segment_header(1).to_vec();
        let length = frame::FRAME_HEADER + 1;
        for (payload, synced) in frames {
            let offset = bytes.len() as u32;
            let synced = frame::SEGMENT_HEADER + synced * length;
            frame::encode(&mut bytes, Kind::Record, payload.as_bytes(), synced, (1, offset));
        }
        (bytes, length)
    }

    #[track_caller]
    fn check(frames: &[(&str, u32)], damaged: &[u32], kept: u32) {
        let (mut bytes, length) = segment(frames);
        for damaged in damaged {
            bytes[(frame::SEGMENT_HEADER + damaged * length) as usize + 4] ^= 0xff;
        }
        bytes.extend_from_slice(&[0; 100]);
        assert_eq!(end_of(&bytes, 1), End::Torn(frame::SEGMENT_HEADER + kept * length));
    }

    #[test]
    fn a_whole_segment_ends_behind_its_last_frame() {
        check(&[("a", 0), ("b", 1), ("c", 2)], &[], 3);
    }

    #[test]
    fn a_torn_write_is_cut_even_where_later_parts_of_it_arrived() {
        check(&[("a", 0), ("b", 1), ("c", 1), ("d", 1)], &[1], 1);
    }

    #[test]
    fn damage_to_what_was_durable_does_not_cut_what_follows() {
        check(&[("a", 0), ("b", 1), ("c", 2), ("d", 3)], &[1], 4);
    }

    #[test]
    fn damage_and_a_torn_tail_are_told_apart() {
        check(&[("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 3)], &[1, 3], 3);
    }

    #[test]
    fn an_empty_or_cut_off_file_has_nothing_to_keep() {
        assert_eq!(end_of(&[], 1), End::Torn(frame::SEGMENT_HEADER));
        assert_eq!(end_of(&[0; 10], 1), End::Torn(frame::SEGMENT_HEADER));
    }
}
