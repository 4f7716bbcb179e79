//! Reviews: what people found when they decided cases.

use domain::event::{Event, Known, Review};
use sqlx::{PgConnection, types::Uuid};

use super::{Taker, passage::Passage};
use crate::store::case_labels::{CaseLabel, stored};

/// How many labels are read and given at once.
const PAGE: i64 = 10_000;

/// Gives what was found.
pub(super) async fn give(db: &mut PgConnection, taker: &mut impl Taker) -> anyhow::Result<u64> {
    let mut passage = Passage::begin(db, taker, "reviews").await?;
    loop {
        let after = passage.after()?.unwrap_or(Uuid::nil());
        let transactions = passage.transactions().unwrap_or((i64::MIN, i64::MAX));
        let page = stored(db, transactions, after, PAGE).await?;
        let Some(last) = page.last().map(|label| label.id.uuid()) else { break };
        passage.give(page.iter().map(event).collect(), last.to_string()).await?;
        if (page.len() as i64) < PAGE {
            break;
        }
    }
    passage.end().await
}

fn event(label: &CaseLabel) -> Known<Event> {
    let at_us = label.decided_at.timestamp_micros();
    let review = Review {
        id: label.id,
        occurred_at_us: at_us,
        conversion: label.conversion_id,
        campaign: label.campaign_id,
        affiliate: label.affiliate_id,
        verdict: label.verdict,
    };
    Known { event: Event::Review(review), known_at_us: at_us }
}
