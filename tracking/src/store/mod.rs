//! What the database knows: the only place of this crate that speaks SQL, one file per kind of thing.
//!
//! Every function takes a connection and leaves the transaction to its caller.

pub mod clicks;
pub mod conversions;
pub mod directory;
pub mod ledger;
pub mod outbox;
pub mod plans;
pub mod postbacks;
pub mod quarantine;
pub mod touches;

use std::{error::Error, str::FromStr};

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
