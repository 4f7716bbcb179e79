//! Waiting longer after every failure in a row, so that a server that comes back is not run over.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Patience {
    /// Waits, and will wait twice as long next time.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = LONGEST.min(self.0 * 2);
    }

    /// Something succeeded: the next failure is a first one again.
    pub(crate) fn restore(&mut self) {
        *self = Self::default();
    }
}
