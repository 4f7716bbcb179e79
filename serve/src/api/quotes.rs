//! What a sale would earn now, before it happens: the rate in force, what it came from and why, its bounds and what is
//! announced, and the commission step by step as the ledger would have it.

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, Money, Rate,
    affiliate::AffiliateStatus,
    campaign::{CampaignStatus, QualifyingEvent},
    commission::{Credit, Plan as Terms, Sale, Step, Timeline, Version, dynamic::RatePart, settle},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    failure::Failure,
    gate::Caller,
    once::Once,
    rates::{RatePeriod, Reason},
    text::EventName,
};
use crate::{
    app::App,
    store::{
        self,
        campaigns::{Campaign, Plan},
        rate_contracts::RateContract,
    },
};

/// The whole credit, in parts per million.
const WHOLE: u32 = 1_000_000;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// A sale that may happen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuote {
    /// Who would have brought it.
    affiliate_id: AffiliateId,
    /// In which campaign.
    campaign_id: CampaignId,
    /// What it would be worth, in the campaign's currency.
    amount: Money,
    /// Which of the campaign's events it would be; the first when absent.
    event: Option<EventName>,
}

/// What a sale would earn now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quote {
    /// Who would earn.
    affiliate_id: AffiliateId,
    /// In which campaign.
    campaign_id: CampaignId,
    /// For which event.
    event: String,
    /// Whether the campaign takes clicks now; what was clicked before may still earn.
    campaign_status: CampaignStatus,
    /// At which moment.
    at: DateTime<Utc>,
    /// What the affiliate would earn with the whole credit.
    commission: Money,
    /// How it is computed, step by step.
    steps: Vec<Step>,
    /// Why nothing would be earned, if so.
    nothing_because: Option<String>,
    /// The rate that people agreed on last, from which decisions moved it; null where the terms pay in another way.
    base: Option<Rate>,
    /// What decisions did to the rate since; sums to the difference between `base` and the rate in force.
    reasons: Vec<Reason>,
    /// The terms in force, and since when.
    now: Option<RatePeriod>,
    /// The next change that is announced.
    next: Option<RatePeriod>,
    /// Within which bounds the rate moves; null where nobody agreed that it does.
    contract: Option<RateContract>,
}

/// Quote what a sale would earn an affiliate now, with the rate in force, how it came about, its bounds and the next change.
/// Nothing is recorded but the answer to a request with an idempotency key. An affiliate's own key asks for itself.
#[utoipa::path(post, path = "/commissions/quote", tag = "quotes", request_body = NewQuote,
    responses((status = 200, description = "The quote.", body = Quote)),
    security(("key" = ["rates:read"])))]
async fn create(app: State<App>, once: Once<NewQuote>) -> Result<Response, Failure> {
    let Once { by, body: NewQuote { affiliate_id, campaign_id, amount, event }, mut effect } = once;
    let (campaign, status) = involved(&mut effect, &by, affiliate_id, campaign_id).await?;
    let event = meant(&campaign, event.as_ref().map(EventName::as_str))?;
    if amount.currency != campaign.currency {
        let detail = format!("the campaign counts in {}", campaign.currency);
        return Err(Failure::unprocessable("/amount/currency", detail));
    }
    if amount.minor < 0 {
        return Err(Failure::unprocessable("/amount/value", "a sale is worth nothing less than nothing"));
    }
    let plans = store::campaigns::plans_for(&mut effect, &[campaign_id], &[affiliate_id]).await?;
    let contract = store::rate_contracts::in_force(&mut effect, &[affiliate_id], &[campaign_id]).await?.pop();
    let timeline = Timeline::new(plans.into_iter().map(Plan::into_version).collect());
    let at = app.clock.now();
    let in_force = timeline.at(at).filter(|version| version.effective_from <= at);
    let nothing_because = why_nothing(in_force, status, event, amount);
    let earned = in_force.filter(|_| nothing_because.is_none()).and_then(|version| {
        earned(version, affiliate_id, &Sale { event: &event.name, kind: event.kind, amount })
    });
    let nothing_because = nothing_because.or_else(|| {
        earned.is_none().then(|| format!("the terms in force pay nothing for a {} of {amount}", event.name))
    });
    let (base, reasons) = derivation(&timeline, at);
    let (commission, steps) = earned.unwrap_or((Money::zero(amount.currency), Vec::new()));
    let next = RatePeriod::all(&timeline).into_iter().find(|period| period.is_after(at));
    let quote = Quote {
        affiliate_id,
        campaign_id,
        event: event.name.clone(),
        campaign_status: campaign.status,
        at,
        commission,
        steps,
        nothing_because,
        base,
        reasons,
        now: RatePeriod::at(&timeline, at),
        next,
        contract,
    };
    effect.answer(StatusCode::OK, &quote).await
}

