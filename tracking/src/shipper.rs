//! From the log to the database: every click once, however often the way is interrupted.

mod rejected;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use domain::{ClickId, SessionId, click::Click};
use sqlx::PgPool;
use tokio::{
    sync::{broadcast, watch},
    task::spawn_blocking,
};

pub(crate) use self::rejected::Rejected;
use crate::{
    event::Event,
    patience::Patience,
    store,
    wal::{Position, Reader},
};

/// How many clicks are stored in one transaction, at most: the more, the fewer times a link's counter is raised.
const BATCH: usize = 10_000;
/// How many batches a slow listener may be behind before it is told that it missed some.
const BACKLOG: usize = 32;
/// How long clicks gather before they are stored, when there are few: a transaction each would wear out the disk.
const GATHERING: Duration = Duration::from_millis(10);
/// How often the place in the log is remembered; after a crash at most this much is shipped again.
const REMEMBERING: Duration = Duration::from_secs(1);

/// A click that is now in the database, and the visit it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// Which click.
    pub click: ClickId,
    /// Which visit.
    pub session: SessionId,
}

/// What others can see of shipping.
#[derive(Debug)]
pub(crate) struct Progress {
    announcements: broadcast::Sender<Arc<[Shipped]>>,
    shipped: AtomicU64,
    stored: AtomicU64,
    rejected: AtomicU64,
    failures: AtomicU64,
    damaged: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            announcements: broadcast::channel(BACKLOG).0,
            shipped: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        }
    }
}

impl Progress {
    /// Batches of clicks as they are stored; a receiver that is told it lagged should look at everything.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<[Shipped]>> {
        self.announcements.subscribe()
    }

    /// Clicks that are done with: known to be in the database, or rejected.
    pub(crate) fn shipped(&self) -> u64 {
        self.shipped.load(Relaxed)
    }

    /// Clicks that were not there before: fewer than shipped after a crash between storing and remembering.
    pub(crate) fn stored(&self) -> u64 {
        self.stored.load(Relaxed)
    }

    /// Clicks that the database will never take, and that were set aside.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.load(Relaxed)
    }

    /// Attempts to store that failed and were made again.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Places in the log that the disk did not give back.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Relaxed)
    }
}

/// Takes what is durable out of the log and stores it.
pub(crate) struct Shipper {
    pool: PgPool,
    /// Locked only by the thread that reads or frees right now; there is never a second one.
    reader: Arc<Mutex<Reader>>,
    /// Up to where the log has been read.
    position: Position,
    durable: watch::Receiver<Position>,
    /// Up to where it is known on disk that clicks are stored, and since when.
    remembered: (Position, Instant),
    progress: Arc<Progress>,
    rejected: Rejected,
    /// Days whose partition is known to exist.
    days: HashSet<NaiveDate>,
    patience: Patience,
}

impl Shipper {
    pub(crate) fn new(pool: PgPool, reader: Reader, progress: Arc<Progress>, rejected: Rejected) -> Self {
        Self {
            pool,
            position: reader.position(),
            remembered: (reader.position(), Instant::now()),
            durable: reader.durable(),
            reader: Arc::new(Mutex::new(reader)),
            progress,
            rejected,
            days: HashSet::new(),
            patience: Patience::default(),
        }
    }

    /// Ships until the log is closed and empty, or until it is told to give up.
    pub(crate) async fn run(mut self, mut gives_up: watch::Receiver<bool>) {
        tokio::select! {
            () = self.ship_all() => {}
            // An error says that nobody is left to tell it to go on.
            _ = gives_up.wait_for(|gives_up| *gives_up) => {}
        }
    }

    async fn ship_all(&mut self) {
        while self.has_more().await {
            let clicks = match self.read().await {
                Ok(clicks) => clicks,
                Err(error) => {
                    tracing::error!(%error, "the log cannot be read; nothing is lost, but clicks are not stored");
                    self.patience.wait().await;
                    continue;
                }
            };
            self.store(&clicks).await;
            let (remembered, at) = self.remembered;
            if remembered.sequence != self.position.sequence || REMEMBERING <= at.elapsed() {
                self.remember().await;
            }
            if clicks.len() < BATCH {
                tokio::time::sleep(GATHERING).await;
            }
        }
        self.remember().await;
    }

    /// Waits for something to read; false when the log is closed and everything has been read.
    async fn has_more(&mut self) -> bool {
        let position = self.position;
        // A closed log may still have something that was written last.
        self.durable.wait_for(|durable| position < *durable).await.is_ok()
            || position < *self.durable.borrow()
    }

