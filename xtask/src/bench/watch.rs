//! What a running server takes of the machine, and what others take from it.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::Instant};

use anyhow::{Context, Result};

use super::figure::count;

/// The resident memory of a process, in MiB.
pub fn resident_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    resident_in(&status).context("the kernel does not say how much memory a process has")
}

fn resident_in(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u32 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(f64::from(kib) / 1024.0)
}

/// What a folder takes of the disk, in MiB; files may come and go meanwhile.
pub fn folder_mib(folder: &Path) -> Result<f64> {
    let blocks = blocks(folder).with_context(|| format!("cannot look into {}", folder.display()))?;
    #[expect(clippy::cast_precision_loss, reason = "no folder here has 2^52 blocks")]
    let blocks = blocks as f64;
    Ok(blocks / 2048.0)
}

/// In units of 512 bytes.
fn blocks(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => blocks(&entry.path())?,
            Ok(metadata) => metadata.blocks(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(sum)
}

/// Looks how much of a core others than the server take: programs that run besides, and the machine's own host.
pub struct CoreUse {
    core: usize,
    process: u32,
    began: Instant,
    before: Ticks,
}

/// Time in the kernel's units, of which there are a hundred a second.
///
/// The kernel measures how long a core rests and how long a process runs, but what a core does besides it only samples
/// at its own clock's beat, to which requests at a fixed pace dance: so busy is whoever does not rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    /// By the clock on the wall.
    all: u64,
    /// In which the core had nothing to do.
    idle: u64,
    /// Of the server and its children.
    own: u64,
}

impl CoreUse {
    /// Begins to look at the core on which this process serves.
    pub fn begin(core: usize, process: u32) -> Result<Self> {
        let began = Instant::now();
        Ok(Self { core, process, began, before: Ticks::now(core, process, began)? })
    }

    /// The share of the core that others have taken since.
    pub fn share_of_others(&self) -> Result<f64> {
        Ok(Ticks::now(self.core, self.process, self.began)?.share_of_others(self.before))
    }
}

impl Ticks {
    fn now(core: usize, process: u32, began: Instant) -> Result<Self> {
        let idle = idle_ticks(&fs::read_to_string("/proc/stat")?, core)
            .with_context(|| format!("the kernel does not say what core {core} does"))?;
        let mut own = 0;
        for entry in fs::read_dir("/proc")? {
            // Processes come and go meanwhile; those of a server stay.
            let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
            own += ticks_of(&stat, process).unwrap_or_default();
        }
        let all = u64::try_from(began.elapsed().as_millis() / 10)?;
        Ok(Self { all, idle, own })
    }

    fn share_of_others(self, before: Self) -> f64 {
        // The kernel's own sums may step back a little.
        let since = |now: u64, then: u64| now.saturating_sub(then);
        let (all, idle, own) =
            (since(self.all, before.all), since(self.idle, before.idle), since(self.own, before.own));
        count(all.saturating_sub(idle + own)) / count(all.max(1))
    }
}

/// From the core's line: user, nice, system, idle, iowait.
fn idle_ticks(stat: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core}");
    let mut lines = stat.lines().map(str::split_whitespace);
    let fields = lines.find_map(|mut fields| (fields.next()? == name).then_some(fields))?;
    fields.skip(3).take(2).map(|field| field.parse::<u64>().ok()).sum()
}

/// What a process has used, if it is this one or a child of it.
fn ticks_of(stat: &str, process: u32) -> Option<u64> {
    // The name stands in brackets and may hold anything.
    let (number, (_, rest)) = (stat.split(' ').next()?, stat.rsplit_once(')')?);
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let process = process.to_string();
    if number != process && *fields.get(1)? != process {
        return None;
    }
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mib() {
        assert_eq!(resident_in("Name:\tx\nVmRSS:\t   2048 kB\nRssAnon:\t1 kB\n"), Some(2.0));
        assert_eq!(resident_in("Name:\tx\n"), None);
        assert!(0.5 < resident_mib(std::process::id()).expect("this process runs"));
    }

    #[test]
    fn a_folder_takes_what_its_files_take() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("below")).expect("a folder");
        fs::write(folder.path().join("below/file"), vec![7; 3 << 20]).expect("a file");
        let found = folder_mib(folder.path()).expect("it can be read");
        assert!((3.0..3.5).contains(&found), "{found}");
    }

    #[test]
    fn what_a_core_does_besides_is_what_others_take() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\ncpu1 40 0 30 100 10 0 20 5 7 0\n";
        assert_eq!(idle_ticks(stat, 1), Some(110));
        assert_eq!(idle_ticks(stat, 2), None);
        let before = Ticks { all: 0, idle: 5, own: 0 };
        let share = Ticks { all: 200, idle: 115, own: 70 }.share_of_others(before);
        assert!((share - 0.1).abs() < 1e-9, "{share}");
    }

    #[test]
    fn a_server_is_a_process_and_its_children() {
        let of = |number: u32, parent: u32| {
            let stat =
                format!("{number} (a (b) c) S {parent} 1 1 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 1 1 1");
            ticks_of(&stat, 7)
        };
        assert_eq!([of(7, 1), of(8, 7), of(9, 8)], [Some(42), Some(42), None]);
    }
}
