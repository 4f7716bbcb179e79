//! What is to be done again and again in the background, by whichever worker is free.
//!
//! To add a job: a file here, and its line in [`JOBS`]. Every job is safe to run twice.

mod click_partitions;
mod idempotency_keys;
mod postback_messages;
mod quarantine;

use std::time::Duration;

use anyhow::Context;
use futures_util::future::{BoxFuture, join_all};
use tokio::{sync::watch, time::MissedTickBehavior};
use tracking::intake::Intake;

use crate::store::jobs::{Turn, take_turn};

/// Something to be done again and again.
pub trait Job: Sync {
    /// What it is called in the log.
    fn name(&self) -> &'static str;

    /// One sentence for the manual.
    fn doc(&self) -> &'static str;

    /// How often.
    fn every(&self) -> Duration;

    /// Does it once, and says how many things there were to be done.
    fn run<'a>(&'a self, intake: &'a Intake) -> BoxFuture<'a, anyhow::Result<u64>>;
}

/// Every job.
pub static JOBS: &[&dyn Job] =
    &[&quarantine::Sweep, &click_partitions::MakeAhead, &postback_messages::Purge, &idempotency_keys::Purge];

/// Does all jobs, each in its own time, until it is told to stop.
pub async fn work(intake: &Intake, stopping: &watch::Receiver<bool>) {
    join_all(JOBS.iter().map(|job| repeat(*job, intake, stopping.clone()))).await;
}

async fn repeat(job: &dyn Job, intake: &Intake, mut stopping: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(job.every());
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let name = job.name();
        match once(job, intake).await {
            Ok(0) => tracing::debug!(job = name, "job {name} had nothing to do"),
            Ok(done) => tracing::info!(job = name, done, "job {name} did {done}"),
            Err(error) => tracing::error!(job = name, "job {name} failed: {error:#}"),
        }
    }
}

/// Does a job unless another worker is at it.
pub async fn once(job: &dyn Job, intake: &Intake) -> anyhow::Result<u64> {
    let mut tx = intake.pool.begin().await.context("the database does not answer")?;
    match take_turn(&mut tx, job.name()).await? {
        Turn::Ours => job.run(intake).await,
        Turn::AnotherWorkers => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::testing::Api;

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        let names: BTreeSet<_> = JOBS.iter().map(|job| job.name()).collect();
        assert_eq!(names.len(), JOBS.len());
        assert!(JOBS.iter().all(|job| job.doc().ends_with('.') && 20 < job.doc().len()));
    }

    #[tokio::test]
    async fn every_job_is_safe_to_run_twice() {
        let api = Api::start().await;
        let intake = api.intake();
        for job in JOBS {
            once(*job, &intake).await.unwrap();
            assert_eq!(once(*job, &intake).await.unwrap(), 0, "{} had more to do at once", job.name());
        }
    }

    #[tokio::test]
    async fn one_worker_at_a_time_does_a_job() {
        let api = Api::start().await;
        let intake = api.intake();
        let job = JOBS[1];
        let mut tx = intake.pool.begin().await.unwrap();
        assert_eq!(take_turn(&mut tx, job.name()).await.unwrap(), Turn::Ours);
        assert_eq!(once(job, &intake).await.unwrap(), 0);
        tx.rollback().await.unwrap();
        assert_ne!(once(job, &intake).await.unwrap(), 0);
    }
}
