//! Lists that were served, on their way into the database: no request waits for that, and what cannot be kept is counted.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use sqlx::PgPool;

use crate::store::recommendations::{self, KeptList};

/// So many lists wait at most.
const MOST_WAITING: usize = 8_192;
/// So many are written at once.
const AT_ONCE: usize = 512;

/// What this process has served and written down.
pub struct Meters {
    /// Lists that were served.
    pub served: AtomicU64,
    /// Those of them that were made without a model.
    pub degraded: AtomicU64,
    /// Lists that are in the database.
    pub kept: AtomicU64,
    /// Lists that were served and will never be there.
    pub lost: AtomicU64,
    /// Lists that wait.
    pub waiting: AtomicU64,
}

/// The numbers of this process.
pub static METERS: Meters = Meters {
    served: AtomicU64::new(0),
    degraded: AtomicU64::new(0),
    kept: AtomicU64::new(0),
    lost: AtomicU64::new(0),
    waiting: AtomicU64::new(0),
};

/// Lists that wait to be written, and whose turn it is to write them.
#[derive(Clone, Default)]
pub struct Journal(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<Vec<KeptList>>,
    turn: tokio::sync::Mutex<()>,
}

impl Inner {
    fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn take(&self) -> Vec<KeptList> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = AT_ONCE.min(waiting.len());
        let after = waiting.split_off(count);
        let taken = std::mem::replace(&mut *waiting, after);
        METERS.waiting.fetch_sub(taken.len() as u64, Relaxed);
        taken
    }
}

impl Journal {
    /// Takes a list in, to be written soon; says whether there was room.
    pub fn note(&self, list: KeptList, db: &PgPool) -> bool {
        {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if MOST_WAITING <= waiting.len() {
                METERS.lost.fetch_add(1, Relaxed);
                return false;
            }
            waiting.push(list);
            METERS.waiting.fetch_add(1, Relaxed);
        }
        // Whoever writes takes what comes meanwhile.
        if self.0.turn.try_lock().is_ok() {
            let (journal, db) = (self.clone(), db.clone());
            tokio::spawn(async move { journal.flush(&db).await });
        }
        true
    }

    /// Writes all that waits; lists that the database does not take are tried once more, and then lost.
    pub async fn flush(&self, db: &PgPool) {
        while !self.0.is_empty() {
            let turn = self.0.turn.lock().await;
            self.write_all(db).await;
            // What came since then, and saw that it was somebody's turn, is looked for once more.
            drop(turn);
        }
        // Whoever is at it has taken lists that are not there yet.
        drop(self.0.turn.lock().await);
    }

    async fn write_all(&self, db: &PgPool) {
        loop {
            let lists = self.0.take();
            if lists.is_empty() {
                return;
            }
            let count = lists.len() as u64;
            let mut written = write(&lists, db).await;
            if written.is_err() {
                written = write(&lists, db).await;
            }
            match written {
                Ok(()) => METERS.kept.fetch_add(count, Relaxed),
                Err(error) => {
                    tracing::error!(%error, count, "{count} lists that were served are not in the log: {error}");
                    METERS.lost.fetch_add(count, Relaxed)
                }
            };
        }
    }
}

async fn write(lists: &[KeptList], db: &PgPool) -> sqlx::Result<()> {
    recommendations::keep(&mut *db.acquire().await?, lists).await
}
