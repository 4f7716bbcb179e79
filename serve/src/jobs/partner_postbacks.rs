//! Partners' own systems are told what happens to their conversions.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};

use super::{Job, Workbench};
use crate::{
    postbacks::{attempt::tell, telling::pass_on},
    store::partner_deliveries::{self as store, Due},
};

/// So many are told in one round, and of one address no more than that, so that a slow one does not keep the others waiting.
const ROUND: i64 = 256;
const OF_ONE: i64 = 8;
/// So many requests are open at once.
const AT_ONCE: usize = 32;
/// What was taken by a worker that died comes again after this long.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// Deliveries that ended are shown for so long.
const SHOWN: TimeDelta = TimeDelta::days(30);

/// Tells addresses what happened.
pub struct Tell;

impl Job for Tell {
    fn name(&self) -> &'static str {
        "partner_postbacks"
    }

    fn doc(&self) -> &'static str {
        "Tells partners' own systems what happened to their conversions, again and again for three days where they do not answer."
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let now = intake.clock.now();
            let made = pass_on(&intake.pool, now, &intake.chance).await?;
            let mut db = intake.pool.acquire().await?;
            let due = store::take_due(&mut db, (now, now + LEASE), (OF_ONE, ROUND)).await?;
            drop(db);
            let told = due.len() as u64;
            let with = (&intake.clock, &intake.chance);
            let one = async |due: Due| tell(&intake.pool, &bench.courier, &due, with).await;
            let mut attempts = stream::iter(due).map(one).buffer_unordered(AT_ONCE);
            while let Some(attempt) = attempts.next().await {
                attempt?;
            }
            Ok(made.max(told))
        }
        .boxed()
    }
}

/// Forgets what was told long ago.
pub struct Forget;

impl Job for Forget {
    fn name(&self) -> &'static str {
        "partner_deliveries_forget"
    }

    fn doc(&self) -> &'static str {
        "Forgets what partners' own systems were told more than thirty days ago."
    }

    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let mut db = intake.pool.acquire().await?;
            Ok(store::forget(&mut db, intake.clock.now() - SHOWN).await?)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
