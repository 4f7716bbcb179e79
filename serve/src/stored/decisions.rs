//! Decisions: what rules and models said of conversions, rates and pairs, with everything that they said it by.

use domain::event::{Decided, Decision, Event, Known};
use sqlx::{PgConnection, types::Uuid};

use super::{Taker, passage::Passage};
use crate::store::decision_log::{self, StoredDecision};

/// How many decisions are read and given at once: each is some kilobytes.
const PAGE: i64 = 2_000;

/// Each table of decisions, and what is decided there.
const TABLES: [(&str, Decided); 4] = [
    ("fraud_settings", Decided::Settings),
    ("fraud_scores", Decided::Score),
    ("rate_decisions", Decided::Rate),
    ("recommendations", Decided::List),
];

/// Gives what was decided.
pub(super) async fn give(db: &mut PgConnection, taker: &mut impl Taker) -> anyhow::Result<u64> {
    let mut given = 0;
    for (table, decided) in TABLES {
        let mut passage = Passage::begin(db, taker, table).await?;
        loop {
            let after = passage.after()?.unwrap_or(Uuid::nil());
            let transactions = passage.transactions().unwrap_or((i64::MIN, i64::MAX));
            let page = page(db, decided, transactions, after).await?;
            let (rows, Some(last)) = (page.len() as i64, page.last().map(|one| one.id)) else { break };
            let events = page.into_iter().map(|stored| event(stored, decided)).collect();
            passage.give(events, last.to_string()).await?;
            if rows < PAGE {
                break;
            }
        }
        given += passage.end().await?;
    }
    Ok(given)
}

async fn page(
    db: &mut PgConnection,
    decided: Decided,
    transactions: (i64, i64),
    after: Uuid,
) -> sqlx::Result<Vec<StoredDecision>> {
    match decided {
        Decided::Score => decision_log::scores(db, transactions, after, PAGE).await,
        Decided::Rate => decision_log::rates(db, transactions, after, PAGE).await,
        Decided::List => decision_log::lists(db, transactions, after, PAGE).await,
        Decided::Settings => decision_log::settings(db, transactions, after, PAGE).await,
    }
}

fn event(stored: StoredDecision, decided: Decided) -> Known<Event> {
    let at_us = stored.at.timestamp_micros();
    let decision = Decision {
        id: stored.id.into(),
        occurred_at_us: at_us,
        decided,
        conversion: stored.conversion_id,
        campaign: stored.campaign_id,
        affiliate: stored.affiliate_id,
        verdict: stored.verdict,
        mode: stored.mode,
        version: stored.version,
        record: stored.record,
    };
    Known { event: Event::Decision(decision), known_at_us: at_us }
}
