//! Clicks into the stream: in their order, many on their way at once, and again until the stream has them.

use std::sync::Arc;

use async_nats::{
    HeaderMap, Message, StatusCode, Subscriber,
    client::PublishError,
    header::NATS_MESSAGE_ID,
    jetstream::{self, publish::PublishAck, response::Response},
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::timeout;
use uuid::Uuid;

use super::session::{ANSWERING, SUBJECT, Session};
use crate::{patience::Patience, stream::progress::Progress};

/// How many clicks may be on their way to the stream.
const WINDOW: usize = 4_096;

/// A click to be published.
pub(super) struct Outgoing {
    /// The event's bytes, as they stand in the log.
    pub payload: Bytes,
    /// By what the stream knows whether it has the click already; without an id it takes the click in any case.
    pub id: Option<Uuid>,
}

/// Publishes, and hears what the stream answers.
pub(super) struct Publisher {
    session: Arc<Session>,
    progress: Arc<Progress>,
    /// Answers come to subjects below this one.
    inbox: String,
    answers: Subscriber,
    /// Which attempt: answers to an earlier one are not taken for answers to this one.
    attempt: u64,
    patience: Patience,
}

/// Why some clicks were not taken; all of them are published again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the stream does not answer")]
    Silence,
    #[error("no stream takes {SUBJECT}")]
    NoStream,
    #[error("the stream refuses: {0}")]
    Refused(jetstream::Error),
    #[error("the stream's answer cannot be understood: {0}")]
    Gibberish(serde_json::Error),
    #[error(transparent)]
    Connection(#[from] PublishError),
}

impl Publisher {
    pub(super) async fn new(session: Arc<Session>, progress: Arc<Progress>) -> Self {
        let inbox = session.client.new_inbox();
        let mut patience = Patience::default();
        let answers = loop {
            match session.client.subscribe(format!("{inbox}.*.*")).await {
                Ok(answers) => break answers,
                Err(error) => {
                    tracing::error!(%error, "the stream's answers cannot be heard");
                    patience.wait().await;
                }
            }
        };
        Self { session, progress, inbox, answers, attempt: 0, patience }
    }

    /// Publishes until the stream has taken everything; says the highest of the places that it gave them.
    pub(super) async fn publish(&mut self, clicks: &[Outgoing]) -> u64 {
        let mut places = vec![None; clicks.len()];
        let mut waiting: Vec<usize> = (0..clicks.len()).collect();
        let mut tries = waiting.len();
        while !waiting.is_empty() {
            let tried = self.try_publish(clicks, &waiting[..tries.min(waiting.len())], &mut places).await;
            waiting.retain(|click| places[*click].is_none());
            match tried {
                Ok(()) => {
                    tries = waiting.len();
                    self.patience.restore();
                    self.session.hear_an_answer();
                }
                Err(failure) => {
                    self.progress.publish_failures.add(1);
                    tracing::warn!(
                        clicks = waiting.len(),
                        "{failure}; clicks wait in the log until it takes them"
                    );
                    self.patience.wait().await;
                    self.mend(&failure).await;
                    // One click finds out whether the stream is back; all of them would only crowd it.
                    tries = 1;
                }
            }
        }
        places.into_iter().flatten().max().unwrap_or_default()
    }

    /// Publishes some of the clicks once, and notes the places of those that were taken.
    async fn try_publish(
        &mut self,
        clicks: &[Outgoing],
        which: &[usize],
        places: &mut [Option<u64>],
    ) -> Result<(), Failure> {
        self.attempt += 1;
        let mut unsent = which.iter().copied();
        let mut on_their_way = 0;
        let mut failure = None;
        loop {
            while on_their_way < WINDOW
                && failure.is_none()
                && let Some(click) = unsent.next()
            {
                timeout(ANSWERING, self.send(click, &clicks[click]))
                    .await
                    .map_err(|_| Failure::Silence)??;
                on_their_way += 1;
            }
            if on_their_way == 0 {
                return failure.map_or(Ok(()), Err);
            }
            let answer = timeout(ANSWERING, self.answers.next()).await;
            let answer = answer.ok().flatten().ok_or(Failure::Silence)?;
            let Some(click) = self.asked_by(&answer) else { continue };
            on_their_way -= 1;
            match place(&answer) {
                Ok(place) => places[click] = Some(place),
                Err(error) => failure = Some(error),
            }
        }
    }

    async fn send(&self, number: usize, click: &Outgoing) -> Result<(), PublishError> {
        let answer_to = format!("{}.{}.{number}", self.inbox, self.attempt);
        let mut headers = HeaderMap::new();
        if let Some(id) = click.id {
            headers.insert(NATS_MESSAGE_ID, id.to_string());
        }
        let client = &self.session.client;
        client.publish_with_reply_and_headers(SUBJECT, answer_to, headers, click.payload.clone()).await
    }

    /// Which click of this attempt an answer belongs to.
    fn asked_by(&self, answer: &Message) -> Option<usize> {
        let (_, asked) = answer.subject.as_str().split_at_checked(self.inbox.len() + 1)?;
        let (attempt, click) = asked.split_once('.')?;
        (attempt.parse() == Ok(self.attempt)).then(|| click.parse().ok()).flatten()
    }

    async fn mend(&self, failure: &Failure) {
        if matches!(failure, Failure::Silence) {
            self.session.miss_an_answer().await;
        }
        if let Err(error) = self.session.stream().await {
            tracing::error!("{error}");
        }
    }
}

/// The place that the stream gave a click, or gave it when it came before.
fn place(answer: &Message) -> Result<u64, Failure> {
    if answer.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(Failure::NoStream);
    }
    match serde_json::from_slice::<Response<PublishAck>>(&answer.payload) {
        Ok(Response::Ok(taken)) => Ok(taken.sequence),
        Ok(Response::Err { error }) => Err(Failure::Refused(error)),
        Err(error) => Err(Failure::Gibberish(error)),
    }
}
