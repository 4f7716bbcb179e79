//! One process at a time writes partitions: two that merge into one would each miss what the other brought.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    path::Path,
    time::SystemTime,
};

use super::{Lake, error::LakeError};

/// The right to write partitions, for as long as it lives; the kernel takes it back from a process that is killed.
pub(super) struct Lock {
    _file: File,
    /// When it was taken, by the clock of the disk that the file is on.
    pub(super) taken_at: SystemTime,
}

impl Lock {
    /// Takes the right that a file stands for, unless another process has it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // What was written last says what time it is there.
        (&file).write_all(b"\n")?;
        let taken_at = file.metadata()?.modified()?;
        Ok(Some(Self { _file: file, taken_at }))
    }
}

impl Lake {
    /// Takes the right to write partitions, unless another process has it.
    pub(super) fn lock(&self) -> Result<Lock, LakeError> {
        let taken =
            self.disk.lock(&self.root).map_err(|error| LakeError::io("locking", &self.root, error))?;
        taken.ok_or_else(|| LakeError::Busy { path: self.root.clone() })
    }
}