    /// Reads and decodes; a record of a newer release is an error, because it must not be left out.
    async fn read(&mut self) -> anyhow::Result<Vec<Click>> {
        let begin = self.position;
        let batch = self
            .with_reader(move |reader| {
                reader.rewind(begin);
                reader.read(BATCH)
            })
            .await?;
        let clicks =
            batch.records.iter().map(|record| Event::decode(record).map(|Event::Click(click)| click));
        let clicks = clicks.collect::<Result<Vec<_>, _>>()?;
        for damage in &batch.damage {
            self.progress.damaged.fetch_add(1, Relaxed);
            tracing::error!(
                sequence = damage.sequence,
                from = damage.bytes.start,
                to = damage.bytes.end,
                "the disk lost a part of the log that had been durable; the segment is kept for inspection"
            );
        }
        self.position = batch.end;
        Ok(clicks)
    }

    /// Disks block: not on a thread that serves clicks.
    async fn with_reader<T: Send + 'static>(&self, act: impl FnOnce(&mut Reader) -> T + Send + 'static) -> T {
        let reader = self.reader.clone();
        let acting = spawn_blocking(move || act(&mut reader.lock().unwrap_or_else(PoisonError::into_inner)));
        match acting.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Stores the clicks, again and again until it succeeds. A click that the database will never take is found by
    /// halves and set aside, because it must not hold up all that come after it.
    async fn store(&mut self, clicks: &[Click]) {
        let mut parts = vec![clicks];
        let mut suspect = None;
        while let Some(part) = parts.pop() {
            let error = match self.try_store(part).await {
                Ok(stored) => {
                    self.progress.stored.fetch_add(stored, Relaxed);
                    self.progress.shipped.fetch_add(part.len() as u64, Relaxed);
                    self.announce(part);
                    self.patience.restore();
                    continue;
                }
                Err(error) => error,
            };
            // A partition may have been dropped since it was seen.
            self.days.clear();
            self.progress.failures.fetch_add(1, Relaxed);
            match (data_error(&error), part) {
                // Twice, because a day without its partition is a data error too, and the first attempt forgot days.
                (Some(sqlstate), [click])
                    if (suspect == Some(click.id) || sqlstate == store::clicks::DAY_DROPPED)
                        && self.set_aside(click, &sqlstate).await => {}
                (Some(_), [_, _, ..]) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                _ => {
                    suspect = part.first().map(|click| click.id);
                    tracing::warn!(%error, clicks = part.len(), "clicks wait in the log until the database takes them");
                    self.patience.wait().await;
                    parts.push(part);
                }
            }
        }
    }

    /// Writes a click into the file of rejected ones; false when that failed too.
    async fn set_aside(&self, click: &Click, sqlstate: &str) -> bool {
        let (rejected, id) = (self.rejected.clone(), click.id);
        let writing = spawn_blocking({
            let (click, sqlstate) = (click.clone(), sqlstate.to_owned());
            move || rejected.append(&click, &sqlstate)
        });
        let written = writing.await.unwrap_or_else(|error| Err(error.into()));
        if let Err(error) = written {
            tracing::error!(click = %id, %error, "click {id} can be neither stored nor set aside; all later ones wait");
            return false;
        }
        self.progress.rejected.fetch_add(1, Relaxed);
        self.progress.shipped.fetch_add(1, Relaxed);
        tracing::error!(click = %id, sqlstate, "the database refuses click {id} with {sqlstate}; it was set aside");
        true
    }

    async fn try_store(&mut self, clicks: &[Click]) -> Result<u64, sqlx::Error> {
        if clicks.is_empty() {
            return Ok(0);
        }
        let days: HashSet<NaiveDate> =
            clicks.iter().filter_map(|click| Some(click.id.made_at()?.date_naive())).collect();
        for day in days.difference(&self.days.clone()) {
            store::clicks::ensure_partition(&mut *self.pool.acquire().await?, *day).await?;
            self.days.insert(*day);
        }
        let mut tx = store::begin(&self.pool).await?;
        let stored = store::clicks::insert(&mut tx, clicks).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Remembers that everything so far is stored, and gives back its room.
    async fn remember(&mut self) {
        let position = self.position;
        if let Err(error) = self.with_reader(move |reader| reader.free(position)).await {
            tracing::error!(%error, "the log cannot be freed; the same clicks are shipped again after a restart");
        }
        self.remembered = (position, Instant::now());
    }

    fn announce(&self, clicks: &[Click]) {
        if clicks.is_empty() {
            return;
        }
        let shipped =
            clicks.iter().map(|click| Shipped { click: click.id, session: click.session }).collect();
        // An error says that nobody listens.
        let _ = self.progress.announcements.send(shipped);
    }
}

/// The SQLSTATE of an error that lies in the rows (classes 22 and 23), and that waiting does not mend. That somebody
/// else stored a click meanwhile (23505) is none: the next attempt finds it stored.
fn data_error(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let sqlstate = error.code().filter(|_| !error.is_unique_violation())?;
    ["22", "23"].iter().any(|class| sqlstate.starts_with(class)).then(|| sqlstate.into_owned())
}
