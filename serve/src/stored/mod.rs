//! What the database stored, told to whoever wants every event once: none passed over, in whatever order transactions
//! end, and each again after a crash that came before it was noted.
//!
//! The database is asked by the numbers of transactions, up to the oldest that is open. How far it came is a note that
//! the taker keeps beside what it took: what is true of a lake is then true of that lake, and so of a state in memory.

mod clicks;
mod conversions;
mod decisions;
mod impressions;
mod passage;
mod plans;
mod reviews;
mod visits;

use domain::{
    ConversionId,
    event::{Conversion, Event, Known},
};
use sqlx::PgConnection;

use crate::store::lake::{MoveKey, StoredClick, StoredImpression, moves};

/// Who is told.
pub trait Taker: Send {
    /// Whether decisions are told too; who makes them has no need of them.
    const TAKES_DECISIONS: bool;

    /// How far the events of a table were taken, as it was kept; none at the beginning.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    fn note(&self, table: &str) -> anyhow::Result<Option<String>>;

    /// Where that stands, for whoever has to look at it.
    fn place(&self, table: &str) -> String;

    /// Takes events for good; those of a page that is not noted come again.
    fn take(&mut self, events: Vec<Known<Event>>) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Keeps how far the events of a table were taken.
    fn keep_note(&mut self, table: &str, text: String) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// A stored click as an event.
///
/// # Errors
/// When a newer release stored it in a way that this one cannot read.
pub fn click(stored: StoredClick) -> anyhow::Result<Known<Event>> {
    visits::Row::event(stored)
}

/// A stored conversion as it was reported; none where there is no such conversion.
///
/// # Errors
/// When the database fails.
pub async fn conversion(db: &mut PgConnection, id: ConversionId) -> sqlx::Result<Option<Conversion>> {
    let first = MoveKey { conversion: id.uuid(), position: 0 };
    Ok(moves(db, &[first]).await?.first().map(conversions::conversion))
}

/// Gives everything that was stored since the taker was last given something; says how many events that were.
///
/// # Errors
/// When the database or the taker fails; what was noted is not given again.
pub async fn give(db: &mut PgConnection, taker: &mut impl Taker) -> anyhow::Result<u64> {
    let happened = visits::give::<StoredClick>(db, taker).await?
        + visits::give::<StoredImpression>(db, taker).await?
        + conversions::give(db, taker).await?
        + plans::give(db, taker).await?
        + reviews::give(db, taker).await?;
    Ok(happened + give_decisions(db, taker).await?)
}

async fn give_decisions<T: Taker>(db: &mut PgConnection, taker: &mut T) -> anyhow::Result<u64> {
    if T::TAKES_DECISIONS { decisions::give(db, taker).await } else { Ok(0) }
}
