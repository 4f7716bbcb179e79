//! What every run of a job may be told, and how it begins.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use signal_hook::consts::SIGINT;

use super::folder::Folder;

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
        let stopped = Arc::new(AtomicBool::new(false));
        // Asked once it stops at the next step, asked again at once.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stopped))
            .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&stopped)))
            .context("Ctrl-C cannot be waited for")?;
        Ok((Folder::prepare(&self.out, self.replace)?, stopped))
    }
}
