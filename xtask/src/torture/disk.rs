//! A disk that loses power: a file system in a file, and what that file holds at one instant.
//!
//! The tracker's data lie on an ext4 in an image, mounted by way of a loop device. What ext4 has handed to the device
//! is in the image, and what it has not (what was written but never asked to last) is only in the kernel's cache of
//! the mounted files: a copy of the image is what the machine would find after a power cut at the instant of copying.
//! A loop device on a cached file completes a write when the image has it, so that what was acknowledged after an
//! fdatasync has to be in the copy.
//!
//! Copying takes time, and the copy has to be of one instant all the same:
//!
//! 1. The tracker is stopped with SIGSTOP first, and waited for until none of its threads runs. From then on nobody is
//!    promised anything. A thread may be inside of an fdatasync; that goes on, and may end in the copy or not.
//! 2. The kernel goes on as well, and may write something back or end a journal transaction in the middle of the copy.
//!    So the device's counters are read before and after: if a write, discard or flush was under way or has been
//!    completed in between, the copy is thrown away and made again. A copy that is kept saw no change from its
//!    first byte to its last.
//! 3. The image is on a file system in memory where there is one, and only its filled parts are copied: it takes some
//!    milliseconds, and hardly ever a second attempt.
//!
//! What this does not show: a disk whose own cache forgets what it was never told to flush. The log's model tests lose
//! and tear unsynced writes sector by sector instead (`tracking/src/wal/simulated_disk.rs`).

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    fs::{FallocateFlags, SeekFrom, fallocate, seek, syncfs},
    io::Errno,
    process::geteuid,
};

use crate::external;

/// What takes up the room of a full disk.
const FILLER: &str = "filler";
const SIZE: u64 = 128 << 20;
const BLOCK: usize = 1 << 20;
/// Small, with everything made at once, so that nothing is left for the kernel to do in the background.
const MAKE: [&str; 10] = [
    "-q",
    "-F",
    "-b",
    "4096",
    "-m",
    "0",
    "-J",
    "size=4",
    "-E",
    "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
];
/// How often a copy is tried, and the pause between.
const COPIES: u32 = 1_000;
const COPY_PAUSE: Duration = Duration::from_millis(1);
/// How often it is tried to unmount what a dying process still holds, and the pause between.
const UNMOUNTS: u32 = 100;
const UNMOUNT_PAUSE: Duration = Duration::from_millis(20);

/// A mounted image. Dropping it unmounts and detaches it; the image stays.
pub(super) struct Disk {
    image: PathBuf,
    mount: Mount,
}

/// Whoever uses it drops what runs on it before.
struct Mount {
    folder: PathBuf,
    device: Device,
}

/// A loop device that we attached, by its name below `/dev`.
struct Device(String);

