//! Clicks out of the stream into the database, by whichever tracker is free.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::pull::{self, MessagesError},
};
use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use uuid::Uuid;

use super::session::{ANSWERING, Session};
use crate::{
    event::{Event, EventError},
    patience::Patience,
    stream::{log::BATCH, progress::Progress, sink::Sink},
};

/// How long clicks gather before they are stored, when there are few: a transaction each would wear out the disk.
const GATHERING: Duration = Duration::from_millis(10);
/// How often the servers say that they are there when there is nothing to deliver.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long clicks of a newer release wait for a tracker that can read them.
const NEWER_RELEASE: Duration = Duration::from_secs(30);

/// Stores what any tracker has published.
pub(super) struct Consumer {
    session: Arc<Session>,
    sink: Sink,
    progress: Arc<Progress>,
    /// What was delivered and is not stored yet.
    arrived: Vec<Message>,
}

impl Consumer {
    pub(super) fn new(session: Arc<Session>, sink: Sink, progress: Arc<Progress>) -> Self {
        Self { session, sink, progress, arrived: Vec::new() }
    }

    /// Stores what is delivered until this is done.
    pub(super) async fn run(mut self, is_done: watch::Receiver<bool>) {
        let mut patience = Patience::default();
        while let Err(failure) = self.consume(&is_done, &mut patience).await {
            tracing::warn!("{failure:#}; clicks wait in the stream");
            tokio::select! {
                () = patience.wait() => self.session.miss_an_answer().await,
                () = done(&is_done) => break,
            }
        }
        // An error says that the connection is lost: what is not acknowledged is delivered again, and changes nothing.
        let _ = timeout(ANSWERING, self.session.client.flush()).await;
    }

    /// Stores what is delivered, until this is done or something fails.
    async fn consume(
        &mut self,
        is_done: &watch::Receiver<bool>,
        patience: &mut Patience,
    ) -> anyhow::Result<()> {
        let mut messages = tokio::select! {
            messages = self.open() => messages?,
            () = done(is_done) => return Ok(()),
        };
        loop {
            let gathered = tokio::select! {
                gathered = self.gather(&mut messages) => gathered,
                () = done(is_done) => break,
            };
            // Not cut off in the middle, or others would have to wait for what was delivered here.
            self.store_what_arrived().await;
            gathered?;
            patience.restore();
            self.session.hear_an_answer();
        }
        self.give_back(messages).await;
        Ok(())
    }

    async fn open(&self) -> anyhow::Result<pull::Stream> {
        let consumer = self.session.consumer().await?;
        Ok(consumer.stream().max_messages_per_batch(BATCH).heartbeat(HEARTBEAT).messages().await?)
    }

    /// Waits for a click, and then a little for more.
    async fn gather(&mut self, messages: &mut pull::Stream) -> anyhow::Result<()> {
        let first = messages.next().await;
        self.take(first)?;
        let until = Instant::now() + GATHERING;
        while self.arrived.len() < BATCH {
            match timeout_at(until, messages.next()).await {
                Ok(next) => self.take(next)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Option<Result<Message, MessagesError>>) -> anyhow::Result<()> {
        let message = message.ok_or_else(|| anyhow::anyhow!("the stream delivers nothing more"))??;
        let is_again = message.info().is_ok_and(|info| 1 < info.delivered);
        self.progress.redelivered.add(u64::from(is_again));
        self.arrived.push(message);
        Ok(())
    }

    /// Stores what was delivered, and tells the stream once it is committed.
    async fn store_what_arrived(&mut self) {
        let arrived = std::mem::take(&mut self.arrived);
        let mut ids: HashSet<Uuid> = HashSet::with_capacity(arrived.len());
        let mut events: Vec<Event> = Vec::with_capacity(arrived.len());
        let mut stored = Vec::with_capacity(arrived.len());
        for message in arrived {
            match Event::decode(&message.payload) {
                Ok(event) => {
                    if ids.insert(event.id()) {
                        events.push(event);
                    }
                    stored.push(message);
                }
                Err(error) => refuse(&message, &error).await,
            }
        }
        self.sink.store(events).await;
        // As one, and not for ever: what is not acknowledged is delivered again, and changes nothing.
        let acknowledging = async {
            for message in stored {
                answer(&message, AckKind::Ack).await;
            }
        };
        let _ = timeout(ANSWERING, acknowledging).await;
    }

    /// What is not stored here is for the other trackers.
    async fn give_back(&mut self, mut messages: pull::Stream) {
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            self.arrived.push(message);
        }
        for message in std::mem::take(&mut self.arrived) {
            answer(&message, AckKind::Nak(None)).await;
        }
    }
}

/// Waits until everything is done.
async fn done(is_done: &watch::Receiver<bool>) {
    // An error says that nobody is left who could be done.
    let _ = is_done.clone().wait_for(|is_done| *is_done).await;
}

/// A tracker of a newer release may read what this one cannot. What nobody can read is no loss: whoever accepted a
/// click has it in the log, and publishes it again.
async fn refuse(message: &Message, error: &EventError) {
    let sequence = message.info().map_or(0, |info| info.stream_sequence);
    if let EventError::Newer(_) = error {
        tracing::warn!(sequence, "message {sequence} of the stream is left to a newer release: {error}");
        return answer(message, AckKind::Nak(Some(NEWER_RELEASE))).await;
    }
    tracing::error!(sequence, "message {sequence} of the stream is no event: {error}");
    answer(message, AckKind::Term).await;
}

async fn answer(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        tracing::debug!(%error, "an acknowledgement is lost; what it is for is delivered again, and changes nothing");
    }
}
