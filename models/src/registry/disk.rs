//! What a registry's folder asks of a disk: few operations, each of which may be the last before a crash.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// What a registry's folder asks of a disk; a test answers with one that fails or stops.
pub(super) trait Disk: fmt::Debug + Send + Sync {
    /// Makes a folder in one that is there.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// A file with this content, in place of what was there.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written to a file last.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder last.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives a file or a folder another name in one step; a file that had it is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a folder away with all that is in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// The machine's own disk.
#[derive(Debug)]
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }
}
