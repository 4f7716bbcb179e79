//! What partners were seen with, read from decisions and from the program's records, each change once.
//!
//! Transactions do not end in the order of their times, so that some of what was read is read again each time: the same again
//! says nothing. What was read is noted in the transaction that keeps it.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use domain::{
    AffiliateId, ConversionId,
    fraud::{
        evidence::{AddressClass, KeyedHash},
        graph::Kind,
        mailbox::normalised,
    },
};
use features::hash;
use sqlx::{PgPool, types::Uuid};
use tracking::{hiding::Hiding, store::begin};

use crate::store::ring_edges::{self, Edge, Own, Progress, Sighting};

/// For so long is kept what a partner was seen with.
const KEPT: TimeDelta = TimeDelta::days(90);
/// Nobody's transaction lasts so long.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
/// How often partners are read as a whole, so that what they have is seen to be theirs still.
const WHOLE: TimeDelta = TimeDelta::days(1);
/// How many decisions or partners are read in one transaction.
const PAGE: i64 = 5_000;

/// Reads what is new, and forgets what is old.
///
/// # Errors
/// When the database fails; what was noted is not lost.
pub async fn see(pool: &PgPool, hiding: &Hiding, now: DateTime<Utc>) -> sqlx::Result<()> {
    let progress = ring_edges::progress(&mut *pool.acquire().await?).await?;
    see_conversions(pool, &progress, now).await?;
    see_partners(pool, hiding, &progress, now).await?;
    let mut tx = begin(pool).await?;
    if ring_edges::forget(&mut tx, now - KEPT).await? != 0 {
        ring_edges::count_changes(&mut tx, 1).await?;
    }
    tx.commit().await
}

async fn see_conversions(pool: &PgPool, progress: &Progress, now: DateTime<Utc>) -> sqlx::Result<()> {
    let since = progress.scores_until.map_or(now - KEPT, |until| until - OVERLAP);
    let mut after = (since, Uuid::nil());
    loop {
        let mut tx = begin(pool).await?;
        let page = ring_edges::sightings(&mut tx, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.scored_at, last.id.uuid());
        let mut seen = Seen::default();
        page.iter().for_each(|sighting| seen.conversion(sighting));
        if ring_edges::add(&mut tx, &seen.edges()).await? != 0 {
            ring_edges::count_changes(&mut tx, 1).await?;
        }
        // A clock that is ahead must not keep others from being read.
        ring_edges::note_scores(&mut tx, last.scored_at.min(now)).await?;
        tx.commit().await?;
    }
}

async fn see_partners(
    pool: &PgPool,
    hiding: &Hiding,
    progress: &Progress,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let whole_at = progress.affiliates_whole_at.filter(|at| now < *at + WHOLE);
    let since = whole_at.and(progress.affiliates_until).map_or(DateTime::UNIX_EPOCH, |until| until - OVERLAP);
    // What is theirs is theirs all day: seen again within it, it is the same.
    let day = now.date_naive().and_time(NaiveTime::MIN).and_utc();
    let mut after = Uuid::nil();
    loop {
        let mut tx = begin(pool).await?;
        let page = ring_edges::own_things(&mut tx, since, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.affiliate_id.uuid();
        let mut seen = Seen::default();
        page.iter().for_each(|own| seen.own(own, hiding, day));
        if ring_edges::add(&mut tx, &seen.edges()).await? != 0 {
            ring_edges::count_changes(&mut tx, 1).await?;
        }
        tx.commit().await?;
    }
    let mut tx = begin(pool).await?;
    let hierarchy = ring_edges::hierarchy(&mut tx).await?;
    if hierarchy != progress.hierarchy {
        ring_edges::count_changes(&mut tx, 1).await?;
    }
    ring_edges::note_affiliates(&mut tx, (now, whole_at.unwrap_or(now)), hierarchy).await?;
    tx.commit().await
}

/// A device as edges have it.
pub fn device_of(id: &str) -> KeyedHash {
    KeyedHash(hash::name(&[id.as_bytes()]).to_be_bytes())
}

/// Edges of one page, each once.
#[derive(Default)]
struct Seen(BTreeMap<(Kind, [u8; 16], AffiliateId), Edge>);

impl Seen {
    fn conversion(&mut self, seen: &Sighting) {
        // Whoever asks for scores of old conversions sees nobody anew.
        let Some(at) = seen.conversion_id.made_at() else { return };
        let with = (seen.affiliate_id, Some(seen.conversion_id), at);
        if let Some(device) = &seen.device {
            self.add(Kind::Device, device_of(device), with);
        }
        let class = seen.class.as_ref().and_then(|class| class.parse::<AddressClass>().ok());
        let address = seen.address.as_ref().filter(|_| !class.is_some_and(AddressClass::is_shared));
        if let Some(Ok(thing)) = address.map(|address| address.parse()) {
            self.add(Kind::Address, thing, with);
        }
    }

    fn own(&mut self, own: &Own, hiding: &Hiding, day: DateTime<Utc>) {
        if let Some(mailbox) = normalised(&own.email) {
            self.add(Kind::Mailbox, hiding.mailbox(&mailbox), (own.affiliate_id, None, day));
        }
        if let Some(account) = own.account {
            self.add(Kind::PayoutAccount, account, (own.affiliate_id, None, day));
        }
    }

    fn add(
        &mut self,
        kind: Kind,
        thing: KeyedHash,
        (affiliate, first, seen_at): (AffiliateId, Option<ConversionId>, DateTime<Utc>),
    ) {
        match self.0.entry((kind, thing.0, affiliate)) {
            Entry::Vacant(place) => {
                place.insert(Edge { kind, thing, affiliate, first, is_repeated: false, seen_at });
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.is_repeated |= known.first != first;
                known.seen_at = known.seen_at.max(seen_at);
            }
        }
    }

    fn edges(self) -> Vec<Edge> {
        self.0.into_values().collect()
    }
}
