//! What shadows propose: the newest decisions that would change a rate, each with what approving it now would make of it.

use chrono::{DateTime, Utc};
use domain::{RateDecisionId, commission::dynamic::RateDecision};
use sqlx::PgConnection;

use super::{NewRateDecision, book::Book};
use crate::store::{self, rate_contracts::RateContract, rate_decisions::RecordedRateDecision};

/// A decision of a shadow that somebody may approve.
pub(crate) struct Proposal {
    /// What was decided.
    pub(crate) shadow: RecordedRateDecision,
    /// What the partner has agreed to by now.
    pub(crate) contract: Option<RateContract>,
    /// The live decision that it would become now, or why it cannot.
    pub(crate) live: Result<RateDecision, String>,
}

/// What is proposed at a moment, newest first, after one of them.
pub(crate) async fn proposals(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    (after, limit): (Option<RateDecisionId>, i64),
) -> sqlx::Result<Vec<Proposal>> {
    let shadows = store::rate_shadows::proposed(db, after, limit).await?;
    let batch: Vec<_> = shadows.iter().map(|shadow| NewRateDecision::again(shadow, now)).collect();
    let mut book = Book::read(db, &batch).await?;
    let mut proposals = Vec::new();
    for (shadow, mut new) in shadows.into_iter().zip(batch) {
        let contract = book.contract(&new).cloned();
        let taken_up = book.take_over(&mut new, now);
        let live = taken_up.map(|_| new.decision).map_err(|misfit| misfit.to_string());
        proposals.push(Proposal { shadow, contract, live });
    }
    Ok(proposals)
}
