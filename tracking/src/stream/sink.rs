//! Events go into the database: every one once, however often it comes, and no bad one holds up the others.

use std::{collections::HashSet, fmt, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Clock, click::Click, event::Impression};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::progress::Progress;
use crate::{
    event::Event,
    patience::Patience,
    store::{self, clicks, impressions, rejected},
};

/// Stores batches of events; whichever stream they come from.
pub(super) struct Sink {
    database: Database,
    progress: Arc<Progress>,
    patience: Patience,
    /// Days whose partition is known to exist.
    click_days: HashSet<NaiveDate>,
    impression_days: HashSet<NaiveDate>,
}

struct Database {
    pool: PgPool,
    clock: Clock,
}

/// A kind of event that has a table of its own, with a partition for each day.
trait Kept: Sized {
    /// What people call several of them.
    const SEVERAL: &'static str;

    fn id(&self) -> Uuid;

    /// The id as it is printed.
    fn name(&self) -> impl fmt::Display;

    /// When the id was made.
    fn made_at(&self) -> Option<DateTime<Utc>>;

    fn occurred_at_us(&self) -> i64;

    async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error>;

    /// Stores those that are not stored yet, and says how many they were.
    async fn insert(db: &mut PgConnection, events: &[Self], now: DateTime<Utc>) -> Result<u64, sqlx::Error>;

    /// Puts one among the rejected ones; says whether it was not there before.
    async fn set_aside(
        &self,
        db: &mut PgConnection,
        sqlstate: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error>;

    /// Tells whoever waits for them that they are stored.
    fn announce(_progress: &Progress, _stored: &[Self]) {}
}

impl Sink {
    pub(super) fn new(pool: PgPool, clock: Clock, progress: Arc<Progress>) -> Self {
        Self {
            database: Database { pool, clock },
            progress,
            patience: Patience::default(),
            click_days: HashSet::new(),
            impression_days: HashSet::new(),
        }
    }

    /// Stores events, again and again until it succeeds. Clicks and impressions go one after the other, so that no two
    /// trackers hold links that the other waits for.
    pub(super) async fn store(&mut self, events: Vec<Event>) {
        let (mut clicks, mut impressions) = (Vec::with_capacity(events.len()), Vec::new());
        for event in events {
            match event {
                Event::Click(click) => clicks.push(click),
                Event::Impression(impression) => impressions.push(impression),
            }
        }
        let Self { database, progress, patience, click_days, impression_days } = self;
        database.store(&clicks, click_days, progress, patience).await;
        database.store(&impressions, impression_days, progress, patience).await;
    }
}

impl Database {
    /// Stores events of one kind. One that the database will never take is found by halves and set aside, because it
    /// must not hold up all that come after it.
    async fn store<E: Kept>(
        &self,
        events: &[E],
        days: &mut HashSet<NaiveDate>,
        progress: &Progress,
        patience: &mut Patience,
    ) {
        progress.storing(events.first().map(E::occurred_at_us));
        let mut parts = vec![events];
        let mut suspect = None;
        while let Some(part) = parts.pop() {
            let error = match self.try_store(part, days).await {
                Ok(stored) => {
                    progress.stored.add(stored);
                    progress.shipped.add(part.len() as u64);
                    E::announce(progress, part);
                    patience.restore();
                    continue;
                }
                Err(error) => error,
            };
            // A partition may have been dropped since it was seen.
            days.clear();
            progress.failures.add(1);
            match (data_error(&error), part) {
                // Twice, because a day without its partition is a data error too, and the first attempt forgot days.
                (Some(sqlstate), [event])
                    if (suspect == Some(event.id()) || sqlstate == clicks::DAY_DROPPED)
                        && self.set_aside(event, &sqlstate, progress).await => {}
                (Some(_), [_, _, ..]) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                _ => {
                    suspect = part.first().map(E::id);
                    tracing::warn!(%error, events = part.len(), "{} wait until the database takes them", E::SEVERAL);
                    patience.wait().await;
                    parts.push(part);
                }
            }
        }
        progress.storing(None);
    }

