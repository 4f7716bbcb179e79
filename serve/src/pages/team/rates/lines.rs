//! The lines of the page of the rate policy, as its reader writes numbers and times.

use domain::{Money, Rate, commission::dynamic::RateDecision};

use super::{Names, called};
use crate::{
    api::rate_decisions::{CampaignRates, Proposal},
    pages::{live::amounts, reader::Reader, words::tell},
    store::{
        rate_contracts::RateContract,
        rate_shadows::{Compared, ShadowResult},
    },
};

/// A decision that somebody may approve.
pub(super) struct Proposed {
    pub(super) id: String,
    pub(super) affiliate: String,
    pub(super) affiliate_name: String,
    pub(super) campaign_name: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) change: String,
    pub(super) why: String,
    pub(super) final_after: Option<String>,
    pub(super) flags: Vec<String>,
    pub(super) decided: String,
    pub(super) policy: String,
    /// From when on it would hold, if it can be approved.
    pub(super) holds: Option<String>,
    /// Why it cannot be approved, if so.
    pub(super) refused: Option<String>,
    pub(super) bounds: Option<String>,
    pub(super) is_ticked: bool,
}

impl Proposed {
    /// A proposal that is not ticked.
    pub(super) fn of(proposal: Proposal, reader: &Reader, names: &Names) -> Self {
        let Proposal { shadow, contract, live } = proposal;
        let decision = &shadow.decision;
        let effective_at = live.as_ref().ok().and_then(|live| live.effective_at);
        Self {
            id: shadow.id.to_string(),
            affiliate: shadow.affiliate_id.to_string(),
            affiliate_name: names.partner(shadow.affiliate_id),
            campaign_name: names.campaign(shadow.campaign_id),
            from: reader.rate(&decision.previous),
            to: reader.rate(&decision.next),
            change: reader.points(decision.change_ppm()),
            why: decision.words(),
            final_after: final_after(decision),
            flags: decision.flags.iter().map(|flag| called(*flag)).collect(),
            decided: reader.time(&decision.decided_at),
            policy: decision.policy_version.clone(),
            holds: effective_at.map(|at| reader.time(&at)),
            refused: live.err().map(|why| tell("proposal-refused", &[("why", &why)])),
            bounds: contract.map(|contract| bounds(&contract, reader)),
            is_ticked: false,
        }
    }
}

fn final_after(decision: &RateDecision) -> Option<String> {
    decision.final_after_days.map(|days| tell("rate-final-after", &[("days", &days.to_string())]))
}

/// What was agreed, in a line.
fn bounds(contract: &RateContract, reader: &Reader) -> String {
    let days = |days: u16| tell("bound-days", &[("count", &days.to_string())]);
    let (floor, cap) = (reader.rate(&contract.floor), reader.rate(&contract.cap));
    let step = reader.points(contract.step.ppm.into());
    let (period, notice) = (days(contract.period_days), days(contract.notice_days));
    let values = [
        ("floor", floor.as_str()),
        ("cap", &cap),
        ("step", step.trim_start_matches('+')),
        ("period", &period),
        ("notice", &notice),
    ];
    tell("proposal-bounds", &values)
}

/// What a policy decided in the shadow.
pub(super) struct Shadow {
    pub(super) policy: String,
    pub(super) decisions: String,
    pub(super) partners: String,
    pub(super) up: String,
    pub(super) down: String,
    pub(super) unchanged: String,
    pub(super) change: String,
    pub(super) flagged: String,
    pub(super) approved: String,
    pub(super) conversions: String,
    pub(super) earned: String,
    pub(super) would_have: String,
}

impl Shadow {
    /// What a policy decided, with what conversions say of that.
    pub(super) fn of(result: ShadowResult, compared: &[Compared], reader: &Reader) -> Self {
        let number = |number: i64| reader.number(number);
        let of_it = || compared.iter().filter(|one| one.policy_version == result.policy_version);
        let earned: Vec<Money> = of_it().map(|one| one.earned).collect();
        let would_have: Vec<Money> = of_it().map(|one| one.would_have).collect();
        let conversions: i64 = of_it().map(|one| one.conversions).sum();
        Self {
            decisions: number(result.decisions),
            partners: number(result.partners),
            up: number(result.up),
            down: number(result.down),
            unchanged: number(result.unchanged),
            change: reader.points(result.change_ppm.round() as i64),
            flagged: number(result.flagged),
            approved: number(result.approved),
            conversions: number(conversions),
            earned: amounts(reader, &earned, "–"),
            would_have: amounts(reader, &would_have, "–"),
            policy: result.policy_version,
        }
    }
}

/// What a campaign pays partners whose rates may move.
pub(super) struct Current {
    pub(super) campaign: String,
    pub(super) campaign_name: String,
    pub(super) partners: String,
    pub(super) lowest: String,
    pub(super) median: String,
    pub(super) highest: String,
    pub(super) announced: String,
    pub(super) policy: String,
}

impl Current {
    pub(super) fn of(rates: CampaignRates, reader: &Reader, names: &Names) -> Self {
        let number = |number: usize| reader.number(i64::try_from(number).unwrap_or(i64::MAX));
        let rate = |rate: Option<Rate>| rate.map_or_else(|| "–".to_owned(), |rate| reader.rate(&rate));
        Self {
            campaign: rates.campaign.to_string(),
            campaign_name: names.campaign(rates.campaign),
            partners: number(rates.partners),
            lowest: rate(rates.rates.first().copied()),
            median: rate(rates.median()),
            highest: rate(rates.rates.last().copied()),
            announced: number(rates.announced),
            policy: rates.policy.unwrap_or_else(|| "–".to_owned()),
        }
    }
}