impl Disk {
    /// A new file system in this folder, mounted.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        ensure!(geteuid().is_root(), "only root mounts file systems");
        ensure!(Path::new("/dev/loop-control").exists(), "this machine has no loop devices");
        let image = folder.join("disk-0.ext4");
        File::create(&image)?.set_len(SIZE)?;
        external::read(Command::new("mkfs.ext4").args(MAKE).arg(&image))?;
        Self::mount(image)
    }

    /// The file system of an image as a machine finds it that is switched on: its journal is replayed.
    pub(super) fn mount(image: PathBuf) -> Result<Self> {
        let folder = image.with_extension("mounted");
        fs::create_dir_all(&folder)?;
        let device = external::read(Command::new("losetup").args(["--find", "--show"]).arg(&image))?;
        let device = Device(device.trim().trim_start_matches("/dev/").to_owned());
        let path = format!("/dev/{}", device.0);
        external::read(Command::new("mount").args(["-t", "ext4", &path]).arg(&folder))?;
        Ok(Self { image, mount: Mount { folder, device } })
    }

    /// Where its files are.
    pub(super) fn path(&self) -> &Path {
        &self.mount.folder
    }

    /// Has the kernel write everything back, as it may do at any moment.
    pub(super) fn write_back(&self) -> Result<()> {
        Ok(syncfs(File::open(self.path())?)?)
    }

    /// Leaves no room on it, but for what is made already.
    pub(super) fn fill(&self) -> Result<()> {
        let filler = File::create(self.path().join(FILLER))?;
        let mut length = 0;
        for step in [BLOCK as u64, 64 << 10, 4 << 10] {
            while fallocate(&filler, FallocateFlags::empty(), length, step).is_ok() {
                length += step;
            }
        }
        Ok(())
    }

    /// Gives the room back, if there was none.
    pub(super) fn empty(&self) -> Result<()> {
        match fs::remove_file(self.path().join(FILLER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Takes what the disk holds at one instant; see the module.
    pub(super) fn copy_to(&self, copy: &Path) -> Result<()> {
        for _ in 0..COPIES {
            let before = self.mount.device.traffic()?;
            if before.under_way == 0 {
                copy_filled(&self.image, copy)?;
                if self.mount.device.traffic()? == before {
                    return Ok(());
                }
            }
            thread::sleep(COPY_PAUSE);
        }
        bail!("/dev/{} is never at rest, so that no copy of it is of one instant", self.mount.device.0)
    }

    /// Unmounts it and takes its image away.
    pub(super) fn discard(self) -> Result<()> {
        let Self { image, mount } = self;
        drop(mount);
        Ok(fs::remove_file(image)?)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmount = |flags: &[&str]| external::read(Command::new("umount").args(flags).arg(&self.folder));
        for _ in 0..UNMOUNTS {
            if unmount(&[]).is_ok() {
                // An empty folder that stays does no harm.
                fs::remove_dir(&self.folder).ok();
                return;
            }
            thread::sleep(UNMOUNT_PAUSE);
        }
        if let Err(error) = unmount(&["--lazy"]) {
            eprintln!("{} stays mounted: {error:#}", self.folder.display());
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let device = format!("/dev/{}", self.0);
        if let Err(error) = external::read(Command::new("losetup").args(["--detach", &device])) {
            eprintln!("{device} stays attached: {error:#}");
        }
    }
}

/// What a device has done and is doing.
#[derive(Debug, PartialEq, Eq)]
struct Traffic {
    under_way: u64,
    writes: u64,
    discards: u64,
    flushes: u64,
}

impl Device {
    fn traffic(&self) -> Result<Traffic> {
        let path = format!("/sys/block/{}/stat", self.0);
        Traffic::parse(&fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?)
            .with_context(|| format!("{path} is not as the kernel documents it"))
    }
}

impl Traffic {
    /// The kernel's Documentation/block/stat.rst names the columns.
    fn parse(line: &str) -> Option<Self> {
        let columns: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let column = |number: usize| columns.get(number).copied();
        Some(Self { under_way: column(8)?, writes: column(4)?, discards: column(11)?, flushes: column(15)? })
    }
}

/// Copies a file without the holes in it.
fn copy_filled(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (File::open(from)?, File::create(to)?);
    let length = from.metadata()?.len();
    to.set_len(length)?;
    let mut block = vec![0; BLOCK];
    let mut end = 0;
    while end < length {
        let begin = match seek(&from, SeekFrom::Data(end)) {
            Ok(begin) => begin,
            // There are only holes from here on.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(io::Error::from(error).into()),
        };
        end = seek(&from, SeekFrom::Hole(begin))?;
        let mut at = begin;
        while at < end {
            let length = (end - at).min(BLOCK as u64) as usize;
            from.read_exact_at(&mut block[..length], at)?;
            to.write_all_at(&block[..length], at)?;
            at += length as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_every_byte_and_the_length() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let file = File::create(&from).expect("a file");
        file.set_len(9 << 20).expect("a length");
        for (at, text) in [(0, &b"begin"[..]), (3 << 20, &[7; 2 << 20]), ((8 << 20) + 5, b"end")] {
            file.write_all_at(text, at).expect("a write");
        }
        copy_filled(&from, &to).expect("a copy");
        assert!(fs::read(&from).expect("the file") == fs::read(&to).expect("the copy"));
        file.set_len(0).expect("no length");
        copy_filled(&from, &to).expect("a copy of nothing");
        assert!(fs::read(&to).expect("the copy").is_empty());
    }

    #[test]
    fn traffic_is_read_as_the_kernel_writes_it() {
        let line =
            "    5    0    34    0    23    6    160    0    2    0    0    9    0    0    0    12    0\n";
        let expected = Traffic { under_way: 2, writes: 23, discards: 9, flushes: 12 };
        assert_eq!(Traffic::parse(line), Some(expected));
        assert_eq!(Traffic::parse("1 2 3"), None);
    }
}
