//! How long the disk itself takes to keep something: what every durable click waits for at least.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::load::Quantiles;

/// As large as a page of the log.
const PAGE: usize = 4_096;
/// The file that is overwritten, again and again from its beginning.
const PAGES: u64 = 4_096;
/// For how long.
const LENGTH: Duration = Duration::from_secs(2);

/// `fdatasync` after overwriting 4 KiB of a file whose room is already there.
pub fn sync_times(folder: &Path) -> Result<Quantiles> {
    let path = folder.join("disk");
    let file = File::create(&path).context("the disk cannot be measured")?;
    let page = [7; PAGE];
    for number in 0..PAGES {
        file.write_all_at(&page, number * PAGE as u64)?;
    }
    file.sync_all()?;
    let mut times = Quantiles::histogram()?;
    let begin = Instant::now();
    for number in (0..PAGES).cycle() {
        let began = Instant::now();
        file.write_all_at(&page, number * PAGE as u64)?;
        file.sync_data()?;
        times.saturating_record(u64::try_from(began.elapsed().as_nanos())?);
        if LENGTH < begin.elapsed() {
            break;
        }
    }
    std::fs::remove_file(path)?;
    Ok(Quantiles::of(&times))
}
