//! What features know about the past, kept in this process: everything that the database stored, told to a feature state
//! in the order in which it became known.
//!
//! What the state says is as of an instant up to which nothing is missing; what became known later waits. Whoever holds
//! the same events of a lake against it, up to that instant, gets the same values. What became known before and is only
//! seen later is counted ([`Standing::late`]), and counts from then on.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    mem::replace,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId,
    event::{Conversion, Event, Known},
};
use features::{
    entity::{Keys, event_id},
    evidence::Findings,
    fact::Request,
    online::{Bounds, Observed, Prepared, State},
    set::{FeatureSet, union},
    sources::{Compared, Sources},
    value::Value,
};
use sqlx::{PgConnection, PgPool};
use tokio::{
    task::{JoinHandle, spawn_blocking, yield_now},
    time::sleep,
};

use crate::{
    meters::SCORES,
    scoring::Scorer,
    store::{
        fraud,
        lake::{Settled, moment, settled},
    },
    stored::{self, Taker},
};

/// How often the database is asked.
const POLLING: Duration = Duration::from_millis(200);
/// How long before its transaction begins something may have become known: a request takes its time before it stores.
const SLACK: TimeDelta = TimeDelta::milliseconds(250);
/// So many events are told before somebody who asks may come between.
const AT_ONCE: usize = 1_000;
/// So many instants are remembered that wait for transactions to end.
const MOST_HORIZONS: usize = 1_024;

/// The feature state of a process, for whoever asks and for whoever feeds it.
#[derive(Debug)]
pub struct FeatureState {
    sets: Vec<(FeatureSet, Prepared)>,
    inner: Mutex<Inner>,
}

/// What features are at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Everything that was known by then counts, and what is judged.
    pub as_of: DateTime<Utc>,
    /// From when windows reach back: when it was asked for, or later where somebody had asked for a later instant before.
    pub counted_at: DateTime<Utc>,
    /// The values of each set that was asked for, in its order.
    pub values: Vec<Vec<Value>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    sources: Sources,
    /// Sources as they are being compared.
    comparing: Option<JoinHandle<Compared>>,
    /// How far each table was taken.
    notes: BTreeMap<String, String>,
    /// What is known by then and not told yet, first what was known first.
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Instants before which all transactions have ended, with the number of the transaction that came next then.
    horizons: VecDeque<Settled>,
    as_of_us: Option<i64>,
    /// While it is filled for the first time: until when what is known is told in whatever order it is read.
    filled_until_us: i64,
    /// Whether tables are being read, or were when that failed.
    is_under_way: bool,
    late: u64,
}

#[derive(Debug)]
struct Waiting(Known<Event>);

impl Waiting {
    fn place(&self) -> (i64, u128) {
        (self.0.known_at_us, event_id(&self.0.event))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

/// How far a state has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Everything that was known by then counts; none while the state is not filled.
    pub as_of: Option<DateTime<Utc>>,
    /// Events that it was told.
    pub events: u64,
    /// Events that were seen after the state had passed the instant at which they were known.
    pub late: u64,
    /// Events that are known and wait for what may have been known before.
    pub waiting: usize,
}

/// The features are not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the feature state is being filled from what is stored")]
pub struct NotFilled;

impl FeatureState {
    /// A state that knows nothing yet and keeps what these sets need.
    #[must_use]
    pub fn of(sets: Vec<FeatureSet>) -> Self {
        let state = State::new(&union(&sets), Bounds::default());
        let prepared = |set: FeatureSet| {
            let prepared = state.prepare(&set).expect("the state was made for this set");
            (set, prepared)
        };
        let sets = sets.into_iter().map(prepared).collect();
        let inner = Inner {
            state,
            sources: Sources::default(),
            comparing: None,
            notes: BTreeMap::new(),
            waiting: BinaryHeap::new(),
            horizons: VecDeque::new(),
            as_of_us: None,
            filled_until_us: i64::MIN,
            is_under_way: false,
            late: 0,
        };
        Self { sets, inner: Mutex::new(inner) }
    }

    /// The place of a set that it says.
    #[must_use]
    pub fn place_of(&self, set: &str) -> Option<usize> {
        self.sets.iter().position(|(one, _)| one.full_name() == set)
    }

