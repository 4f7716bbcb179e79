//! The folder that holds the log: the few things the log asks of a disk, and their promises.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, FlockOperation};

/// What the log asks of a folder; the tests answer with a disk that loses power.
pub(super) trait Disk: Send + Sync {
    /// The names of the files in the folder, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// An empty file of that name, replacing what was there; its name lasts only after `sync_folder`.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// An existing file.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Takes a file away.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name, replacing what had it, in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes creations, removals and renamings last.
    fn sync_folder(&self) -> io::Result<()>;
}

/// What the log asks of a file.
pub(super) trait DiskFile: Send + Sync {
    /// Reads as many bytes as there are, up to the buffer's length.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of the bytes; they last only after `sync`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes everything written so far last.
    fn sync(&self) -> io::Result<()>;
    /// Reserves room up to `length`, which reads as zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Cuts or extends to `length`.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// The length now.
    fn length(&self) -> io::Result<u64>;
}

/// Reads from `offset` to the end or until the buffer is full.
pub(super) fn read_fully(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}

/// Reads a whole file.
pub(super) fn read_all(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.length()? as usize];
    let read = read_fully(file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Replaces a small file so that a crash leaves the old one or the new one, never a mixture.
pub(super) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = format!("{name}.new");
    let file = disk.create(&unfinished)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&unfinished, name)?;
    disk.sync_folder()
}

/// A folder of the machine, locked against a second process for as long as this value lives.
pub(super) struct Folder {
    path: PathBuf,
    folder: File,
    // Closing the file gives the lock back; the kernel does it for a process that is killed.
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes its lock.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path: path.to_owned(), folder: File::open(path)?, _lock: lock })
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).read(true).write(true);
        Ok(Box::new(options.open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(self.path.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

impl DiskFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self.as_fd(), FallocateFlags::empty(), 0, length) {
            // A file system without preallocation may run full in the middle of a write, which the writer
            // survives; it only loses the cheaper sync.
            Err(rustix::io::Errno::OPNOTSUPP) => self.set_len(length),
            done => Ok(done?),
        }
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
