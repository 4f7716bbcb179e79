//! What the database knows: the only place of this crate that speaks SQL, one file per kind of thing.
//!
//! Every function takes a connection and leaves the transaction to its caller.

pub mod cases;
mod click_counters;
pub mod clicks;
pub mod confirmation;
pub mod conversion_history;
pub mod conversions;
mod copy;
pub mod customer_stays;
pub mod directory;
#[cfg(test)]
mod directory_histories;
pub mod impressions;
pub mod ledger;
pub mod outbox;
pub mod plans;
pub mod postbacks;
pub mod quarantine;
pub mod rejected;
pub mod touches;

use std::{error::Error, str::FromStr};

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction; dropping it takes everything back.
///
/// Use this instead of `pool.begin()`, which in sqlx 0.9.0 must not be cut off: a request whose visitor leaves while
/// it waits for `BEGIN` would put a connection back into the pool with a transaction open, and what others then
/// write through it is lost (<https://github.com/launchbadge/sqlx/issues/4393>). Here a task of its own begins, and
/// what nobody waits for any more is dropped only once it is complete.
///
/// # Errors
/// When the database does not answer.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Whether the same request may succeed in a moment: the database is away, too busy, or holds a lock for too long.
#[must_use]
pub fn is_passing(error: &sqlx::Error) -> bool {
    /// Connection lost (08), in each other's way (40), not enough of something (53), being shut down or cut off (57),
    /// and a lock that was waited for too long.
    const PASSING: &[&str] = &["08", "40", "53", "57", "55P03"];
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| PASSING.iter().any(|start| code.starts_with(start)))
        }
        _ => false,
    }
}

/// Reads a name that a CHECK constraint already holds to a set; anything else means the schema is newer than we.
fn named<T>(text: &str) -> Result<T, sqlx::Error>
where
    T: FromStr,
    T::Err: Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A count that the database keeps signed and that cannot be negative.
fn whole(number: i32) -> Result<u32, sqlx::Error> {
    u32::try_from(number).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