    /// What sets, by their places, say about an event that is judged at `at`, each for those whom it is asked about, as if the
    /// event had been told already; where it was, `is_stored` says so, as ids are not remembered for ever.
    ///
    /// # Errors
    /// While the state is being filled.
    pub fn ask(
        &self,
        asked: &[(usize, Keys)],
        request: &Request<'_>,
        (at, is_stored): (DateTime<Utc>, bool),
    ) -> Result<Told, NotFilled> {
        let mut inner = self.inner();
        let as_of = inner.as_of_us.and_then(DateTime::from_timestamp_micros).ok_or(NotFilled)?;
        let mut counted_us = at.timestamp_micros();
        let values = asked.iter().map(|(place, keys)| {
            let mut values = Vec::new();
            let (prepared, state) = (&self.sets[*place].1, &mut inner.state);
            counted_us = if is_stored {
                state.vector(prepared, keys, Some(request), counted_us, &mut values)
            } else {
                state.vector_if_told(prepared, keys, request, counted_us, &mut values)
            };
            values
        });
        let values = values.collect();
        let counted_at = DateTime::from_timestamp_micros(counted_us).unwrap_or(at);
        Ok(Told { as_of, counted_at, values })
    }

    /// What is found of the source of a conversion, a partner of this kind; `is_stored` says whether it was told already.
    #[must_use]
    pub fn findings(
        &self,
        conversion: &Conversion,
        kind: &str,
        (at, is_stored): (DateTime<Utc>, bool),
    ) -> Findings {
        self.inner().sources.findings(conversion, kind, (at.timestamp_micros(), is_stored))
    }

    /// How far it has come.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let inner = self.inner();
        Standing {
            as_of: inner.as_of_us.and_then(DateTime::from_timestamp_micros),
            events: inner.state.freshness().events,
            late: inner.late,
            waiting: inner.waiting.len(),
        }
    }

    /// Takes in what was stored since it was last asked. What was cut off is brought to its end first: it is about what was
    /// stored before it began, and nothing may be missing up to the instant that is reached here.
    ///
    /// # Errors
    /// When the database fails; what was taken in stays so.
    pub async fn catch_up(&self, db: &mut PgConnection) -> anyhow::Result<u64> {
        let was_cut_off = replace(&mut self.inner().is_under_way, true);
        let before = if was_cut_off { stored::give(db, &mut Fed(self)).await? } else { 0 };
        let horizon = settled(db).await?;
        let oldest_open = moment(db).await?.oldest_open;
        self.inner().begin_to_fill(as_of_us(horizon));
        let given = stored::give(db, &mut Fed(self)).await?;
        self.settle(horizon, oldest_open).await;
        self.inner().is_under_way = false;
        self.compare_sources(db).await?;
        Ok(before + given)
    }

    /// Compares sources when a midnight has passed: apart, while events go on being told.
    async fn compare_sources(&self, db: &mut PgConnection) -> anyhow::Result<()> {
        let under_way = self.inner().comparing.take();
        match under_way {
            Some(compared) if compared.is_finished() => {
                let compared = compared.await?;
                self.inner().sources.take(compared);
            }
            Some(compared) => {
                self.inner().comparing = Some(compared);
                return Ok(());
            }
            None => {}
        }
        let as_of_us = self.inner().as_of_us;
        if let Some(as_of_us) = as_of_us.filter(|as_of_us| self.inner().sources.is_due(*as_of_us)) {
            let kinds = fraud::kinds(db).await?.into_iter().collect();
            self.begin_to_compare(as_of_us, &kinds);
        }
        Ok(())
    }

    fn begin_to_compare(&self, as_of_us: i64, kinds: &HashMap<AffiliateId, String>) {
        let kind = |partner: AffiliateId| kinds.get(&partner).cloned().unwrap_or_default();
        let comparison = self.inner().sources.gather(as_of_us, kind);
        self.inner().comparing = Some(spawn_blocking(move || comparison.made()));
    }

