//! What the lake asks of a disk: few operations, each of which may be the last before a crash.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use bucket::Tag;

use sha2::{Digest, Sha256};

use super::{error::LakeError, lock::Lock};

/// What the lake asks of a disk; a test answers with one that fails or stops.
pub(super) trait Disk: Send + Sync {
    /// Makes a folder and those above it.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// An empty file, in place of what was there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// An empty file, unless something was there.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name, in place of what had it, in one step; [`io::ErrorKind::ResourceBusy`] when it may not
    /// take the place of what is there by now.
    fn rename(&self, from: &Path, to: &Path, over: Over<'_>) -> io::Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder last.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Whether there is such a folder.
    fn has_folder(&self, path: &Path) -> io::Result<bool>;
    /// The files below a folder, at any depth; none where there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;
    /// A file, if it is there.
    fn find(&self, path: &Path) -> io::Result<Option<Entry>>;
    /// Where a file can be opened on this machine: as it was found, or as it was written since.
    fn fetch(&self, entry: &Entry) -> io::Result<Fetched>;
    /// A small file's text, if it is there.
    fn text(&self, path: &Path) -> io::Result<Option<String>>;
    /// The right to write partitions below a folder, unless another process has it.
    fn lock(&self, root: &Path) -> io::Result<Option<Lock>>;
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it is in the lake.
    pub(super) path: PathBuf,
    /// As which content, where that can be told.
    pub(super) tag: Option<Tag>,
    /// When it was written, by the clock of the lake's disk.
    pub(super) modified: SystemTime,
}

/// A file that can be opened on this machine.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// What it is.
    pub(super) entry: Entry,
    /// Where its content is.
    pub(super) content: PathBuf,
}

/// What a file may take the place of. Where one process at a time writes, that one knows what is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over<'a> {
    /// Whatever is there.
    Anything,
    /// What was found there, or nothing if nothing was.
    Found(Option<&'a Entry>),
}

/// What the lake asks of a file that it writes.
pub(super) trait DiskFile: Send {
    /// Appends all of the bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written last.
    fn sync(&mut self) -> io::Result<()>;
}

/// The machine's own disk.
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        above.map_or(Ok(()), |above| self.make_folder(above))?;
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_folder(above.unwrap_or(Path::new(".")))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create(path)?))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create_new(path)?))
    }

    fn rename(&self, from: &Path, to: &Path, _: Over<'_>) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn has_folder(&self, path: &Path) -> io::Result<bool> {
        Ok(path.is_dir())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut found = Vec::new();
        let Some(entries) = there(fs::read_dir(folder))? else { return Ok(found) };
        for entry in entries {
            let path = entry?.path();
            // What a link leads to; and what was taken away since its name was read is not there.
            let Some(about) = there(fs::metadata(&path))? else { continue };
            if about.is_dir() {
                found.extend(self.list(&path)?);
            } else {
                found.push(Entry { path, tag: None, modified: about.modified()? });
            }
        }
        Ok(found)
    }

    fn find(&self, path: &Path) -> io::Result<Option<Entry>> {
        let Some(about) = there(fs::metadata(path))? else { return Ok(None) };
        Ok(Some(Entry { path: path.to_owned(), tag: None, modified: about.modified()? }))
    }

    fn fetch(&self, entry: &Entry) -> io::Result<Fetched> {
        Ok(Fetched { entry: entry.clone(), content: entry.path.clone() })
    }

    fn text(&self, path: &Path) -> io::Result<Option<String>> {
        there(fs::read_to_string(path))
    }

    fn lock(&self, root: &Path) -> io::Result<Option<Lock>> {
        self.make_folder(root)?;
        Lock::take(&root.join("_lock"))
    }
}

/// Nothing where nothing is there.
pub(super) fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        found => found.map(Some),
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// A file that polars writes to while we keep hold of it: clones are the same file.
#[derive(Clone)]
pub(super) struct SharedFile {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

/// What a file will be named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Its place in the lake, where this was found; it takes the place of nothing else.
    Place(Option<Entry>),
    /// What is in it; whatever has that name is the same.
    Content,
}

impl Naming {
    /// What the file may take the place of.
    pub(super) fn over(&self) -> Over<'_> {
        match self {
            Self::Place(found) => Over::Found(found.as_ref()),
            Self::Content => Over::Anything,
        }
    }
}

struct State {
    file: Box<dyn DiskFile>,
    /// Of what was written so far, for a file that is named after it.
    hash: Option<Sha256>,
    /// Why a write failed first: on its way through polars an error loses its kind.
    failure: Option<io::Error>,
}

impl SharedFile {
    /// An empty file at `path`; nothing may be there, unless it will be named after its place, which one process at a
    /// time writes.
    pub(super) fn create(disk: &dyn Disk, path: &Path, naming: &Naming) -> Result<Self, LakeError> {
        let file = match naming {
            Naming::Place(_) => disk.create(path),
            Naming::Content => disk.create_new(path),
        };
        let file = file.map_err(|error| LakeError::io("writing", path, error))?;
        let state = Arc::new(Mutex::new(State {
            file,
            hash: (*naming == Naming::Content).then(Sha256::new),
            failure: None,
        }));
        Ok(Self { path: path.to_owned(), state })
    }

    /// Why the last write through polars failed.
    pub(super) fn failure(&self, otherwise: polars::error::PolarsError) -> LakeError {
        let failure = self.state.lock().unwrap_or_else(PoisonError::into_inner).failure.take();
        match failure {
            Some(failure) => LakeError::io("writing", &self.path, failure),
            None => LakeError::computing("writing Parquet")(otherwise),
        }
    }

    /// 32 hexadecimal digits of what was written; nothing for a file that is named after its place.
    pub(super) fn content_hash(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = state.hash.clone().map(Sha256::finalize);
        digest.iter().flatten().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Makes what was written last.
    pub(super) fn sync(&self) -> Result<(), LakeError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.sync().map_err(|error| LakeError::io("writing", &self.path, error))
    }
}

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.file.append(bytes) {
            let told = io::Error::from(error.kind());
            state.failure.get_or_insert(error);
            return Err(told);
        }
        if let Some(hash) = &mut state.hash {
            hash.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
