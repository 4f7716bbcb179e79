//! What trackers are tortured in: a database of their own with a small program, and the book of what was promised.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use domain::Clock;
use embedded::Postgres;
use sqlx::{PgPool, Transaction, migrate::Migrator, postgres::PgPoolOptions};
use tempfile::TempDir;
use tokio::{task::block_in_place, time::sleep};
use uuid::Uuid;

use super::{
    audit::{Findings, compare},
    book::{Page, Syncs},
    plan::Load,
    report::Tally,
    store,
    stream::{Engine, Stream},
    tracker::{self, Alarms, Installation, Start, Tracker},
    visitors::Numbers,
};
use crate::{
    cluster::{self, Profile},
    workspace,
};

/// The parameter under which a landing page is given the click's id.
pub(super) const CLICK_PARAM: &str = "torture";
/// The links that visitors follow; several, because trackers that store clicks at the same time lock their rows.
pub(super) const LINKS: [&str; 3] = ["tents", "shoes", "stoves"];
/// Folders, and as many trackers at once.
pub(super) const FOLDERS: usize = 2;

const PROGRAM: &str = "tributary-track";
/// How long all that was promised may take to arrive once a tracker runs and the database is there. A stream that has
/// lost what it had acknowledged is only known to have after two minutes.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(60);
const STREAM_PATIENCE: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(20);
/// Ids are ordered by the time they were made, give or take a correction of the machine's clock.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(60);

/// Everything but the trackers.
pub(super) struct World {
    folder: TempDir,
    postgres: Mutex<Postgres>,
    pub database: PgPool,
    /// What takes clicks into it.
    pub stream: Stream,
    pub installation: Installation,
    ports: [u16; FOLDERS],
    /// Numbers for visits.
    pub numbers: Numbers,
    pages: Vec<Page>,
    syncs: Syncs,
    /// What trackers may call for somebody.
    pub alarms: Alarms,
    /// The first visit that is not yet settled, and the smallest id that it can have.
    unsettled: (u64, Uuid),
    /// How many clicks were stored when the last visits were settled.
    stored: u64,
    /// How many of those that nobody was promised may still come.
    undecided: u64,
}

impl World {
    /// Builds the tracker, starts a database server that can be crashed without hurting anybody, and fills it.
    pub(super) async fn new(stream: Stream, profile: Profile) -> Result<Self> {
        let program = cluster::build(&["--bin", PROGRAM], profile, PROGRAM)?;
        let postgres = Postgres::start_temporary()?;
        let database_url = postgres.url("postgres");
        let database = PgPoolOptions::new().max_connections(3).connect_lazy(&database_url)?;
        let migrations = Migrator::new(workspace::root().join("migrations")).await;
        migrations.context("cannot read migrations/")?.run(&database).await?;
        store::create_program(&database, CLICK_PARAM, &LINKS).await?;
        let folder = tempfile::Builder::new().prefix("tributary-torture-").tempdir()?;
        let installation = Installation {
            program,
            database_url,
            stream: stream.setting(),
            secret: embedded::random_hex()?,
            log: folder.path().join("trackers.log"),
        };
        let ports = [embedded::free_port()?, embedded::free_port()?];
        let alarms = usual_alarms(stream.engine());
        let mut world = Self {
            folder,
            postgres: Mutex::new(postgres),
            database,
            stream,
            installation,
            ports,
            numbers: Arc::default(),
            pages: Vec::new(),
            syncs: Syncs::default(),
            alarms,
            unsettled: (0, Uuid::nil()),
            stored: 0,
            undecided: 0,
        };
        world.settle(0);
        Ok(world)
    }

    /// Where everything lies that is kept when something was found.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    /// Starts a tracker on one of the folders below `place`.
    pub(super) fn start(&self, place: &Path, folder: usize, load: Load) -> Result<Tracker> {
        let Load { durability, log_queue, .. } = load;
        let data = place.join(format!("tracker-{folder}"));
        self.installation.start(&Start { data, port: self.ports[folder], durability, log_queue })
    }

    /// The place for data on the machine's own disk.
    pub(super) fn place(&self) -> &Path {
        self.folder.path()
    }

