//! Whatever is held is in a case, also where it was held by hand or by a process that could not open one; and how cases
//! stand is counted.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use tracking::store::begin;

use super::{Job, Workbench};
use crate::{cases::take_up_all, meters, store::case_numbers};

/// Takes up what is held.
pub struct TakeUp;

impl Job for TakeUp {
    fn name(&self) -> &'static str {
        "cases"
    }

    fn doc(&self) -> &'static str {
        "Opens cases about conversions that are held and in none, and counts how cases stand."
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let mut all = 0;
            loop {
                let mut tx = begin(&intake.pool).await?;
                let taken = take_up_all(&mut tx, intake.clock.now(), &intake.chance).await?;
                tx.commit().await?;
                all += taken;
                if taken == 0 {
                    break;
                }
            }
            let numbers = case_numbers::count(&mut *intake.pool.acquire().await?, intake.clock.now()).await?;
            meters::CASES.store(Some(numbers.into()));
            Ok(all)
        }
        .boxed()
    }
}
