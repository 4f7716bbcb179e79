//! Answers to signed messages are kept as long as a message can be replayed, and a day more.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{FutureExt, future::BoxFuture};
use tracking::store::postbacks::forget_before;

use super::{Job, Workbench};

/// Forgets answers to messages that are too old to be accepted again.
pub struct Purge;

impl Job for Purge {
    fn name(&self) -> &'static str {
        "postback_messages_purge"
    }

    fn doc(&self) -> &'static str {
        "Forgets the answers to signed messages after a day: by then the messages themselves are refused."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let before = intake.clock.now() - TimeDelta::days(1);
            Ok(forget_before(&mut *intake.pool.acquire().await?, before).await?)
        }
        .boxed()
    }
}
