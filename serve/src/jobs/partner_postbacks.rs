//! Partners' own systems are told what happens to their conversions.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use domain::AffiliateId;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};
use tracking::intake::Intake;

use super::{Job, Workbench};
use crate::{
    postbacks::{
        attempt::tell,
        courier::Courier,
        telling::{BATCH, pass_on},
    },
    store::partner_deliveries::{self as store, Attempt, Due, Taking},
};

/// So many requests are open at once, and of one affiliate no more than that, so that its slow addresses keep few others waiting.
const AT_ONCE: usize = 64;
const OF_ONE: i64 = 8;
/// A round ends after this long, whatever is open.
const ROUND: Duration = Duration::from_secs(5);
/// How often a round looks for what is due by then.
const LOOKING: Duration = Duration::from_secs(1);
/// What was taken by a worker that died comes again after this long.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// Deliveries that ended are shown for so long.
const SHOWN: TimeDelta = TimeDelta::days(30);
/// So many batches of announcements are passed on in one turn.
const BATCHES: usize = 50;

/// Finds out which addresses are to be told of what was announced.
pub struct PassOn;

impl Job for PassOn {
    fn name(&self) -> &'static str {
        "partner_news"
    }

    fn doc(&self) -> &'static str {
        "Finds out which of partners' own systems are to be told of what happened."
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        let intake = &bench.intake;
        async move {
            let mut deliveries = 0;
            for _ in 0..BATCHES {
                let passed_on = pass_on(&intake.pool, intake.clock.now(), &intake.chance).await?;
                deliveries += passed_on.deliveries;
                if passed_on.announced < BATCH.unsigned_abs() {
                    break;
                }
            }
            Ok(deliveries)
        }
        .boxed()
    }
}

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
        round(bench).boxed()
    }
}

/// Requests that are open, and whose. They outlive the round that began them, so that slow addresses keep no round from its end.
#[derive(Default)]
pub struct Open {
    requests: JoinSet<(AffiliateId, sqlx::Result<Attempt>)>,
    busy: BTreeMap<AffiliateId, u32>,
}

impl Open {
    fn begin(&mut self, bench: &Workbench, due: Due) {
        *self.busy.entry(due.affiliate_id).or_insert(0) += 1;
        self.requests.spawn(tell_one(bench.intake.clone(), bench.courier.clone(), due));
    }

    /// One has ended, whatever came of it.
    fn ended(
        &mut self,
        noted: Result<(AffiliateId, sqlx::Result<Attempt>), JoinError>,
    ) -> anyhow::Result<()> {
        let (affiliate, noted) = match noted {
            Ok(noted) => noted,
            // Nobody says whose it was: all are let go, and come again when nobody else can be at them.
            Err(error) => {
                *self = Self::default();
                return Err(error.into());
            }
        };
        if let Some(count) = self.busy.get_mut(&affiliate) {
            *count -= 1;
        }
        self.busy.retain(|_, count| 0 < *count);
        noted?;
        Ok(())
    }
}

/// Tells whatever is due. Places that become free are filled again; what the database does not take is told again later.
async fn round(bench: &Workbench) -> anyhow::Result<u64> {
    let mut open = bench.open.lock().await;
    let (begin, mut looked, mut told, mut fault) = (Instant::now(), None::<Instant>, 0, None);
    while begin.elapsed() < ROUND && fault.is_none() {
        let free = AT_ONCE - open.requests.len();
        let is_time = AT_ONCE / 2 <= free || looked.is_none_or(|at| LOOKING <= at.elapsed());
        if 0 < free && is_time {
            looked = Some(Instant::now());
            match take(bench, &open.busy, free).await {
                Ok(due) => {
                    told += due.len() as u64;
                    due.into_iter().for_each(|due| open.begin(bench, due));
                }
                Err(error) => fault = Some(error.into()),
            }
        }
        match timeout(LOOKING, open.requests.join_next()).await {
            Ok(None) => break,
            Ok(Some(noted)) => fault = fault.or(open.ended(noted).err()),
            Err(_) => {}
        }
    }
    fault.map_or(Ok(told), Err)
}

async fn tell_one(intake: Intake, courier: Courier, due: Due) -> (AffiliateId, sqlx::Result<Attempt>) {
    let told = tell(&intake.pool, &courier, &due, (&intake.clock, &intake.chance)).await;
    (due.affiliate_id, told)
}

async fn take(bench: &Workbench, busy: &BTreeMap<AffiliateId, u32>, free: usize) -> sqlx::Result<Vec<Due>> {
    let but: Vec<_> = busy.keys().map(|affiliate| affiliate.uuid()).collect();
    let now = bench.intake.clock.now();
    let limit = i64::try_from(free).unwrap_or(i64::MAX);
    let taking = Taking { now, until: now + LEASE, but: &but, each: OF_ONE, limit };
    let mut db = bench.intake.pool.acquire().await?;
    store::take_due(&mut db, taking).await
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
