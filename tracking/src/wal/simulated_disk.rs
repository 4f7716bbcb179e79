//! A disk that loses power: what was not synced survives in part, by chance.

use std::{
    collections::BTreeMap,
    io, mem,
    sync::{Arc, Mutex, MutexGuard},
};

use super::disk::{Disk, DiskFile};

/// What a power cut leaves or takes as one piece.
const SECTOR: usize = 64;

/// How a disk misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The next reservation of room fails.
    Full,
    /// The next write stops half-way.
    Write,
    /// The next sync fails.
    Sync,
    /// The next write meets a defect of ours.
    Defect,
}

/// A folder in memory; clones are the same folder.
#[derive(Clone, Default)]
pub(super) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Vec<FileState>,
    names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the folder, in their order.
    renamings: Vec<Renaming>,
    durable_names: BTreeMap<String, usize>,
    fault: Option<Fault>,
    /// Operations left until the power goes, and what a write at that very moment still does, in bytes.
    power: Option<(u32, usize)>,
}

#[derive(Default)]
struct FileState {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone)]
enum Renaming {
    Set(String, usize),
    Remove(String),
    Move(String, String),
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Set(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
            Self::Move(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl SimulatedDisk {
    /// The next operation of that kind fails.
    pub(super) fn fail_next(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Forgets a fault that nothing has met.
    pub(super) fn heal(&self) {
        self.state().fault = None;
    }

    /// The power goes after so many more operations; all later ones fail. A write that is the first of those has got
    /// this far.
    pub(super) fn cut_power_after(&self, operations: u32, written_bytes: usize) {
        self.state().power = Some((operations, written_bytes));
    }

    /// What is found when the power is back; `dice` decides about everything that was not synced.
    pub(super) fn after_power_cut(&self, mut dice: impl FnMut() -> u32) -> Self {
        let state = self.state();
        let survivors = state.files.iter().map(|file| file.survivor(&mut dice)).collect::<Vec<_>>();
        let mut names = state.durable_names.clone();
        let kept = dice() as usize % (state.renamings.len() + 1);
        for renaming in &state.renamings[..kept] {
            renaming.apply(&mut names);
        }
        let files = survivors.into_iter().map(|bytes| FileState { durable: bytes.clone(), bytes }).collect();
        let found = State { files, names: names.clone(), durable_names: names, ..State::default() };
        Self(Arc::new(Mutex::new(found)))
    }

    /// What is found after the process was killed but the machine went on: every write that was made.
    pub(super) fn after_kill(&self) -> Self {
        let state = self.state();
        let copy = |file: &FileState| FileState { bytes: file.bytes.clone(), durable: file.durable.clone() };
        let found = State {
            files: state.files.iter().map(copy).collect(),
            names: state.names.clone(),
            renamings: state.renamings.clone(),
            durable_names: state.durable_names.clone(),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(found)))
    }

    /// Changes one byte of a file behind the log's back.
    pub(super) fn corrupt(&self, name: &str, at: usize) {
        let mut state = self.state();
        let file = state.names[name];
        for bytes in [0, 1] {
            let file = &mut state.files[file];
            let bytes = if bytes == 0 { &mut file.bytes } else { &mut file.durable };
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0xff;
            }
        }
    }

    /// A file's bytes as a reader sees them.
    pub(super) fn bytes_of(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[name]].bytes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The state for one operation; without power, how many bytes of it are done all the same.
    fn begin(&self) -> Result<MutexGuard<'_, State>, usize> {
        let mut state = self.state();
        match &mut state.power {
            Some((0, written_bytes)) => return Err(mem::take(written_bytes)),
            Some((left, _)) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        self.begin().map_err(|_| no_power())
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power is gone")
}

impl State {
    fn change(&mut self, renaming: Renaming) {
        renaming.apply(&mut self.names);
        self.renamings.push(renaming);
    }

    fn fails(&mut self, fault: Fault) -> bool {
        let fails = self.fault == Some(fault);
        if fails {
            self.fault = None;
        }
        fails
    }
}

impl FileState {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[offset..end].copy_from_slice(bytes);
    }

    fn survivor(&self, mut dice: impl FnMut() -> u32) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if dice().is_multiple_of(2) {
            bytes.resize(self.bytes.len(), 0);
        }
        let sectors = bytes.chunks_mut(SECTOR).zip(self.bytes.chunks(SECTOR));
        for (kept, written) in sectors {
            let differs = kept[..] != written[..kept.len().min(written.len())];
            if differs && dice().is_multiple_of(2) {
                let length = kept.len().min(written.len());
                kept[..length].copy_from_slice(&written[..length]);
            }
        }
        bytes
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.step()?.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.step()?;
        let file = state.files.len();
        state.files.push(FileState::default());
        state.change(Renaming::Set(name.into(), file));
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.step()?.names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step()?.change(Renaming::Remove(name.into()));
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step()?.change(Renaming::Move(from.into(), to.into()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.step()?;
        state.durable_names = state.names.clone();
        state.renamings.clear();
        Ok(())
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.step()?;
        let bytes = state.files[self.file].bytes.get(offset as usize..).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let is_defect = self.disk.state().fails(Fault::Defect);
        assert!(!is_defect, "a defect of ours");
        let (mut state, taken, outcome) = match self.disk.begin() {
            Ok(mut state) => match state.fails(Fault::Write) {
                true => (state, bytes.len() / 2, Err(io::ErrorKind::StorageFull.into())),
                false => (state, bytes.len(), Ok(())),
            },
            Err(written_bytes) => (self.disk.state(), written_bytes.min(bytes.len()), Err(no_power())),
        };
        state.files[self.file].write(&bytes[..taken], offset as usize);
        outcome
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.step()?;
        if state.fails(Fault::Sync) {
            return Err(io::Error::other("input/output error"));
        }
        let file = &mut state.files[self.file];
        file.durable = file.bytes.clone();
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.step()?;
        if state.fails(Fault::Full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = &mut state.files[self.file].bytes;
        file.resize(file.len().max(length as usize), 0);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.disk.step()?.files[self.file].bytes.resize(length as usize, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.step()?.files[self.file].bytes.len() as u64)
    }
}