    async fn try_store<E: Kept>(
        &self,
        events: &[E],
        days: &mut HashSet<NaiveDate>,
    ) -> Result<u64, sqlx::Error> {
        if events.is_empty() {
            return Ok(0);
        }
        let arriving: HashSet<NaiveDate> =
            events.iter().filter_map(|event| Some(event.made_at()?.date_naive())).collect();
        for day in arriving {
            if !days.contains(&day) {
                E::ensure_partition(&mut *self.pool.acquire().await?, day).await?;
                days.insert(day);
            }
        }
        let mut tx = store::begin(&self.pool).await?;
        let stored = E::insert(&mut tx, events, self.clock.now()).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Puts an event among the rejected ones; false when that failed too.
    async fn set_aside<E: Kept>(&self, event: &E, sqlstate: &str, progress: &Progress) -> bool {
        let (name, kind) = (event.name().to_string(), E::SEVERAL);
        match self.try_set_aside(event, sqlstate).await {
            Ok(is_new) => {
                progress.rejected.add(u64::from(is_new));
                progress.shipped.add(1);
                tracing::error!(
                    event = name,
                    sqlstate,
                    "the database refuses {name} with {sqlstate}; it was set aside in rejected_{kind}"
                );
                true
            }
            Err(error) => {
                tracing::error!(event = name, %error, "{name} can be neither stored nor set aside; all later {kind} wait");
                false
            }
        }
    }

    async fn try_set_aside<E: Kept>(&self, event: &E, sqlstate: &str) -> Result<bool, sqlx::Error> {
        let mut db = self.pool.acquire().await?;
        event.set_aside(&mut db, sqlstate, self.clock.now()).await
    }
}

impl Kept for Click {
    const SEVERAL: &'static str = "clicks";

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn name(&self) -> impl fmt::Display {
        self.id
    }

    fn made_at(&self) -> Option<DateTime<Utc>> {
        self.id.made_at()
    }

    fn occurred_at_us(&self) -> i64 {
        self.occurred_at_us
    }

    async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
        clicks::ensure_partition(db, day).await
    }

    async fn insert(db: &mut PgConnection, events: &[Self], now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        clicks::insert(db, events, now).await
    }

    async fn set_aside(
        &self,
        db: &mut PgConnection,
        sqlstate: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let event = Event::Click(self.clone()).encode();
        rejected::insert_click(db, self.id, &event, sqlstate, now).await
    }

    fn announce(progress: &Progress, stored: &[Self]) {
        progress.announce(stored);
    }
}

impl Kept for Impression {
    const SEVERAL: &'static str = "impressions";

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn name(&self) -> impl fmt::Display {
        self.id
    }

    fn made_at(&self) -> Option<DateTime<Utc>> {
        self.id.made_at()
    }

    fn occurred_at_us(&self) -> i64 {
        self.occurred_at_us
    }

    async fn ensure_partition(db: &mut PgConnection, day: NaiveDate) -> Result<(), sqlx::Error> {
        impressions::ensure_partition(db, day).await
    }

    async fn insert(db: &mut PgConnection, events: &[Self], now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        impressions::insert(db, events, now).await
    }

    async fn set_aside(
        &self,
        db: &mut PgConnection,
        sqlstate: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let event = Event::Impression(self.clone()).encode();
        rejected::insert_impression(db, self.id, &event, sqlstate, now).await
    }
}

/// The SQLSTATE of an error that lies in the rows (classes 22 and 23), and that waiting does not mend. That somebody
/// else stored an event meanwhile (23505) is none: the next attempt finds it stored.
fn data_error(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let sqlstate = error.code().filter(|_| !error.is_unique_violation())?;
    ["22", "23"].iter().any(|class| sqlstate.starts_with(class)).then(|| sqlstate.into_owned())
}
