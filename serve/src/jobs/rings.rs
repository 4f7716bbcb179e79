//! Partners who hang together are looked for every minute, and what waits of theirs is decided again where somebody decides.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tracking::hiding::Hiding;

use super::{Job, Workbench};
use crate::rings;

/// Looks for them.
pub struct Find;

impl Job for Find {
    fn name(&self) -> &'static str {
        "rings"
    }

    fn doc(&self) -> &'static str {
        "Reads what partners were seen with, looks for rings of them, and decides again about what waits of their members."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            rings::see(&intake.pool, &Hiding::new(&bench.secret), intake.clock.now()).await?;
            let found = rings::find(intake).await?;
            let decided = match &bench.scorer {
                Some(scorer) => rings::decide_again(intake, scorer).await?,
                None => 0,
            };
            Ok(found + decided)
        }
        .boxed()
    }
}
