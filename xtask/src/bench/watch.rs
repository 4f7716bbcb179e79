//! What a running tracker takes of the machine.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result};

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
}
