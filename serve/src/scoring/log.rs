//! Decisions that somebody only asked for, on their way into the database: those who ask at the same time share a
//! transaction, and each is answered after it. It does not wait for the disk: whoever cannot bear that a crash of the database
//! loses the last moment's asks with an Idempotency-Key, whose answer is as durable as all else.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tokio::sync::oneshot;
use tracking::store::is_passing;

use crate::store::fraud::{self, KeptScore};

/// So many decisions wait at most.
const MOST_WAITING: usize = 16_384;
/// So many share a transaction, or those of one question.
const AT_ONCE: usize = 512;

/// Decisions that wait, and whose turn it is to write them.
#[derive(Clone, Default)]
pub struct Log(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    questions: Vec<Question>,
    decisions: usize,
}

/// The decisions of one question, and who waits for them to be kept.
struct Question {
    decisions: Vec<KeptScore>,
    tell: oneshot::Sender<Result<(), Unkept>>,
}

/// Why decisions are not kept.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// The database did not take them.
    #[error(transparent)]
    Store(sqlx::Error),
    /// The database did not answer.
    #[error("decisions cannot be kept now, because the database does not answer")]
    Away,
    /// Too many wait.
    #[error("more decisions wait to be kept than this process holds")]
    Full,
}

impl Log {
    /// Keeps the decisions of a question, and returns when everybody can see them.
    ///
    /// # Errors
    /// When the database does not take them, or too many wait. None of them is kept then.
    pub async fn keep(&self, decisions: Vec<KeptScore>, db: &PgPool) -> Result<(), Unkept> {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if MOST_WAITING <= waiting.decisions {
                return Err(Unkept::Full);
            }
            waiting.decisions += decisions.len();
            waiting.questions.push(Question { decisions, tell });
        }
        // Whoever writes takes what comes meanwhile, and goes on when nobody waits for it any more.
        if self.0.turn.try_lock().is_ok() {
            let (log, db) = (self.clone(), db.clone());
            tokio::spawn(async move { log.write_all(&db).await });
        }
        told.await.unwrap_or(Err(Unkept::Away))
    }

    /// Nobody writes until this is let go.
    #[cfg(test)]
    pub(crate) async fn hold(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.turn.lock().await
    }

    /// How many decisions wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).decisions
    }

    /// Writes whatever waits, unless somebody else does.
    pub(crate) async fn write_all(&self, db: &PgPool) {
        loop {
            let Ok(turn) = self.0.turn.try_lock() else { return };
            while let Some(questions) = self.take() {
                write(questions, db).await;
            }
            // What came since then, and saw that it was somebody's turn, is looked for once more.
            drop(turn);
            if self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).questions.is_empty() {
                return;
            }
        }
    }

    /// The oldest that wait.
    fn take(&self) -> Option<Vec<Question>> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut decisions = 0;
        let fits = |question: &&Question| {
            decisions += question.decisions.len();
            decisions <= AT_ONCE
        };
        let count = waiting.questions.iter().take_while(fits).count().max(1).min(waiting.questions.len());
        let after = waiting.questions.split_off(count);
        let taken = std::mem::replace(&mut waiting.questions, after);
        waiting.decisions -= taken.iter().map(|question| question.decisions.len()).sum::<usize>();
        (!taken.is_empty()).then_some(taken)
    }
}

/// Writes all together; where the database refuses that, each question by itself. Whoever does not wait any more is not told.
async fn write(mut questions: Vec<Question>, db: &PgPool) {
    questions.retain(|question| !question.tell.is_closed());
    let kept = keep(questions.iter().flat_map(|question| &question.decisions).collect(), db).await;
    match kept {
        Ok(()) => questions.into_iter().for_each(|question| drop(question.tell.send(Ok(())))),
        // It would keep each of them waiting, one after the other.
        Err(error) if is_passing(&error) => {
            tracing::warn!(%error, "decisions that were asked for cannot be kept: {error}");
            questions.into_iter().for_each(|question| drop(question.tell.send(Err(Unkept::Away))));
        }
        Err(_) => {
            for Question { decisions, tell } in questions {
                drop(tell.send(keep(decisions.iter().collect(), db).await.map_err(Unkept::Store)));
            }
        }
    }
}

async fn keep(decisions: Vec<&KeptScore>, db: &PgPool) -> sqlx::Result<()> {
    if decisions.is_empty() {
        return Ok(());
    }
    fraud::insert_all(&mut *db.acquire().await?, &decisions).await
}
