//! What campaigns pay partners whose rates may move: who agreed to that, at which rates they are, and what is announced.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{CampaignId, Rate, commission::dynamic::Standing};
use sqlx::PgConnection;

use super::book::timelines;
use crate::store;

/// The rates of a campaign's partners.
#[derive(Debug)]
pub(crate) struct CampaignRates {
    /// Which campaign.
    pub(crate) campaign: CampaignId,
    /// How many partners agreed that their rate moves.
    pub(crate) partners: usize,
    /// What they are paid, the lowest rate first; without those whose terms pay no single rate.
    pub(crate) rates: Vec<Rate>,
    /// For how many of them a change is announced.
    pub(crate) announced: usize,
    /// By which policy a partner of it was decided about last, live.
    pub(crate) policy: Option<String>,
}

impl CampaignRates {
    /// The rate in the middle; of two the lower.
    pub(crate) fn median(&self) -> Option<Rate> {
        self.rates.get(self.rates.len().saturating_sub(1) / 2).copied()
    }
}

/// The rates of every campaign in which somebody agreed that they move.
pub(crate) async fn current(db: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<CampaignRates>> {
    let contracts = store::rate_contracts::all_in_force(db).await?;
    let plans = store::campaigns::plans_from(db, now).await?;
    let mut policies = store::rate_decisions::last_policies(db).await?;
    let places = contracts.iter().map(|one| (one.affiliate_id, one.campaign_id));
    let timelines = timelines(places, plans);
    let mut campaigns = BTreeMap::<CampaignId, Vec<Option<Standing>>>::new();
    for contract in &contracts {
        let timeline = timelines.get(&(contract.affiliate_id, contract.campaign_id));
        let standing = timeline.and_then(|timeline| timeline.standing(contract.terms(), now));
        campaigns.entry(contract.campaign_id).or_default().push(standing);
    }
    let rates = |(campaign, standings): (CampaignId, Vec<Option<Standing>>)| {
        let mut rates: Vec<Rate> = standings.iter().flatten().map(|standing| standing.rate).collect();
        rates.sort_unstable();
        CampaignRates {
            campaign,
            partners: standings.len(),
            rates,
            announced: standings.iter().flatten().filter(|standing| standing.pending.is_some()).count(),
            policy: policies.remove(&campaign),
        }
    };
    Ok(campaigns.into_iter().map(rates).collect())
}
