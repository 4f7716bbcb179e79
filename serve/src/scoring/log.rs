//! Decisions that somebody only asked for, on their way into the database: those who ask at the same time share a
//! transaction, and each is answered after it.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tokio::sync::oneshot;

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
    tell: oneshot::Sender<sqlx::Result<()>>,
}

/// Why decisions are not kept.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// The database did not take them.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    /// Too many wait.
    #[error("more decisions wait to be kept than this process holds")]
    Full,
}

impl Log {
    /// Keeps the decisions of a question, and returns when the database has them.
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
        Ok(told.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))?)
    }

    async fn write_all(&self, db: &PgPool) {
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

/// Writes all together; where the database does not take that, each question by itself.
async fn write(questions: Vec<Question>, db: &PgPool) {
    let all = keep(questions.iter().flat_map(|question| &question.decisions).collect(), db).await;
    match all {
        Err(_) if 1 < questions.len() => {
            for Question { decisions, tell } in questions {
                // Whoever does not wait any more is not told.
                drop(tell.send(keep(decisions.iter().collect(), db).await));
            }
        }
        kept => {
            let mut kept = Some(kept);
            for question in questions {
                drop(question.tell.send(kept.take().unwrap_or(Ok(()))));
            }
        }
    }
}

async fn keep(decisions: Vec<&KeptScore>, db: &PgPool) -> sqlx::Result<()> {
    fraud::insert_all(&mut *db.acquire().await?, &decisions).await
}
