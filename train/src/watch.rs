//! How far a job is, for whoever waits for it; and whether they still do.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Follows a job, on a terminal with a bar.
pub struct Watch {
    bar: ProgressBar,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    /// Begins, with so many steps to do. `stopped` becomes true when nobody waits any more.
    #[must_use]
    pub fn new(steps: u64, stopped: Arc<AtomicBool>) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}, {elapsed}, {eta} to go");
        let bar = ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, stopped }
    }

    /// Whether the job was asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Begins a step.
    ///
    /// # Errors
    /// When the job was asked to stop.
    pub fn step(&self, what: impl Into<Cow<'static, str>>) -> Result<()> {
        if self.is_stopped() {
            bail!("stopped when asked to; nothing was written");
        }
        self.bar.set_message(what);
        Ok(())
    }

    /// Ends a step.
    pub fn done(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
