//! Rates as affiliates see them: what holds now and why, what is announced, within which bounds, and how it has been.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, PlanId, Rate,
    commission::{
        Timeline, Version,
        dynamic::{RateDecision, RateReason},
    },
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
};
use crate::{
    app::App,
    store::{self, campaigns::Plan, rate_contracts::RateContract},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(one))
}

/// What one reason did to a rate.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reason {
    /// Which reason.
    pub(crate) reason: RateReason,
    /// By how many parts per million it moved the rate; the reasons sum to the change.
    pub(crate) ppm: i64,
    /// The reason as a person reads it.
    pub(crate) words: &'static str,
}

impl Reason {
    /// The reasons of a decision, in the order in which the rate was computed.
    pub(super) fn of(decision: &RateDecision) -> Vec<Self> {
        decision.parts.iter().map(|part| Self::new(part.reason, part.ppm)).collect()
    }

    pub(super) fn new(reason: RateReason, ppm: i64) -> Self {
        Self { reason, ppm, words: reason.words() }
    }
}

/// A time for which one version of the terms holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct RatePeriod {
    /// Which part of an order is paid; null where the terms pay in another way.
    pub(crate) rate: Option<Rate>,
    /// It holds for what happens from this moment on.
    pub(crate) from: DateTime<Utc>,
    /// Until then; null while nothing else is announced.
    pub(crate) until: Option<DateTime<Utc>>,
    /// Why it is what it is, in words.
    pub(crate) why: String,
    /// What moved the rate, if it was decided.
    pub(crate) reasons: Vec<Reason>,
    /// Commissions are final only when the customer has stayed so many days; null if they are final when approved.
    pub(crate) final_after_days: Option<u16>,
    /// When it was decided; null where people agreed on it.
    pub(crate) decided_at: Option<DateTime<Utc>>,
    /// By which policy.
    pub(crate) policy_version: Option<String>,
    /// By the predictions of which model.
    pub(crate) model_version: Option<String>,
    /// The version of the terms.
    pub(crate) plan_id: PlanId,
    /// Its number among the affiliate's own plans, or the campaign's.
    pub(crate) plan_version: u32,
    /// Whether the terms are the affiliate's own; else they are the campaign's.
    pub(crate) is_own: bool,
}

impl RatePeriod {
    fn new(version: &Version, from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Self {
        let paid = version.rate();
        let decision = paid.and_then(|paid| paid.decision);
        let whose = if version.is_own { "its own" } else { "the campaign's" };
        let why = match (decision, paid) {
            (Some(decision), _) => decision.words(),
            (None, Some(paid)) => format!("People agreed on {} in {whose} plan.", paid.rate),
            (None, None) => format!("People agreed on terms other than a rate in {whose} plan."),
        };
        Self {
            rate: paid.map(|paid| paid.rate),
            from,
            until,
            why,
            reasons: decision.map(Reason::of).unwrap_or_default(),
            final_after_days: decision.and_then(|decision| decision.final_after_days),
            decided_at: decision.map(|decision| decision.decided_at),
            policy_version: decision.map(|decision| decision.policy_version.clone()),
            model_version: decision.map(|decision| decision.model_version.clone()),
            plan_id: version.id,
            plan_version: version.version,
            is_own: version.is_own,
        }
    }

    /// The period of a moment; none before the first.
    pub(super) fn at(timeline: &Timeline, moment: DateTime<Utc>) -> Option<Self> {
        Self::all(timeline).into_iter().rfind(|period| period.from <= moment)
    }

    /// Whether it begins after a moment.
    pub(super) fn is_after(&self, moment: DateTime<Utc>) -> bool {
        moment < self.from
    }

    /// Every period, oldest first.
    pub(super) fn all(timeline: &Timeline) -> Vec<Self> {
        let stretches = timeline.stretches();
        let ends = stretches.iter().skip(1).map(|(from, _)| Some(*from)).chain([None]);
        stretches.iter().zip(ends).map(|((from, version), until)| Self::new(version, *from, until)).collect()
    }
}

/// How an affiliate is paid in a campaign, all of it.
#[derive(Debug)]
pub struct Paid {
    /// What holds now; none before the first terms.
    pub(crate) now: Option<RatePeriod>,
    /// What is announced, soonest first.
    pub(crate) announced: Vec<RatePeriod>,
    /// Within which bounds the rate moves; none where nobody agreed that it does.
    pub(crate) contract: Option<RateContract>,
    /// How it has been up to now, newest first.
    pub(crate) past: Vec<RatePeriod>,
}

impl Paid {
    /// How an affiliate is paid in a campaign at a moment.
    pub(crate) async fn find(
        db: &mut PgConnection,
        affiliate: AffiliateId,
        campaign: CampaignId,
        now: DateTime<Utc>,
    ) -> sqlx::Result<Self> {
        let plans = store::campaigns::plans_for(db, &[campaign], &[affiliate]).await?;
        let contract = store::rate_contracts::in_force(db, &[affiliate], &[campaign]).await?.pop();
        let timeline = Timeline::new(plans.into_iter().map(Plan::into_version).collect());
        let (mut past, announced): (Vec<_>, Vec<_>) =
            RatePeriod::all(&timeline).into_iter().partition(|period| period.from <= now);
        past.reverse();
        Ok(Self { now: RatePeriod::at(&timeline, now), announced, contract, past })
    }
}

/// How an affiliate is paid in a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct AffiliateRates {
    /// Who is paid.
    affiliate_id: AffiliateId,
    /// In which campaign.
    campaign_id: CampaignId,
    /// What holds now; null before the first terms.
    now: Option<RatePeriod>,
    /// What is announced, soonest first.
    announced: Vec<RatePeriod>,
    /// Within which bounds the rate moves; null where nobody agreed that it does.
    contract: Option<RateContract>,
    /// How it has been up to now, newest first.
    history: Page<RatePeriod>,
}

/// In which campaign.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AffiliateRatesFilter {
    /// In which campaign.
    campaign_id: CampaignId,
}

/// Show an affiliate's rate in a campaign: now, why and since when, what is announced, the bounds, and its history page by
/// page. An affiliate's own key sees its own.
#[utoipa::path(get, path = "/affiliates/{id}/rates", tag = "rates",
    params(("id" = AffiliateId, Path), Paging, AffiliateRatesFilter),
    responses((status = 200, description = "The rate.", body = AffiliateRates)),
    security(("key" = ["rates:read"])))]
async fn one(
    app: State<App>,
    by: Caller,
    Id(id): Id<AffiliateId>,
    listing: Listing<AffiliateRatesFilter, i64>,
) -> Result<Json<AffiliateRates>, Failure> {
    let mut db = app.db.acquire().await?;
    let campaign = listing.filter.campaign_id;
    store::affiliates::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    store::campaigns::find(&mut db, campaign, by.affiliate)
        .await?
        .ok_or_else(|| Failure::not_found(campaign))?;
    let Paid { now, announced, contract, past } = Paid::find(&mut db, id, campaign, app.clock.now()).await?;
    let place = |period: &RatePeriod| period.from.timestamp_micros();
    let wanted = |period: &RatePeriod| listing.after.is_none_or(|after| place(period) < after);
    let reach = usize::try_from(listing.reach()).unwrap_or(usize::MAX);
    Ok(Json(AffiliateRates {
        affiliate_id: id,
        campaign_id: campaign,
        now,
        announced,
        contract,
        history: listing.page(past.into_iter().filter(wanted).take(reach).collect(), place),
    }))
}
