//! Keeping the directory as the database has it: told of changes, loaded again when the connection was away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::Notify, time::timeout};

use super::{Directory, Snapshot};
use crate::{patience::Patience, store};

/// The channel on which the database tells of changes.
const CHANNEL: &str = "directory";
/// Changes often come together; they are taken in together.
const SETTLING: Duration = Duration::from_millis(20);
/// A connection may be dead without saying so; at the latest after this time the database is asked for changes.
const DOUBT: Duration = Duration::from_secs(15);
/// How long a start waits for the database before it takes the snapshot.
pub(crate) const FIRST_LOAD_PATIENCE: Duration = Duration::from_secs(5);
/// After changes everything is loaded and kept on disk again, but not within this time, and never for more than one
/// part in so many of the time.
const KEEPING: Duration = Duration::from_secs(5);
const KEEPING_PART: u32 = 20;

/// Loads the directory, puts it in place and keeps it on disk.
pub(crate) async fn load(
    pool: &PgPool,
    current: &ArcSwapOption<Directory>,
    snapshot: &Arc<Mutex<Snapshot>>,
) -> Result<(), sqlx::Error> {
    let mut tx = store::begin(pool).await?;
    let (contents, seen) = store::directory::load(&mut tx).await?;
    tx.commit().await?;
    let snapshot = snapshot.clone();
    // A large directory takes a while to build and to write: not on a thread that serves clicks.
    let building = tokio::task::spawn_blocking(move || {
        let directory = Directory::new(&contents).seen(seen);
        if let Err(error) = snapshot.lock().unwrap_or_else(PoisonError::into_inner).save(&contents) {
            tracing::warn!(%error, "the directory could not be kept on disk; a restart needs the database");
        }
        Arc::new(directory)
    });
    if let Ok(directory) = building.await {
        tracing::debug!(links = directory.len(), "the directory was loaded");
        current.store(Some(directory));
    }
    Ok(())
}

/// Follows the database for as long as it is polled.
pub(crate) async fn follow(
    pool: &PgPool,
    current: &ArcSwapOption<Directory>,
    snapshot: &Arc<Mutex<Snapshot>>,
) {
    let mut following =
        Following { pool, current, snapshot, patience: Patience::default(), loaded: None, is_kept: true };
    loop {
        let changed = Notify::new();
        let ended = tokio::select! {
            ended = listen(pool, &changed) => ended,
            ended = following.keep_up(&changed) => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the directory cannot follow the database; links are served as they were");
        }
        // Nobody knows what happened meanwhile, not even whether it is the same database.
        following.loaded = None;
        following.patience.wait().await;
    }
}

/// Hears of changes; ends when the connection does.
async fn listen(pool: &PgPool, changed: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    changed.notify_one();
    while listener.try_recv().await?.is_some() {
        changed.notify_one();
    }
    Ok(())
}

/// A directory on its way after the database.
struct Following<'a> {
    pool: &'a PgPool,
    current: &'a ArcSwapOption<Directory>,
    snapshot: &'a Arc<Mutex<Snapshot>>,
    patience: Patience,
    /// When everything was last loaded over this connection, and how long it took.
    loaded: Option<(Instant, Duration)>,
    /// Whether the disk has what is served.
    is_kept: bool,
}

impl Following<'_> {
    async fn keep_up(&mut self, changed: &Notify) -> Result<(), sqlx::Error> {
        loop {
            // An error only says that nobody has told of a change for a while.
            let _ = timeout(self.due_in(), changed.notified()).await;
            tokio::time::sleep(SETTLING).await;
            let is_due = !self.is_kept && self.due_in().is_zero();
            if self.loaded.is_none() || is_due || !self.catch_up().await? {
                let began = Instant::now();
                load(self.pool, self.current, self.snapshot).await?;
                self.loaded = Some((Instant::now(), began.elapsed()));
                self.is_kept = true;
            }
            self.patience.restore();
        }
    }

    /// How long nothing needs to be done unless something changes.
    fn due_in(&self) -> Duration {
        match self.loaded {
            Some((at, took)) if !self.is_kept => {
                DOUBT.min(KEEPING.max(took * KEEPING_PART).saturating_sub(at.elapsed()))
            }
            _ => DOUBT,
        }
    }

    /// Takes in what has changed; false when that cannot be told.
    async fn catch_up(&mut self) -> Result<bool, sqlx::Error> {
        let Some(directory) = self.current.load_full() else { return Ok(false) };
        let Some(since) = directory.seen_up_to() else { return Ok(false) };
        let mut tx = store::begin(self.pool).await?;
        let changes = store::directory::changes(&mut tx, since).await?;
        tx.commit().await?;
        let Some(changes) = changes else { return Ok(false) };
        self.is_kept &= changes.is_empty();
        // A campaign's change may rebuild all of its links: not on a thread that serves clicks.
        let changing = tokio::task::spawn_blocking(move || Arc::new(directory.changed(&changes)));
        let Ok(directory) = changing.await else { return Ok(false) };
        self.current.store(Some(directory));
        Ok(true)
    }
}
