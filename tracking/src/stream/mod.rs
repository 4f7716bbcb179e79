//! The way of clicks from the log into the database: within one machine, or by a stream that many machines share.
//!
//! Whichever engine takes them, a click is stored by the same transaction, and the log gives it back only when the
//! database has it. `docs/streams.md` says what an operator may rely on.

mod local;
mod log;
mod nats;
mod progress;
mod setting;
mod sink;

use std::sync::Arc;

use domain::Clock;
use sqlx::PgPool;
use tokio::sync::watch;

use self::{log::Log, sink::Sink};
pub(crate) use self::{
    progress::Progress,
    setting::{Settings, credentials},
};
pub use self::{
    progress::Shipped,
    setting::{CredentialsError, Engine, EngineError, Servers},
};
use crate::wal::Reader;

/// Everything that it takes to bring a log's clicks into the database.
pub(crate) struct Shipping {
    pool: PgPool,
    log: Log,
    sink: Sink,
    progress: Arc<Progress>,
}

impl Shipping {
    pub(crate) fn new(pool: &PgPool, clock: &Clock, reader: Reader, progress: &Arc<Progress>) -> Self {
        Self {
            log: Log::new(reader, progress.clone()),
            sink: Sink::new(pool.clone(), clock.clone(), progress.clone()),
            pool: pool.clone(),
            progress: progress.clone(),
        }
    }

    /// Ships until the log is closed and empty, or until it is told to give up.
    pub(crate) async fn run(self, settings: &Settings, mut gives_up: watch::Receiver<bool>) {
        let Self { pool, log, sink, progress } = self;
        let shipping = async {
            match &settings.engine {
                Engine::Local => local::ship(log, sink, progress).await,
                Engine::Nats(servers) => {
                    // Its future is large, and there is only one of it.
                    Box::pin(nats::ship((servers, settings), pool, (log, sink, progress))).await;
                }
            }
        };
        tokio::select! {
            () = shipping => {}
            // An error says that nobody is left to tell it to go on.
            _ = gives_up.wait_for(|gives_up| *gives_up) => {}
        }
    }
}
