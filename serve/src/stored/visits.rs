//! Clicks and impressions: a batch of them says between which ids they lie, so that new ones are found without asking
//! all.

use domain::event::{Event, Known};
use sqlx::{PgConnection, types::Uuid};

use super::{Taker, passage::Passage};
use crate::store::lake::{Stretch, stretches};

/// How many events are read and given at once.
const PAGE: i64 = 50_000;

/// Stretches that are closer than this are read as one: 16 bits of time and all of chance, about a minute.
const NEAR: u128 = 60_000 << 80;

/// A row of a table whose keys are in the order in which they were made.
pub(super) trait Row: Sized {
    /// The table's name.
    const TABLE: &'static str;
    /// What the list of batches calls its rows.
    const KIND: &'static str;

    /// The rows after `after` up to `last`, in the order of their ids.
    async fn page(db: &mut PgConnection, after: Uuid, last: Uuid, limit: i64) -> sqlx::Result<Vec<Self>>;

    /// The row's key.
    fn id(&self) -> Uuid;

    /// What happened, as the lake and the feature state know it.
    fn event(self) -> anyhow::Result<Known<Event>>;
}

/// Gives the rows that are new.
pub(super) async fn give<R: Row>(db: &mut PgConnection, taker: &mut impl Taker) -> anyhow::Result<u64> {
    let mut passage = Passage::begin(db, taker, R::TABLE).await?;
    let stretches = match passage.transactions() {
        Some((from, until)) => together(stretches(db, R::KIND, from, until).await?),
        None => vec![Stretch { first: Uuid::nil(), last: Uuid::max() }],
    };
    for stretch in stretches {
        loop {
            // What is before the first of the stretch is as good as given.
            let before = Uuid::from_u128(stretch.first.as_u128().saturating_sub(1));
            let after = passage.after()?.unwrap_or(before).max(before);
            let page = R::page(db, after, stretch.last, PAGE).await?;
            let Some(last) = page.last().map(R::id) else { break };
            let is_last = (page.len() as i64) < PAGE;
            let events = page.into_iter().map(R::event).collect::<anyhow::Result<_>>()?;
            passage.give(events, last.to_string()).await?;
            if is_last {
                break;
            }
        }
    }
    passage.end().await
}

/// The stretches, in the order of their first ids, with those as one that overlap or nearly do.
fn together(stretches: Vec<Stretch>) -> Vec<Stretch> {
    let mut joined: Vec<Stretch> = Vec::new();
    for next in stretches {
        match joined.last_mut() {
            Some(last) if next.first.as_u128() <= last.last.as_u128().saturating_add(NEAR) => {
                last.last = last.last.max(next.last);
            }
            _ => joined.push(next),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from one click to another.
    fn check(stretches: &[(u64, u64)], joined: &[(u64, u64)]) {
        let id = |second: u64| Uuid::from_u128(u128::from(second * 1_000) << 80);
        let of = |pairs: &[(u64, u64)]| -> Vec<Stretch> {
            pairs.iter().map(|(first, last)| Stretch { first: id(*first), last: id(*last) }).collect()
        };
        assert_eq!(together(of(stretches)), of(joined));
    }

    #[test]
    fn stretches_that_are_near_each_other_are_read_as_one() {
        check(&[], &[]);
        check(&[(0, 10), (5, 20), (80, 90), (151, 152)], &[(0, 90), (151, 152)]);
        check(&[(0, 100), (10, 20), (100, 101)], &[(0, 101)]);
    }
}
