//! What open pages are told without being asked again: one statement for all of them, four times a second, and only while
//! somebody looks.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderName, header},
    response::{IntoResponse, Response, Sse, sse::Event},
};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, Money};
use futures_util::stream;
use serde::Serialize;
use sqlx::PgPool;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{Pages, fault::Fault, reader::Reader, session::Visitor};
use crate::store::{self, dashboard::Today, traffic::Clicks};

/// Where pages listen. Nobody is at a page because it listens: it does not keep a session from being idle.
pub const PATH: &str = "/my/live";
/// The database is asked so often, and less where it takes long to answer.
const POLLING: Duration = Duration::from_millis(250);
/// It rests for so many times as long as it took to answer, but a few seconds at most.
const RESTS: u32 = 9;
const LONGEST_REST: Duration = Duration::from_secs(5);
/// While it does not answer it is asked so often.
const UNTIL_BACK: Duration = Duration::from_secs(1);
/// A page is told that it is still heard so often.
const ALIVE: Duration = Duration::from_secs(20);
/// After so long a page has to come again, so that an ended session ends here too.
const LONGEST: Duration = Duration::from_mins(10);

/// What one affiliate did since its day began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Clicks.
    pub clicks: i64,
    /// Conversions that it has credit for.
    pub conversions: i64,
    /// What it earned, by currency.
    pub earned: Vec<Money>,
}

/// Whose day.
type Watched = (AffiliateId, DateTime<Utc>);

struct Told {
    /// Its clicks when it was first listened to.
    clicks: Clicks,
    said: watch::Sender<Arc<Counted>>,
}

/// What open pages listen to.
#[derive(Default)]
pub struct Live(Mutex<HashMap<Watched, Told>>);

impl Live {
    /// Listens to what an affiliate does since its day began, as the database has it now.
    pub async fn listen(
        &self,
        pool: &PgPool,
        watched: Watched,
    ) -> sqlx::Result<watch::Receiver<Arc<Counted>>> {
        if let Some(told) = self.all().get(&watched) {
            return Ok(told.said.subscribe());
        }
        let (affiliate, since) = watched;
        let mut db = pool.acquire().await?;
        let today =
            store::dashboard::since(&mut db, &[watched]).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
        let clicks = store::traffic::clicks_since(&mut db, affiliate, since).await?;
        let counted =
            Counted { clicks: clicks.since, conversions: today.conversions, earned: earned(&today) };
        let mut all = self.all();
        let told = all
            .entry(watched)
            .or_insert_with(|| Told { clicks, said: watch::Sender::new(Arc::new(counted)) });
        Ok(told.said.subscribe())
    }

    /// Asks once for everybody who is listened to, and tells what has changed.
    ///
    /// # Errors
    /// When the database fails; listeners keep what they know.
    pub async fn tick(&self, pool: &PgPool) -> sqlx::Result<()> {
        let watched: Vec<Watched> = {
            let mut all = self.all();
            all.retain(|_, told| told.said.receiver_count() != 0);
            all.keys().copied().collect()
        };
        if watched.is_empty() {
            return Ok(());
        }
        let seen = store::dashboard::since(&mut *pool.acquire().await?, &watched).await?;
        let all = self.all();
        for today in seen {
            let Some(told) = all.get(&(today.affiliate.into(), today.since)) else { continue };
            let clicks = told.clicks.since + (today.clicks_ever - told.clicks.ever).max(0);
            let counted = Counted { clicks, conversions: today.conversions, earned: earned(&today) };
            told.said.send_if_modified(|said| {
                let has_changed = **said != counted;
                if has_changed {
                    *said = Arc::new(counted);
                }
                has_changed
            });
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Watched, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn earned(today: &Today) -> Vec<Money> {
    today.earned.iter().filter_map(|text| sum(text)).collect()
}

/// A sum of minor units and its currency, as the database wrote it.
pub fn sum(text: &str) -> Option<Money> {
    let (minor, currency) = text.split_once(' ')?;
    Some(Money::new(minor.parse().ok()?, currency.parse().ok()?))
}

/// Keeps telling open pages for as long as the process lives.
pub async fn follow(pages: Pages) {
    let (mut failed, mut rest) = (false, POLLING);
    loop {
        sleep(rest).await;
        let asked = Instant::now();
        let told = pages.live.tick(&pages.app.db).await;
        rest = (RESTS * asked.elapsed()).clamp(POLLING, LONGEST_REST);
        match told {
            Ok(()) => failed = false,
            Err(error) => {
                if !failed {
                    tracing::warn!(%error, "open pages keep what they show until the database is back");
                }
                (failed, rest) = (true, UNTIL_BACK);
            }
        }
    }
}

/// What a page puts in its places, as its reader writes it.
#[derive(Debug, Serialize)]
struct Shown {
    clicks: String,
    conversions: String,
    earned: String,
}

/// Amounts side by side; nothing is none of them.
pub fn amounts(reader: &Reader, amounts: &[Money], nothing: &str) -> String {
    let written: Vec<_> = amounts.iter().map(|amount| reader.money(amount)).collect();
    if written.is_empty() { nothing.to_owned() } else { written.join(" + ") }
}

fn event(reader: &Reader, counted: &Counted) -> Event {
    let shown = Shown {
        clicks: reader.number(counted.clicks),
        conversions: reader.number(counted.conversions),
        earned: amounts(reader, &counted.earned, "0"),
    };
    Event::default().json_data(shown).unwrap_or_default()
}

/// A stream of what an affiliate does today, until its day, its session or the longest time ends.
pub async fn today(State(pages): State<Pages>, by: Visitor) -> Result<Response, Fault> {
    let (affiliate, now) = (by.affiliate()?, pages.app.clock.now());
    let day = by.reader.day(now);
    let listened = pages.live.listen(&pages.app.db, (affiliate, by.reader.start_of(day))).await?;
    let left = (by.reader.end_of(day) - now).to_std().unwrap_or_default().min(LONGEST);
    let (reader, ends) = (by.reader, Instant::now() + left);
    let events = stream::unfold((listened, true), move |(mut listened, is_first)| async move {
        if is_first {
            let first = event(&reader, &listened.borrow_and_update().clone());
            return Some((Ok::<_, Infallible>(first), (listened, false)));
        }
        if ends <= Instant::now() {
            return None;
        }
        let next = timeout_at(ends.min(Instant::now() + ALIVE), listened.changed()).await;
        let event = match next {
            Ok(Ok(())) => event(&reader, &listened.borrow_and_update().clone()),
            Ok(Err(_)) => return None,
            Err(_) => Event::default().comment("still here"),
        };
        Some((Ok(event), (listened, false)))
    });
    // Proxies that gather what they pass on would keep it from the page.
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Sse::new(events)).into_response())
}
