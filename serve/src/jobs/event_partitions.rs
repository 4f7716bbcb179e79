//! There is always a partition for the clicks and the impressions of the days to come.

use std::time::Duration;

use chrono::Days;
use futures_util::{FutureExt, future::BoxFuture};

use super::{Job, Workbench};
use crate::store::jobs::{ensure_click_partition, ensure_impression_partition};

/// So many days ahead of today have their partition.
const DAYS_AHEAD: u64 = 7;

/// Makes the partitions of today and of the days ahead.
pub struct MakeAhead;

impl Job for MakeAhead {
    fn name(&self) -> &'static str {
        "event_partitions"
    }

    fn doc(&self) -> &'static str {
        "Makes the tables for each coming day's clicks and impressions before they arrive."
    }

    fn every(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let (today, mut db) = (intake.clock.now().date_naive(), intake.pool.acquire().await?);
            let mut made = 0;
            for ahead in 0..=DAYS_AHEAD {
                let day = today + Days::new(ahead);
                made += ensure_click_partition(&mut db, day).await?;
                made += ensure_impression_partition(&mut db, day).await?;
            }
            Ok(made)
        }
        .boxed()
    }
}