    /// Crashes the database.
    pub(super) fn crash_database(&self) -> Result<()> {
        block_in_place(|| Ok(self.postgres.lock().unwrap_or_else(PoisonError::into_inner).halt()?))
    }

    /// Brings the database back, if it is away.
    pub(super) fn resume_database(&self) -> Result<()> {
        block_in_place(|| Ok(self.postgres.lock().unwrap_or_else(PoisonError::into_inner).resume()?))
    }

    /// Keeps everybody from storing clicks until what this returns is dropped.
    pub(super) async fn hold_clicks(&self) -> Result<Transaction<'static, sqlx::Postgres>> {
        store::hold_clicks(&self.database).await
    }

    /// Notes what was promised.
    pub(super) fn note(&mut self, page: Page, tally: &mut Tally) {
        tally.count(&page);
        self.syncs.note(&page);
        self.pages.push(page);
    }

    /// Fails unless everything that was promised on this folder is stored now, because its tracker ended in peace.
    pub(super) async fn check_shipped(&self, folder: usize) -> Result<()> {
        let stored = store::clicks_since(&self.database, self.unsettled.1).await?;
        let pages = self.pages.iter().filter(|page| page.folder == folder);
        let findings = compare(pages, &stored, (self.unsettled.0, self.syncs));
        findings.check_lost().context("a tracker that was asked to end has not shipped everything")
    }

    /// Waits until everything that was promised has arrived, while a tracker and the database are at work.
    pub(super) async fn wait_for_arrivals(&self, tally: &mut Tally) -> Result<()> {
        let began = Instant::now();
        let patience = match self.stream.engine() {
            Engine::Local => ARRIVAL_PATIENCE,
            Engine::Nats => STREAM_PATIENCE,
        };
        loop {
            let findings = self.compare().await?;
            if findings.lost.is_empty() {
                tally.arrived(began.elapsed());
                return Ok(());
            }
            if patience < began.elapsed() {
                tally.take(&findings);
                return findings.check();
            }
            sleep(PAUSE).await;
        }
    }

    /// Compares everything that is not yet settled, while no tracker is at work, and settles it.
    pub(super) async fn audit(&mut self, tally: &mut Tally) -> Result<()> {
        let findings = self.compare().await?;
        let (stored, counted) = store::totals(&self.database).await?;
        tally.take(&findings);
        tally.stored = stored;
        findings.check()?;
        ensure!(counted == stored, "{stored} clicks are stored, and the links have counted {counted}");
        let visits = self.pages.iter().flat_map(|page| &page.diaries);
        let promised = visits.clone().map(|diary| diary.acknowledged.len() as u64).sum::<u64>();
        let unanswered = visits.map(|diary| diary.unanswered.len() as u64).sum::<u64>();
        let least = self.stored + promised - findings.forgiven.len() as u64;
        let most = least + unanswered + self.undecided;
        ensure!(
            (least..=most).contains(&stored),
            "{stored} clicks are stored, and they should be {least} to {most}: some that had arrived are gone"
        );
        // One tracker has shipped its whole log when it ends; by a stream, what nobody waits for may come later.
        self.undecided = match self.stream.engine() {
            Engine::Local => 0,
            Engine::Nats => most - stored,
        };
        tracker::check_log(&self.installation.log, self.alarms)?;
        self.alarms = usual_alarms(self.stream.engine());
        self.settle(stored);
        Ok(())
    }

    async fn compare(&self) -> Result<Findings> {
        let stored = store::clicks_since(&self.database, self.unsettled.1).await?;
        Ok(compare(&self.pages, &stored, (self.unsettled.0, self.syncs)))
    }

    fn settle(&mut self, stored: u64) {
        let since = Clock::system().now() - CLOCK_SLACK;
        let since_ms = u128::from(since.timestamp_millis().unsigned_abs());
        self.unsettled = (self.numbers.load(Relaxed), Uuid::from_u128(since_ms << 80));
        self.stored = stored;
        self.pages.clear();
    }
}

/// Servers are harmed again and again, and one that was harmed may be missed later.
fn usual_alarms(engine: Engine) -> Alarms {
    match engine {
        Engine::Local => Alarms::None,
        Engine::Nats => Alarms::OfStream,
    }
}
