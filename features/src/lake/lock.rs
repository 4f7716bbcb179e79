//! One process at a time writes partitions: two that merge into one would each miss what the other brought.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    time::SystemTime,
};

use super::{Lake, error::LakeError};

/// The right to write partitions, for as long as it lives; the kernel takes it back from a process that is killed.
pub(super) struct Lock {
    _file: File,
    /// When it was taken, by the clock of the lake's disk.
    pub(super) taken_at: SystemTime,
}

impl Lock {
    /// Takes the right, unless another process has it.
    pub(super) fn take(lake: &Lake) -> Result<Self, LakeError> {
        let path = lake.root.join("_lock");
        lake.disk.make_folder(&lake.root).map_err(|error| LakeError::io("making", &lake.root, error))?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| LakeError::io("locking", &path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LakeError::Busy { path: lake.root.clone() }),
            Err(TryLockError::Error(error)) => return Err(LakeError::io("locking", path, error)),
        }
        // What was written last says what time it is there.
        let touched = (&file).write_all(b"\n").and_then(|()| file.metadata()?.modified());
        let taken_at = touched.map_err(|error| LakeError::io("locking", path, error))?;
        Ok(Self { _file: file, taken_at })
    }
}
