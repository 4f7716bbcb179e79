//! Plans: a version that pays a part of an order is a rate that applies from then on.

use domain::{
    Rate,
    commission::{Reward, Rule, Terms},
    event::{Event, Known, RateChange},
};
use sqlx::{PgConnection, types::Uuid};

use super::{Taker, passage::Passage};
use crate::store::lake::{StoredPlan, plans};

/// How many plans are read and given at once.
const PAGE: i64 = 10_000;

/// Gives the rates that are new.
pub(super) async fn give(db: &mut PgConnection, taker: &mut impl Taker) -> anyhow::Result<u64> {
    let mut passage = Passage::begin(db, taker, "plans").await?;
    loop {
        let after = passage.after()?.unwrap_or(Uuid::nil());
        let transactions = passage.transactions().unwrap_or((i64::MIN, i64::MAX));
        let page = plans(db, transactions, after, PAGE).await?;
        let Some(last) = page.last().map(|plan| plan.id.uuid()) else { break };
        passage.give(page.iter().filter_map(event).collect(), last.to_string()).await?;
        if (page.len() as i64) < PAGE {
            break;
        }
    }
    passage.end().await
}

fn event(plan: &StoredPlan) -> Option<Known<Event>> {
    let change = RateChange {
        id: plan.id.uuid().into(),
        occurred_at_us: plan.effective_from.timestamp_micros(),
        campaign: plan.campaign_id,
        affiliate: plan.affiliate_id,
        rate: rate_of(&plan.rules)?,
    };
    Some(Known { event: Event::RateChange(change), known_at_us: plan.created_at.timestamp_micros() })
}

/// The rate for what no other rule names, or else the first; none where every rule pays fixed amounts.
fn rate_of(rules: &[Rule]) -> Option<Rate> {
    let rate = |rule: &Rule| match &rule.terms {
        Terms::Percentage(terms) => Some(terms.rate),
        Terms::Dynamic(terms) => Some(terms.rate),
        Terms::TwoTier(terms) => match terms.first {
            Reward::Rate(rate) => Some(rate),
            Reward::Amount(_) => None,
        },
        Terms::Flat(_) => None,
    };
    let general = rules.iter().filter(|rule| rule.event.is_none()).find_map(rate);
    general.or_else(|| rules.iter().find_map(rate))
}
