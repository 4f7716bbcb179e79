//! People say that the partners of a ring are one business: it is none any more, and nothing that they share makes it one again.

use chrono::{DateTime, Utc};
use domain::{Chance, RingId};
use sqlx::PgConnection;

use super::finding::dissolve;
use crate::store::{
    ring_edges,
    rings::{self, Declaration, Wanted},
};

/// Why a ring is not declared.
#[derive(Debug, thiserror::Error)]
pub enum Undeclared {
    /// There is no such ring.
    #[error("{0} does not exist")]
    Unknown(RingId),
    /// It is none any more.
    #[error("{0} is dissolved: declare the ring that its members are in now")]
    Dissolved(RingId),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// Declares the members of a ring to be one business, for the reason that somebody gives.
///
/// # Errors
/// When there is no such ring, or none any more.
pub async fn declare(
    db: &mut PgConnection,
    id: RingId,
    (actor, note): (&str, &str),
    at: DateTime<Utc>,
    chance: &Chance,
) -> Result<(), Undeclared> {
    // Whoever looks for rings just now waits, and then looks again.
    ring_edges::count_changes(db, 1).await?;
    let wanted = Wanted { id: Some(id), ..Wanted::default() };
    let ring = rings::list(db, &wanted, 1).await?.pop().ok_or(Undeclared::Unknown(id))?;
    if ring.dissolved_at.is_some() {
        return Err(Undeclared::Dissolved(id));
    }
    let affiliates = ring.members.iter().map(|member| member.affiliate_id).collect();
    rings::declare(db, &Declaration { ring: id, affiliates, note, actor, at }).await?;
    dissolve(db, &ring, "declared", at, chance).await?;
    Ok(())
}
