//! A stream of NATS JetStream that trackers on many machines share.
//!
//! Each tracker publishes its own log, stores whatever the stream delivers to it, and keeps its log until the database
//! has what is in it.

mod confirmation;
mod consumer;
mod parts;
mod publisher;
mod session;

use std::{future::pending, sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{sync::watch, time::Instant};

use self::{
    confirmation::Confirmation,
    consumer::Consumer,
    parts::{Parts, Published},
    publisher::{Outgoing, Publisher},
    session::Session,
};
use super::{
    log::{BATCH, Log},
    progress::Progress,
    setting::{Servers, Settings},
    sink::Sink,
};
use crate::{patience::Patience, wal::Position};

/// How long clicks gather before they are published, when there are few.
const GATHERING: Duration = Duration::from_millis(5);

/// Publishes the log and stores what is delivered, until the log is closed and the database has all of it.
pub(super) async fn ship(
    (servers, settings): (&Servers, &Settings),
    pool: PgPool,
    (log, sink, progress): (Log, Sink, Arc<Progress>),
) {
    let session = tokio::select! {
        session = Session::open(servers, settings) => Arc::new(session),
        () = has_ended_empty(log.clone()) => return,
    };
    let publisher = Publisher::new(session.clone(), progress.clone()).await;
    let again = Publisher::new(session.clone(), progress.clone()).await;
    let consumer = Consumer::new(session.clone(), sink, progress.clone());
    let confirmation = Confirmation {
        session: session.clone(),
        publisher: again,
        pool,
        log: log.clone(),
        progress: progress.clone(),
        troubled: None,
    };
    let (parts, published) = parts::line();
    let (done, is_done) = watch::channel(false);
    let ours = async {
        tokio::join!(publish(log, publisher, progress, parts), confirmation.run(published));
        done.send_replace(true);
    };
    tokio::join!(ours, consumer.run(is_done));
}

/// Publishes the log until it is closed and everything in it is published.
async fn publish(mut log: Log, mut publisher: Publisher, progress: Arc<Progress>, parts: Parts) {
    let mut patience = Patience::default();
    let mut begin = log.freed();
    while log.has_more(begin).await {
        match publish_next(&log, &mut publisher, begin).await {
            Ok(part) => {
                progress.published.add(part.records as u64);
                begin = part.end;
                patience.restore();
                parts.push(part);
                if part.records < BATCH / 2 {
                    tokio::time::sleep(GATHERING).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the log cannot be read; nothing is lost, but clicks are not published");
                patience.wait().await;
            }
        }
    }
}

async fn publish_next(log: &Log, publisher: &mut Publisher, begin: Position) -> anyhow::Result<Published> {
    let read = log.read_on(begin).await?;
    let events = read.records.into_iter().zip(&read.events);
    let events: Vec<Outgoing> =
        events.map(|(record, event)| Outgoing { payload: record.into(), id: Some(event.id()) }).collect();
    let highest = publisher.publish(&events).await;
    Ok(Published { begin, end: read.end, records: events.len(), highest, at: Instant::now() })
}

/// Waits until the log is closed, and for ever when there is something in it.
async fn has_ended_empty(mut log: Log) {
    let freed = log.freed();
    if log.has_more(freed).await {
        pending::<()>().await;
    }
}
