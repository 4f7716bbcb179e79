//! Postbacks that came before their click are looked at again.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tracking::intake::quarantine::sweep;

use super::{Job, Workbench};

/// Takes in what waited for a click that is here by now, and gives up what has waited too long.
pub struct Sweep;

impl Job for Sweep {
    fn name(&self) -> &'static str {
        "quarantine_sweep"
    }

    fn doc(&self) -> &'static str {
        "Takes in postbacks whose click has arrived, and gives up those that have waited too long."
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move { Ok(u64::try_from(sweep(intake).await?).unwrap_or(u64::MAX)) }.boxed()
    }
}