/// The campaign, and how the affiliate stands; who may not see them is told that there is nothing.
async fn involved(
    db: &mut sqlx::PgConnection,
    by: &Caller,
    affiliate: AffiliateId,
    campaign: CampaignId,
) -> Result<(Campaign, AffiliateStatus), Failure> {
    let unknown = |pointer, id: &dyn std::fmt::Display| {
        Failure::unprocessable(pointer, format!("{id} does not exist, or this key may not see it"))
    };
    let found = store::affiliates::find(db, affiliate, by.affiliate).await?;
    let status = found.ok_or_else(|| unknown("/affiliate_id", &affiliate))?.status;
    let found = store::campaigns::find(db, campaign, by.affiliate).await?;
    Ok((found.ok_or_else(|| unknown("/campaign_id", &campaign))?, status))
}

fn meant<'a>(campaign: &'a Campaign, event: Option<&str>) -> Result<&'a QualifyingEvent, Failure> {
    let mut events = campaign.events.iter();
    let found = events.find(|known| event.is_none_or(|event| known.name == event));
    found.ok_or_else(|| {
        let names: Vec<&str> = campaign.events.iter().map(|event| event.name.as_str()).collect();
        Failure::unprocessable("/event", format!("the campaign pays for {}", names.join(", ")))
    })
}

fn why_nothing(
    in_force: Option<&Version>,
    status: AffiliateStatus,
    event: &QualifyingEvent,
    amount: Money,
) -> Option<String> {
    if status != AffiliateStatus::Approved {
        return Some("the affiliate is not approved".to_owned());
    }
    if in_force.is_none() {
        return Some("no terms hold yet".to_owned());
    }
    let least = event.min_amount.filter(|_| !event.qualifies(amount))?;
    Some(format!("a {} counts from {least} on", event.name))
}

/// What who brings the sale earns with the whole credit; nothing where no rule is for the event.
fn earned(version: &Version, affiliate: AffiliateId, sale: &Sale<'_>) -> Option<(Money, Vec<Step>)> {
    let plan = Terms { id: version.id, version: version.version, rules: version.rules.clone() };
    let because = "It is quoted for the whole credit.".to_owned();
    let credit = Credit { affiliate, share_ppm: WHOLE, because, plan: &plan, upline: Vec::new() };
    let line = settle(sale, &[credit]).into_iter().find(|line| line.level == 0)?;
    Some((line.amount, line.trace.steps))
}

/// The rate that people agreed on last before a moment, and what decisions did to it since, reason by reason.
fn derivation(timeline: &Timeline, at: DateTime<Utc>) -> (Option<Rate>, Vec<Reason>) {
    let (mut base, mut rate, mut parts) = (None, None, Vec::<RatePart>::new());
    let stretches = timeline.stretches();
    for paid in stretches.iter().take_while(|(from, _)| *from <= at).map(|(_, version)| version.rate()) {
        let decision = paid.and_then(|paid| paid.decision);
        let from = decision.map(|decision| decision.previous);
        // People agreed on something since the decision was made: it began from what was agreed then.
        if decision.is_none() || from != rate {
            base = from.or(paid.map(|paid| paid.rate));
            parts.clear();
        }
        for part in decision.iter().flat_map(|decision| &decision.parts) {
            match parts.iter_mut().find(|known| known.reason == part.reason) {
                Some(known) => known.ppm += part.ppm,
                None => parts.push(*part),
            }
        }
        rate = paid.map(|paid| paid.rate);
    }
    let told = |part: RatePart| Reason::new(part.reason, part.ppm);
    (base, parts.into_iter().map(told).collect())
}
