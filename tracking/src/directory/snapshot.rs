//! The directory on disk, so that a tracker that starts while the database is away still serves.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::Contents;

const MAGIC: [u8; 4] = *b"tdir";
const VERSION: u32 = 1;
const HEADER: usize = 12;

/// The file in which the directory is kept.
#[derive(Debug)]
pub(crate) struct Snapshot {
    folder: PathBuf,
    /// The checksum of what the file has, so that the same contents are not written again.
    saved: Option<u32>,
}

impl Snapshot {
    /// The snapshot in that folder, which exists.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), saved: None }
    }

    /// What was kept last; nothing when nothing was or it cannot be trusted.
    pub(crate) fn load(&mut self) -> io::Result<Option<Contents>> {
        let bytes = match std::fs::read(self.path()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let contents = decode(&bytes);
        match &contents {
            Some(_) => self.saved = Some(crc32fast::hash(&bytes)),
            None => tracing::warn!("the directory on disk is damaged or of another release; it is not used"),
        }
        Ok(contents)
    }

    /// Keeps the contents; a crash leaves the old ones or the new ones.
    pub(crate) fn save(&mut self, contents: &Contents) -> io::Result<()> {
        let bytes = encode(contents);
        let checksum = crc32fast::hash(&bytes);
        if self.saved == Some(checksum) {
            return Ok(());
        }
        let unfinished = self.folder.join("directory.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(unfinished, self.path())?;
        File::open(&self.folder)?.sync_all()?;
        self.saved = Some(checksum);
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("directory")
    }
}

fn encode(contents: &Contents) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
    let mut bytes = postcard::to_extend(contents, bytes)
        .expect("a directory is made of texts and numbers, which always encode");
    let crc = crc32fast::hash(&bytes[HEADER..]);
    bytes[8..HEADER].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Contents> {
    let (header, body) = bytes.split_at_checked(HEADER)?;
    let is_known = header[..4] == MAGIC && header[4..8] == VERSION.to_le_bytes();
    let is_whole = header[8..] == crc32fast::hash(body).to_le_bytes();
    if is_known && is_whole { postcard::from_bytes(body).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::contents, *};

    /// Written by the first release; never changes.
    const FIXTURE: &[u8] = include_bytes!("../fixtures/directory_v1.bin");

    #[test]
    fn version_1_stays_readable_and_is_what_is_written() {
        assert_eq!(encode(&contents()), FIXTURE);
        assert_eq!(decode(FIXTURE), Some(contents()));
    }

    #[test]
    fn a_snapshot_comes_back_and_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut snapshot = Snapshot::new(folder.path());
        assert_eq!(snapshot.load().unwrap(), None);
        snapshot.save(&contents()).unwrap();
        assert_eq!(Snapshot::new(folder.path()).load().unwrap(), Some(contents()));
        let mut bytes = std::fs::read(snapshot.path()).unwrap();
        bytes[20] ^= 1;
        std::fs::write(snapshot.path(), bytes).unwrap();
        assert_eq!(snapshot.load().unwrap(), None);
    }
}
