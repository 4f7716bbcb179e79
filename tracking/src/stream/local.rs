//! The stream of one machine: the log itself, whose tracker stores what it reads.

use std::{sync::Arc, time::Duration};

use super::{
    log::{BATCH, Log},
    progress::Progress,
    sink::Sink,
};
use crate::{patience::Patience, wal::Position};

/// How long clicks gather before they are stored, when there are few: a transaction each would wear out the disk.
const GATHERING: Duration = Duration::from_millis(10);

/// Takes what is durable out of the log and stores it, until the log is closed and empty.
pub(super) async fn ship(mut log: Log, mut sink: Sink, progress: Arc<Progress>) {
    let mut patience = Patience::default();
    let mut position = log.freed();
    while log.has_more(position).await {
        match ship_batch(&log, &mut sink, position).await {
            Ok((end, stored)) => {
                position = end;
                progress.published.add(stored as u64);
                progress.confirmed.add(stored as u64);
                patience.restore();
                log.free(position).await;
                if stored < BATCH / 2 {
                    tokio::time::sleep(GATHERING).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the log cannot be read; nothing is lost, but clicks are not stored");
                patience.wait().await;
            }
        }
    }
    log.free_now(position).await;
}

/// Stores what comes next; says where it ends and how much it was.
async fn ship_batch(log: &Log, sink: &mut Sink, begin: Position) -> anyhow::Result<(Position, usize)> {
    let read = log.read_on(begin).await?;
    let events = read.events.len();
    sink.store(read.events).await;
    Ok((read.end, events))
}