    /// Tells the state what waits, up to the last instant before which nothing can come any more: all transactions that
    /// had ended then have a lower number than the oldest that was open when the tables were read.
    async fn settle(&self, horizon: Settled, oldest_open: i64) {
        let as_of = {
            let mut inner = self.inner();
            if inner.horizons.len() == MOST_HORIZONS {
                inner.horizons.pop_front();
            }
            inner.horizons.push_back(horizon);
            let reached = inner.horizons.partition_point(|it| it.next <= oldest_open);
            let Some(last) = inner.horizons.drain(..reached).next_back() else { return };
            as_of_us(last)
        };
        let is_first = self.inner().as_of_us.is_none();
        if is_first && as_of < self.inner().filled_until_us {
            return;
        }
        while self.inner().tell(as_of) {
            yield_now().await;
        }
        let mut inner = self.inner();
        inner.as_of_us = inner.as_of_us.max(Some(as_of));
    }

    fn feed(&self, events: Vec<Known<Event>>) {
        let mut inner = self.inner();
        events.into_iter().for_each(|known| inner.take(known));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The instant up to which nothing is missing when all transactions have ended that began before another.
fn as_of_us(horizon: Settled) -> i64 {
    (horizon.before - SLACK).timestamp_micros()
}

impl Inner {
    /// Notes until when the first fill tells what it reads at once: a later try has no more to reach than the first.
    fn begin_to_fill(&mut self, until_us: i64) {
        if self.filled_until_us == i64::MIN {
            self.filled_until_us = until_us;
        }
    }

    /// Tells the state some of what was known by `as_of_us`; says whether there is more of it.
    fn tell(&mut self, as_of_us: i64) -> bool {
        for _ in 0..AT_ONCE {
            match self.waiting.pop() {
                Some(Reverse(Waiting(known))) if known.known_at_us <= as_of_us => self.observe(&known),
                later => {
                    self.waiting.extend(later);
                    return false;
                }
            }
        }
        true
    }

    fn observe(&mut self, known: &Known<Event>) {
        if self.state.observe(known) != Observed::Duplicate {
            self.sources.observe(known);
        }
    }

    fn take(&mut self, known: Known<Event>) {
        match self.as_of_us {
            // A state that is filled for the first time says nothing yet, and the order does not matter to it.
            None if known.known_at_us <= self.filled_until_us => self.observe(&known),
            Some(as_of_us) if known.known_at_us <= as_of_us => {
                self.late += 1;
                self.observe(&known);
            }
            _ => self.waiting.push(Reverse(Waiting(known))),
        }
    }
}

/// Where events go.
struct Fed<'a>(&'a FeatureState);

impl Taker for Fed<'_> {
    const TAKES_DECISIONS: bool = false;

    fn note(&self, table: &str) -> anyhow::Result<Option<String>> {
        Ok(self.0.inner().notes.get(table).cloned())
    }

    fn place(&self, table: &str) -> String {
        format!("the feature state's note on {table}")
    }

    async fn take(&mut self, mut events: Vec<Known<Event>>) -> anyhow::Result<()> {
        while !events.is_empty() {
            let rest = events.split_off(AT_ONCE.min(events.len()));
            self.0.feed(replace(&mut events, rest));
            yield_now().await;
        }
        Ok(())
    }

    async fn keep_note(&mut self, table: &str, text: String) -> anyhow::Result<()> {
        self.0.inner().notes.insert(table.to_owned(), text);
        Ok(())
    }
}

/// Feeds what a scorer knows of the past for as long as the process lives.
pub async fn follow(scorer: Arc<Scorer>, pool: PgPool) {
    let mut failed = false;
    loop {
        match caught_up(scorer.state(), &pool).await {
            Ok(()) => failed = false,
            Err(error) if !failed => {
                failed = true;
                tracing::warn!("features stay as they are until the database is back: {error:#}");
            }
            Err(_) => {}
        }
        sleep(POLLING).await;
    }
}

async fn caught_up(state: &FeatureState, pool: &PgPool) -> anyhow::Result<()> {
    let mut db = pool.acquire().await?;
    state.catch_up(&mut db).await?;
    let Standing { as_of, late, .. } = state.standing();
    SCORES.reached(as_of, late);
    Ok(())
}

#[cfg(test)]
mod tests;
