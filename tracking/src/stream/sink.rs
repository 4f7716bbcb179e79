//! Clicks go into the database: every click once, however often it comes, and no bad one holds up the others.

use std::{collections::HashSet, sync::Arc};

use chrono::NaiveDate;
use domain::{Clock, click::Click};
use sqlx::PgPool;

use super::progress::Progress;
use crate::{event::Event, patience::Patience, store};

/// Stores batches of clicks; whichever stream they come from.
pub(super) struct Sink {
    pool: PgPool,
    clock: Clock,
    progress: Arc<Progress>,
    /// Days whose partition is known to exist.
    days: HashSet<NaiveDate>,
    patience: Patience,
}

impl Sink {
    pub(super) fn new(pool: PgPool, clock: Clock, progress: Arc<Progress>) -> Self {
        Self { pool, clock, progress, days: HashSet::new(), patience: Patience::default() }
    }

    /// Stores the clicks, again and again until it succeeds. A click that the database will never take is found by
    /// halves and set aside, because it must not hold up all that come after it.
    pub(super) async fn store(&mut self, clicks: &[Click]) {
        self.progress.storing(clicks);
        let mut parts = vec![clicks];
        let mut suspect = None;
        while let Some(part) = parts.pop() {
            let error = match self.try_store(part).await {
                Ok(stored) => {
                    self.progress.stored.add(stored);
                    self.progress.shipped.add(part.len() as u64);
                    self.progress.announce(part);
                    self.patience.restore();
                    continue;
                }
                Err(error) => error,
            };
            // A partition may have been dropped since it was seen.
            self.days.clear();
            self.progress.failures.add(1);
            match (data_error(&error), part) {
                // Twice, because a day without its partition is a data error too, and the first attempt forgot days.
                (Some(sqlstate), [click])
                    if (suspect == Some(click.id) || sqlstate == store::clicks::DAY_DROPPED)
                        && self.set_aside(click, &sqlstate).await => {}
                (Some(_), [_, _, ..]) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                _ => {
                    suspect = part.first().map(|click| click.id);
                    tracing::warn!(%error, clicks = part.len(), "clicks wait until the database takes them");
                    self.patience.wait().await;
                    parts.push(part);
                }
            }
        }
        self.progress.storing(&[]);
    }

    async fn try_store(&mut self, clicks: &[Click]) -> Result<u64, sqlx::Error> {
        if clicks.is_empty() {
            return Ok(0);
        }
        let days: HashSet<NaiveDate> =
            clicks.iter().filter_map(|click| Some(click.id.made_at()?.date_naive())).collect();
        for day in days.difference(&self.days.clone()) {
            store::clicks::ensure_partition(&mut *self.pool.acquire().await?, *day).await?;
            self.days.insert(*day);
        }
        let mut tx = store::begin(&self.pool).await?;
        let stored = store::clicks::insert(&mut tx, clicks).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Puts a click among the rejected ones; false when that failed too.
    async fn set_aside(&self, click: &Click, sqlstate: &str) -> bool {
        let id = click.id;
        match self.try_set_aside(click, sqlstate).await {
            Ok(is_new) => {
                self.progress.rejected.add(u64::from(is_new));
                self.progress.shipped.add(1);
                tracing::error!(click = %id, sqlstate, "the database refuses click {id} with {sqlstate}; it was set aside in rejected_clicks");
                true
            }
            Err(error) => {
                tracing::error!(click = %id, %error, "click {id} can be neither stored nor set aside; all later ones wait");
                false
            }
        }
    }

    async fn try_set_aside(&self, click: &Click, sqlstate: &str) -> Result<bool, sqlx::Error> {
        let event = Event::Click(click.clone()).encode();
        let mut db = self.pool.acquire().await?;
        store::rejected_clicks::insert(&mut db, click.id, &event, sqlstate, self.clock.now()).await
    }
}

/// The SQLSTATE of an error that lies in the rows (classes 22 and 23), and that waiting does not mend. That somebody
/// else stored a click meanwhile (23505) is none: the next attempt finds it stored.
fn data_error(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let sqlstate = error.code().filter(|_| !error.is_unique_violation())?;
    ["22", "23"].iter().any(|class| sqlstate.starts_with(class)).then(|| sqlstate.into_owned())
}
