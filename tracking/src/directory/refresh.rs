//! Keeping the directory as the database has it: told of changes, loaded again when the connection was away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::Notify, time::timeout};

use super::{Directory, Snapshot};
use crate::{patience::Patience, store};

/// The channel on which the database tells of changes.
const CHANNEL: &str = "directory";
/// Changes often come together; they are loaded together.
const SETTLING: Duration = Duration::from_millis(20);
/// A connection may be dead without saying so; at the latest after this time everything is loaded again.
const DOUBT: Duration = Duration::from_secs(60);
/// How long a start waits for the database before it takes the snapshot.
pub(crate) const FIRST_LOAD_PATIENCE: Duration = Duration::from_secs(5);

/// Loads the directory once, puts it in place and keeps it on disk.
pub(crate) async fn load(
    pool: &PgPool,
    current: &ArcSwapOption<Directory>,
    snapshot: &Arc<Mutex<Snapshot>>,
) -> Result<(), sqlx::Error> {
    let mut tx = store::begin(pool).await?;
    let contents = store::directory::load(&mut tx).await?;
    tx.commit().await?;
    let snapshot = snapshot.clone();
    // A large directory takes a while to build and to write: not on a thread that serves clicks.
    let building = tokio::task::spawn_blocking(move || {
        let directory = Arc::new(Directory::new(&contents));
        if let Err(error) = snapshot.lock().unwrap_or_else(PoisonError::into_inner).save(&contents) {
            tracing::warn!(%error, "the directory could not be kept on disk; a restart needs the database");
        }
        directory
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
    let mut patience = Patience::default();
    loop {
        let changed = Notify::new();
        let ended = tokio::select! {
            ended = listen(pool, &changed) => ended,
            ended = reload(pool, current, snapshot, (&changed, &mut patience)) => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the directory cannot follow the database; links are served as they were");
        }
        patience.wait().await;
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

async fn reload(
    pool: &PgPool,
    current: &ArcSwapOption<Directory>,
    snapshot: &Arc<Mutex<Snapshot>>,
    (changed, patience): (&Notify, &mut Patience),
) -> Result<(), sqlx::Error> {
    loop {
        // An error only says that nobody has told of a change for a long time.
        let _ = timeout(DOUBT, changed.notified()).await;
        tokio::time::sleep(SETTLING).await;
        load(pool, current, snapshot).await?;
        patience.restore();
    }
}
