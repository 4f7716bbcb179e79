//! How much room the log takes.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// The log's files at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Occupied {
    /// How many segments there are, damaged ones that were kept included.
    pub segments: u64,
    /// The bytes that they take on the disk, reserved room included.
    pub bytes: u64,
}

/// Looks at the log in `folder`; files that come or go meanwhile may be missed, and a folder that cannot be read
/// has none.
pub(crate) fn occupied(folder: &Path) -> Occupied {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let segments = files.filter(|file| file.file_name().to_string_lossy().contains(".wal"));
    let blocks = segments.filter_map(|file| Some(file.metadata().ok()?.blocks()));
    blocks.fold(Occupied::default(), |sum, blocks| Occupied {
        segments: sum.segments + 1,
        bytes: sum.bytes + blocks * 512,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{Settings, Wal};

    #[tokio::test]
    async fn a_log_takes_the_room_that_it_has_reserved_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(occupied(folder.path()), Occupied::default());
        let settings = Settings { segment_bytes: 1 << 20, ..Settings::default() };
        let (wal, mut reader) = Wal::open(folder.path(), settings).unwrap();
        for _ in 0..40 {
            wal.append(vec![1; 60_000]).await.unwrap();
        }
        let full = occupied(folder.path());
        // Two are sealed and have given back what they did not need.
        assert_eq!((full.segments, full.bytes.div_ceil(1 << 20)), (3, 3));
        while !reader.is_at_end() {
            reader.read(1).unwrap();
        }
        reader.free(reader.position()).unwrap();
        assert_eq!(occupied(folder.path()).segments, 1);
    }
}
