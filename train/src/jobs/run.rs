//! What every run of a job may be told, and how it begins.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use signal_hook::consts::SIGINT;

use super::folder::{Folder, Unfinished};

/// How long Ctrl-C may wait to be heard.
const LISTENS: Duration = Duration::from_millis(50);
/// What a command that was interrupted ends with.
const INTERRUPTED: i32 = 130;

/// What every run may be told.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// What all chance follows from: the same data and seed give the same bytes
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How many threads work; results do not depend on it [default: as many as there are cores]
    #[arg(long)]
    threads: Option<usize>,
    /// The folder to write into, which must not exist
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Overwrite the folder that --out names
    #[arg(long)]
    replace: bool,
}

impl RunArgs {
    /// Begins: threads, a folder that is not there yet, and what becomes true when Ctrl-C is pressed.
    pub(super) fn begin(&self) -> Result<(Folder, Arc<AtomicBool>)> {
        ensure!(self.threads != Some(0), "--threads is 0, and must be at least 1");
        let threads = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0));
        threads.build_global().context("threads cannot be started")?;
        let folder = Folder::prepare(&self.out, self.replace)?;
        let stopped = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&stopped)).context("Ctrl-C cannot be waited for")?;
        let (asked, unfinished) = (Arc::clone(&stopped), folder.unfinished());
        thread::spawn(move || end_when_asked_again(&asked, &unfinished));
        Ok((folder, stopped))
    }
}

/// Asked once, a job stops at its next step; asked again it ends at once, and leaves nothing half written.
fn end_when_asked_again(asked: &AtomicBool, unfinished: &Unfinished) {
    while !asked.load(Ordering::Relaxed) {
        thread::sleep(LISTENS);
    }
    let again = Arc::new(AtomicBool::new(false));
    if signal_hook::flag::register(SIGINT, Arc::clone(&again)).is_err() {
        return;
    }
    while !again.load(Ordering::Relaxed) {
        thread::sleep(LISTENS);
    }
    let _taken = unfinished.take_away();
    // Without taking libraries down, whose threads are at work.
    signal_hook::low_level::exit(INTERRUPTED);
}
