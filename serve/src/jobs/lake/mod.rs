//! What the database stored goes into the event lake: every event once, however often the export is killed and begins
//! again, and none passed over, in whatever order transactions end.
//!
//! How far it came is a note in the lake: another lake is filled from the beginning, and one that was brought back from
//! a backup goes on from where it was then.

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context;
use domain::event::{Event, Known};
use features::lake::{Lake, LakeError};
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;
use tokio::task::spawn_blocking;

use super::{Job, Workbench};
use crate::{
    meters::LAKE,
    store::lake::forget_batches,
    stored::{self, Taker},
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
        "Brings clicks, impressions, conversions, refunds, status changes, reviews, rates and decisions that are new into the event lake."
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
    stored::give(db, &mut Filled(lake.clone())).await
}

/// A lake into which events go, with a note for each table of how far they came.
struct Filled(Lake);

impl Filled {
    fn name(table: &str) -> String {
        format!("_exports/{table}.json")
    }
}

impl Taker for Filled {
    const TAKES_DECISIONS: bool = true;

    fn note(&self, table: &str) -> anyhow::Result<Option<String>> {
        Ok(self.0.note(&Self::name(table))?)
    }

    fn place(&self, table: &str) -> String {
        self.0.root().join(Self::name(table)).display().to_string()
    }

    async fn take(&mut self, events: Vec<Known<Event>>) -> anyhow::Result<()> {
        let lake = self.0.clone();
        let given = events.len() as u64;
        let newest_us = events.iter().map(|known| known.event.occurred_at_us()).max();
        spawn_blocking(move || {
            let mut batch = lake.batch();
            events.iter().try_for_each(|event| batch.push(event))?;
            batch.finish()
        })
        .await??;
        LAKE.given(given, newest_us);
        Ok(())
    }

    async fn keep_note(&mut self, table: &str, text: String) -> anyhow::Result<()> {
        let (lake, name) = (self.0.clone(), Self::name(table));
        Ok(spawn_blocking(move || lake.keep_note(&name, &text)).await??)
    }
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
