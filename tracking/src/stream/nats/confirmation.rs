//! The log forgets a click only when the database has it, because a stream may lose what it has acknowledged: its
//! servers acknowledge before their disks have it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{
    parts::{Published, Unconfirmed},
    publisher::{Outgoing, Publisher},
    session::{Session, SetupError, Whereabouts},
};
use crate::{
    event::Event,
    patience::Patience,
    store,
    stream::{
        log::{Log, events},
        progress::Progress,
    },
};

/// How long a click usually takes through the stream into the database, at most.
const USUALLY: Duration = Duration::from_millis(100);
/// After this long, clicks that were delivered and are not stored have got lost: longer than anybody is given to store
/// them, and then their turn has come again.
const LOST: Duration = Duration::from_secs(120);

/// Follows the publisher through the log.
pub(super) struct Confirmation {
    pub session: Arc<Session>,
    pub publisher: Publisher,
    pub pool: PgPool,
    pub log: Log,
    pub progress: Arc<Progress>,
    /// When the database or the stream last could not be asked.
    pub troubled: Option<Instant>,
}

impl Confirmation {
    /// Confirms what was published, until nothing more will be.
    pub(super) async fn run(mut self, published: Unconfirmed) {
        let mut end = self.log.freed();
        while let Some(part) = next(&published).await {
            self.confirm(part).await;
            self.progress.confirmed.add(part.records as u64);
            end = part.end;
            self.log.free(end).await;
        }
        self.log.free_now(end).await;
    }

    /// Waits until the database has every click of a part. What the stream has lost is published again.
    async fn confirm(&mut self, mut part: Published) {
        let mut patience = Patience::default();
        loop {
            match self.try_confirm(&mut part).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    // Nobody could store anything meanwhile: this is not the stream's fault.
                    self.troubled = Some(Instant::now());
                    tracing::warn!(
                        "clicks are kept in the log until it is known that they are stored: {error:#}"
                    );
                }
            }
            patience.wait().await;
        }
    }

    async fn try_confirm(&mut self, part: &mut Published) -> anyhow::Result<bool> {
        let (ids, payloads) = self.reread(part).await?;
        if self.missing(&ids).await?.is_empty() {
            return Ok(true);
        }
        if !self.have_passed(part).await? {
            return Ok(false);
        }
        // They were looked for before it was known that they had passed: they may have been stored in between.
        let missing: HashSet<Uuid> = self.missing(&ids).await?.into_iter().collect();
        if missing.is_empty() {
            return Ok(true);
        }
        // Without their ids, because the stream may still know those of clicks that it has lost.
        let lost = ids.iter().zip(payloads).filter(|(id, _)| missing.contains(id));
        let lost: Vec<Outgoing> =
            lost.map(|(_, payload)| Outgoing { payload: payload.into(), id: None }).collect();
        tracing::warn!(
            clicks = lost.len(),
            "clicks got lost behind the stream's acknowledgement; they are published again"
        );
        part.highest = self.publisher.publish(&lost).await;
        part.at = Instant::now();
        self.progress.republished.add(lost.len() as u64);
        Ok(false)
    }

    /// The clicks of a part: their ids and their bytes.
    async fn reread(&self, part: &Published) -> anyhow::Result<(Vec<Uuid>, Vec<Vec<u8>>)> {
        let (mut position, mut records) = (part.begin, Vec::with_capacity(part.records));
        while records.len() < part.records && position < part.end {
            let batch = self.log.read(position, part.records - records.len()).await?;
            position = batch.end;
            records.extend(batch.records);
        }
        let ids = events(&records)?.iter().map(Event::id).collect();
        Ok((ids, records))
    }

    async fn missing(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        store::confirmation::missing(&mut *self.pool.acquire().await?, ids).await
    }

    /// Whether waiting for the stream to bring a part's clicks has become pointless.
    async fn have_passed(&self, part: &Published) -> Result<bool, SetupError> {
        let Whereabouts { first, last, stored, delivered } = self.session.whereabouts().await?;
        // A stream that was made anew, or lost its end, does not reach so far; one that was full begins later.
        let is_gone = part.highest < first || last < part.highest;
        let was_stored = part.highest <= stored;
        let since = self.troubled.map_or(part.at, |troubled| troubled.max(part.at));
        let is_overdue = part.highest <= delivered && LOST <= since.elapsed();
        Ok(is_gone || was_stored || is_overdue)
    }
}

/// What has been published next, when it may have come through.
async fn next(published: &Unconfirmed) -> Option<Published> {
    let part = published.next().await?;
    sleep_until(part.at + USUALLY).await;
    Some(part)
}
