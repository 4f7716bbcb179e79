//! What the database stored goes into the event lake: every event once, however often the export is killed and begins
//! again, and none passed over, in whatever order transactions end.
//!
//! How far it came is a note in the lake: another lake is filled from the beginning, and one that was brought back from
//! a backup goes on from where it was then.

mod clicks;
mod conversions;
mod impressions;
mod passage;
mod plans;
#[cfg(test)]
mod tests;
mod visits;

use std::time::Duration;

use anyhow::Context;
use features::lake::{Lake, LakeError};
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;
use tokio::task::spawn_blocking;

use super::{Job, Workbench};
use crate::{
    meters::LAKE,
    store::lake::{StoredClick, StoredImpression, forget_batches},
};

/// Brings the lake up to date.
pub struct Export;

/// Forgets where clicks and impressions are that every lake has by now.
pub struct Forget;

impl Job for Export {
    fn name(&self) -> &'static str {
        "lake_export"
    }

    fn doc(&self) -> &'static str {
        "Brings clicks, impressions, conversions, refunds, status changes and rates that are new into the event lake."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(5)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async {
            let Some(folder) = &bench.choices.lake else { return Ok(0) };
            let lake = Lake::open(folder)?;
            let begun_at = bench.intake.clock.now();
            let exported = export(&mut *bench.intake.pool.acquire().await?, &lake).await?;
            if compact(lake).await? {
                LAKE.is_complete(begun_at);
            }
            Ok(exported)
        }
        .boxed()
    }
}

impl Job for Forget {
    fn name(&self) -> &'static str {
        "event_batches_purge"
    }

    fn doc(&self) -> &'static str {
        "Forgets which clicks and impressions came together after ten million transactions: a lake that asks later reads all of them."
    }

    fn every(&self) -> Duration {
        Duration::from_mins(10)
    }

    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>> {
        async { Ok(forget_batches(&mut *bench.intake.pool.acquire().await?).await?) }.boxed()
    }
}

/// Gives the lake everything that was stored since it was last given something; says how many events that were.
pub(super) async fn export(db: &mut PgConnection, lake: &Lake) -> anyhow::Result<u64> {
    Ok(visits::export::<StoredClick>(db, lake).await?
        + visits::export::<StoredImpression>(db, lake).await?
        + conversions::export(db, lake).await?
        + plans::export(db, lake).await?)
}

/// Merges what arrived; not when somebody else is at it, and then it waits for the next time.
async fn compact(lake: Lake) -> anyhow::Result<bool> {
    match spawn_blocking(move || lake.compact(|_| {})).await? {
        Err(error @ LakeError::Busy { .. }) => {
            tracing::info!("what arrived in the lake is merged later: {error}");
            Ok(false)
        }
        compacted => compacted.map(|_| true).context("what arrived in the lake waits to be merged"),
    }
}
