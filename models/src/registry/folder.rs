//! A registry in a folder of a local disk: what is written is prepared beside its place, synced, and renamed into it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use super::{
    disk::{Disk, LocalDisk},
    name::{ModelName, Version},
    storage::{ALIASES, Storage, StorageError, Tag, Tagged, Written},
};
use crate::fingerprint::Fingerprint;

/// A new version until it is whole. One writer at a time has the lock, so one name is enough.
const BESIDE: &str = "_new";
const NEW_ALIASES: &str = "_aliases.json";

/// A registry in a folder. Writers take turns, also across processes; readers never wait.
#[derive(Clone, Debug)]
pub struct Folder {
    pub(super) root: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
}

impl Folder {
    /// The registry in this folder, which need not be there yet. It must be on a disk of this machine: over a network,
    /// locks and syncs do not hold what they promise.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), disk: Arc::new(LocalDisk) }
    }

    fn of(&self, model: &ModelName) -> PathBuf {
        self.root.join(model.to_string())
    }

    /// The right to write, for as long as the file lives: whoever comes second waits, and the kernel takes it back from a
    /// process that is killed.
    fn lock(&self) -> Result<File, StorageError> {
        let path = self.root.join("_lock");
        self.make_folder(&self.root)?;
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(StorageError::io("locking", &path))?;
        file.lock().map_err(StorageError::io("locking", path))?;
        Ok(file)
    }

    /// Makes a folder and those above it, so that they last.
    fn make_folder(&self, path: &Path) -> Result<(), StorageError> {
        if path.is_dir() {
            return Ok(());
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        above.map_or(Ok(()), |above| self.make_folder(above))?;
        match self.disk.make_folder(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(StorageError::io("making", path)(error));
            }
            _ => {}
        }
        let above = above.unwrap_or(Path::new("."));
        self.disk.sync_folder(above).map_err(StorageError::io("syncing", above))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        self.disk.write(path, bytes).map_err(StorageError::io("writing", path))?;
        self.disk.sync_file(path).map_err(StorageError::io("syncing", path))
    }

    /// Gives what was prepared its name, for good.
    fn put(&self, beside: &Path, place: &Path, folder: &Path) -> Result<(), StorageError> {
        self.disk.rename(beside, place).map_err(StorageError::io("renaming", beside))?;
        self.disk.sync_folder(folder).map_err(StorageError::io("syncing", folder))
    }
}

/// What of a folder's entries is a name of this kind; a folder that is not there has none.
fn names<T: FromStr + Ord>(folder: &Path) -> Result<Vec<T>, StorageError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StorageError::io("reading", folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StorageError::io("reading", folder))?;
        let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
        found.extend(name.filter(|_| entry.path().is_dir()));
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some).map_err(StorageError::io("reading", path)),
    }
}

impl Storage for Folder {
    fn models(&self) -> Result<Vec<ModelName>, StorageError> {
        let mut found = names::<ModelName>(&self.root)?;
        let mut failure = None;
        found.retain(|model| {
            let versions = self.versions(model);
            let keep = versions.as_ref().is_ok_and(|versions| !versions.is_empty());
            failure = failure.take().or(versions.err());
            keep
        });
        failure.map_or(Ok(found), Err)
    }

    fn versions(&self, model: &ModelName) -> Result<Vec<Version>, StorageError> {
        names(&self.of(model))
    }

    fn read(&self, model: &ModelName, version: Version, file: &str) -> Result<Option<Vec<u8>>, StorageError> {
        read(&self.of(model).join(version.to_string()).join(file))
    }

    fn create(
        &self,
        model: &ModelName,
        version: Version,
        files: &[(&str, &[u8])],
    ) -> Result<Written, StorageError> {
        let _lock = self.lock()?;
        let folder = self.of(model);
        let place = folder.join(version.to_string());
        if place.exists() {
            return Ok(Written::Late);
        }
        self.make_folder(&folder)?;
        // Always: whoever made the folder may have been killed before its name was synced.
        self.disk.sync_folder(&self.root).map_err(StorageError::io("syncing", &self.root))?;
        let beside = folder.join(BESIDE);
        if beside.exists() {
            self.disk.remove_folder(&beside).map_err(StorageError::io("removing", &beside))?;
        }
        self.disk.make_folder(&beside).map_err(StorageError::io("making", &beside))?;
        for (name, bytes) in files {
            self.write(&beside.join(name), bytes)?;
        }
        self.disk.sync_folder(&beside).map_err(StorageError::io("syncing", &beside))?;
        let manifest = files.last().map_or(&[][..], |(_, bytes)| bytes);
        self.put(&beside, &place, &folder).map(|()| Written::Done(tag(manifest)))
    }

    fn aliases(&self, model: &ModelName) -> Result<Option<Tagged>, StorageError> {
        let bytes = read(&self.of(model).join(ALIASES))?;
        Ok(bytes.map(|bytes| Tagged { tag: tag(&bytes), bytes }))
    }

    fn swap_aliases(
        &self,
        model: &ModelName,
        expected: Option<&Tag>,
        bytes: &[u8],
    ) -> Result<Written, StorageError> {
        let _lock = self.lock()?;
        let held = self.aliases(model)?.map(|held| held.tag);
        if held.as_ref() != expected {
            return Ok(Written::Late);
        }
        let folder = self.of(model);
        let beside = folder.join(NEW_ALIASES);
        self.write(&beside, bytes)?;
        self.put(&beside, &folder.join(ALIASES), &folder).map(|()| Written::Done(tag(bytes)))
    }
}

fn tag(bytes: &[u8]) -> Tag {
    Tag(Fingerprint::of(bytes).to_string())
}
