//! What is to be done again and again in the background, by whichever worker is free.
//!
//! To add a job: a file here, and its line in [`JOBS`]. Every job is safe to run twice.

pub mod cases;
mod click_counters;
mod click_retention;
pub mod customer_stays;
mod decision_health;
mod directory_changes;
mod event_partitions;
mod idempotency_keys;
pub mod imports;
mod impression_retention;
pub mod lake;
pub mod partner_postbacks;
mod postback_messages;
mod quarantine;
pub mod rings;
mod sign_in;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Args;
use features::lake::is_in_bucket;
use futures_util::future::{BoxFuture, join_all};
use tokio::{
    sync::{Mutex, Semaphore, watch},
    time::MissedTickBehavior,
};
use tracking::{intake::Intake, secret::Secret, store::begin};

use crate::{
    postbacks::courier::{Courier, Reach},
    scoring::Scorer,
    store::jobs::{Turn, take_turn},
};

/// What the jobs work with.
#[derive(Clone)]
pub struct Workbench {
    /// The database, time, chance, and what postbacks are taken in with.
    pub intake: Intake,
    /// Hides what identifies people in files.
    pub secret: Secret,
    /// Who decides about fraud, if anybody does here.
    pub scorer: Option<Arc<Scorer>>,
    /// Who tells partners' own systems what happened.
    pub courier: Courier,
    /// What it tells just now.
    pub open: Arc<Mutex<partner_postbacks::Open>>,
    /// What was chosen.
    pub choices: Choices,
}

/// What an operator may choose about the background jobs.
#[derive(Clone, Debug, Args)]
pub struct Choices {
    /// For how many days (UTC) clicks are kept, though never shorter than a campaign looks back; 0 is for ever.
    /// Links go on counting clicks that were dropped, and conversions and commissions are not touched.
    #[arg(long, env = "TRIBUTARY_CLICK_RETENTION_DAYS", default_value_t = 400, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub click_retention_days: u32,
    /// For how many days (UTC) impressions are kept; 0 is for ever. Links go on counting those that were dropped.
    #[arg(long, env = "TRIBUTARY_IMPRESSION_RETENTION_DAYS", default_value_t = 90, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub impression_retention_days: u32,

    /// Folder or s3://BUCKET/FOLDER of the event lake, into which everything new is brought every five minutes; into
    /// none when not given.
    #[arg(long, env = "TRIBUTARY_LAKE", value_name = "LAKE")]
    pub lake: Option<PathBuf>,

    /// Folder for files that are sent to be imported, which those who take them and those who read them share; the
    /// lake's own where that is a folder.
    #[arg(long, env = "TRIBUTARY_UPLOADS", value_name = "FOLDER")]
    pub uploads: Option<PathBuf>,

    /// Let partners' postbacks reach this machine and private networks, too: for trying things out, as partners choose the
    /// addresses.
    #[arg(long, env = "TRIBUTARY_POSTBACKS_ANYWHERE")]
    pub postbacks_anywhere: bool,
}

impl Choices {
    /// Whom partners' postbacks may reach.
    pub fn reach(&self) -> Reach {
        if self.postbacks_anywhere { Reach::Anywhere } else { Reach::Public }
    }

    /// Where files that were sent wait, if there is a lake to read them into.
    pub fn uploads(&self) -> Option<PathBuf> {
        let lake = self.lake.as_ref()?;
        let own = || (!is_in_bucket(lake)).then(|| lake.join("_uploads"));
        self.uploads.clone().or_else(own)
    }
}

/// Something to be done again and again.
pub trait Job: Sync {
    /// What it is called in the log.
    fn name(&self) -> &'static str;

    /// One sentence for the manual.
    fn doc(&self) -> &'static str;

    /// How often.
    fn every(&self) -> Duration;

    /// Does it once, and says how many things there were to be done.
    fn run<'a>(&'a self, bench: &'a Workbench) -> BoxFuture<'a, anyhow::Result<u64>>;
}

/// Every job.
pub static JOBS: &[&dyn Job] = &[
    &quarantine::Sweep,
    &partner_postbacks::PassOn,
    &partner_postbacks::Tell,
    &customer_stays::Verify,
    &cases::TakeUp,
    &rings::Find,
    &event_partitions::MakeAhead,
    &click_counters::CountAgain,
    &click_retention::DropOld,
    &impression_retention::DropOld,
    &directory_changes::Forget,
    &decision_health::Look,
    &postback_messages::Purge,
    &idempotency_keys::Purge,
    &sign_in::Forget,
    &partner_postbacks::Forget,
    &lake::Export,
    &lake::Forget,
    &imports::Read,
    &imports::Forget,
];

/// Does all jobs, each in its own time, until it is told to stop.
pub async fn work(bench: &Workbench, stopping: &watch::Receiver<bool>) {
    // A job holds one connection for its turn and another for its work: were all of them at it at once, each might
    // hold its first and wait for ever for its second.
    let connections = bench.intake.pool.options().get_max_connections();
    let at_once = Semaphore::new((connections / 2).max(1) as usize);
    join_all(JOBS.iter().map(|job| repeat(*job, (bench, &at_once), stopping.clone()))).await;
}

async fn repeat(
    job: &dyn Job,
    (bench, at_once): (&Workbench, &Semaphore),
    mut stopping: watch::Receiver<bool>,
) {
    let mut interval = tokio::time::interval(job.every());
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        // Nobody closes the semaphore.
        let Ok(_turn) = at_once.acquire().await else { return };
        let name = job.name();
        match once(job, bench).await {
            Ok(0) => tracing::debug!(job = name, "job {name} had nothing to do"),
            Ok(done) => tracing::info!(job = name, done, "job {name} did {done}"),
            Err(error) => tracing::error!(job = name, "job {name} failed: {error:#}"),
        }
    }
}

/// Does a job unless another worker is at it.
pub async fn once(job: &dyn Job, bench: &Workbench) -> anyhow::Result<u64> {
    let mut tx = begin(&bench.intake.pool).await.context("the database does not answer")?;
    let done = match take_turn(&mut tx, job.name()).await? {
        Turn::Ours => job.run(bench).await,
        Turn::AnotherWorkers => Ok(0),
    };
    // A transaction that is only dropped ends some time later, and with it the turn.
    tx.rollback().await.context("the database does not answer")?;
    done
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
        let bench = api.workbench();
        for job in JOBS {
            once(*job, &bench).await.unwrap();
            assert_eq!(once(*job, &bench).await.unwrap(), 0, "{} had more to do at once", job.name());
        }
    }

    #[tokio::test]
    async fn one_worker_at_a_time_does_a_job() {
        let api = Api::start().await;
        let bench = api.workbench();
        let job = &event_partitions::MakeAhead;
        let mut tx = bench.intake.pool.begin().await.unwrap();
        assert_eq!(take_turn(&mut tx, job.name()).await.unwrap(), Turn::Ours);
        assert_eq!(once(job, &bench).await.unwrap(), 0);
        tx.rollback().await.unwrap();
        assert_ne!(once(job, &bench).await.unwrap(), 0);
    }
}
