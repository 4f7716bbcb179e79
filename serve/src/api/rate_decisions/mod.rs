//! Decisions about affiliates' rates: held against their contracts, recorded for ever, and paid by when they are live.

mod approving;
mod book;
mod current;
mod proposals;
#[cfg(test)]
pub mod tests;

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, SubsecRound, Utc};
use domain::{
    AffiliateId, CampaignId, PlanId, Rate, RateDecisionId,
    commission::dynamic::{RateDecision, RateMode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tracking::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::book::{Book, Next, TakenUp};
pub(crate) use self::{
    approving::approved,
    current::{CampaignRates, current},
    proposals::{Proposal, proposals},
};
use super::{
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    rates::Reason,
    text::Day,
};
use crate::{
    app::App,
    store::{
        self,
        campaigns::Plan,
        outbox::announce,
        rate_decisions::{Occasion, RecordedRateDecision, Wanted},
    },
};

/// How many decisions may come at once.
const BATCH_MAX: usize = 1_000;
/// No batch of so many decisions comes near this many bytes.
const BATCH_LIMIT: usize = 8 * 1024 * 1024;
/// What the job writes beside a decision, and follows from it or from the contract.
const TOLD_BESIDES: [&str; 5] = ["partner_id", "change_ppm", "propensity_ppm", "notice_days", "words"];
/// How many of the decisions that are at fault are pointed at.
const POINTED_AT: usize = 20;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .merge(approving::routes())
        .layer(DefaultBodyLimit::max(BATCH_LIMIT))
}

/// A decision about an affiliate's rate, as the policy wrote it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewRateDecision {
    /// Whose rate.
    affiliate_id: AffiliateId,
    /// In which campaign.
    campaign_id: CampaignId,
    #[serde(flatten)]
    decision: RateDecision,
    /// Whatever else there is.
    #[serde(flatten)]
    #[schema(ignore)]
    besides: BTreeMap<String, Value>,
}

impl NewRateDecision {
    /// What was recorded, as if it was decided again at a moment.
    fn again(recorded: &RecordedRateDecision, decided_at: DateTime<Utc>) -> Self {
        let RecordedRateDecision { affiliate_id, campaign_id, .. } = *recorded;
        let decision = RateDecision { decided_at, ..recorded.decision.clone() };
        Self { affiliate_id, campaign_id, decision, besides: BTreeMap::new() }
    }

    /// What nobody writes of a decision: a slip, which could not be mended once it is recorded.
    fn unknown(&self) -> impl Iterator<Item = &str> {
        self.besides.keys().map(String::as_str).filter(|field| !TOLD_BESIDES.contains(field))
    }

    fn occasion(&self) -> Occasion {
        let RateDecision { decided_at, policy_version, .. } = &self.decision;
        (self.affiliate_id, self.campaign_id, *decided_at, policy_version.clone())
    }
}

/// Decisions that are taken up together or not at all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRateDecisions {
    /// In the order in which they were made.
    #[schema(min_items = 1, max_items = 1000)]
    decisions: Vec<NewRateDecision>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedBatch {
    /// The decisions' ids, in the order in which they came.
    ids: Vec<RateDecisionId>,
    /// How many of them make a next version of an affiliate's own plan.
    changes: usize,
}

/// Which decisions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RateDecisionFilter {
    /// Only those.
    #[param(required = false, value_type = RateMode)]
    mode: Option<RateMode>,
    /// Only about this affiliate's rate.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
    /// Only in this campaign.
    #[param(required = false, value_type = CampaignId)]
    campaign_id: Option<CampaignId>,
    /// Only what was decided on this day or later.
    #[param(required = false, value_type = Day)]
    since: Option<Day>,
}

/// Take up decisions about affiliates' rates, all or none. Live ones make the next versions of the affiliates' own plans,
/// effective from their dates, and are announced; shadow ones are recorded and change nothing.
#[utoipa::path(post, path = "/rate-decisions", tag = "rate_decisions", request_body = NewRateDecisions,
    responses((status = 201, description = "Recorded.", body = RecordedBatch)),
    security(("key" = ["rates:write"])))]
async fn create(app: State<App>, once: Once<NewRateDecisions>) -> Result<Response, Failure> {
    let Once { by, body: NewRateDecisions { mut decisions }, mut effect } = once;
    if !(1..=BATCH_MAX).contains(&decisions.len()) {
        let detail = format!("there are {}; send 1 to {BATCH_MAX} at once", decisions.len());
        return Err(Failure::unprocessable("/decisions", detail));
    }
    let misfits = decisions.iter().enumerate().flat_map(|(place, new)| {
        new.unknown()
            .map(move |field| (format!("/decisions/{place}"), format!("a decision has no field {field}")))
    });
    let misfits: Vec<_> = misfits.collect();
    if !misfits.is_empty() {
        return Err(refused(misfits, decisions.len()));
    }
    decisions.iter_mut().for_each(as_kept);
    let (now, actor) = (app.clock.now(), by.key.to_string());
    let mut book = Book::open(&mut effect, &decisions).await?;
    let taken_up = hold(&mut book, &decisions, now)?;
    let mut recorded = RecordedBatch { ids: Vec::new(), changes: 0 };
    for (new, taken_up) in decisions.into_iter().zip(taken_up) {
        recorded.changes += usize::from(taken_up.next.is_some());
        recorded.ids.push(record(&mut effect, &app, new, taken_up, &actor).await?);
    }
    effect.answer(StatusCode::CREATED, &recorded).await
}

/// List decisions about affiliates' rates, shadow ones included.
#[utoipa::path(get, path = "/rate-decisions", tag = "rate_decisions", params(Paging, RateDecisionFilter),
    responses((status = 200, description = "One page.", body = Page<RecordedRateDecision>)),
    security(("key" = ["rates:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<RateDecisionFilter, RateDecisionId>,
) -> Result<Json<Page<RecordedRateDecision>>, Failure> {
    by.must_be_operator()?;
    let mut db = app.db.acquire().await?;
    let filter = &listing.filter;
    let wanted = Wanted {
        mode: filter.mode,
        affiliate: filter.affiliate_id,
        campaign: filter.campaign_id,
        since: filter.since.map(Day::start),
        after: listing.after,
    };
    let decisions = store::rate_decisions::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(decisions, |decision| decision.id)))
}

/// The database keeps microseconds.
fn as_kept(new: &mut NewRateDecision) {
    let RateDecision { decided_at, effective_at, .. } = &mut new.decision;
    *decided_at = decided_at.trunc_subsecs(6);
    *effective_at = effective_at.map(|moment| moment.trunc_subsecs(6));
}

/// Holds each decision against the book; all that do not fit are pointed at, up to a number.
fn hold(book: &mut Book, decisions: &[NewRateDecision], now: DateTime<Utc>) -> Result<Vec<TakenUp>, Failure> {
    let (mut taken_up, mut misfits) = (Vec::new(), Vec::new());
    for (position, new) in decisions.iter().enumerate() {
        match book.take_up(new, now) {
            Ok(one) => taken_up.push(one),
            Err(misfit) => {
                misfits.push((format!("/decisions/{position}/{}", misfit.field()), misfit.to_string()));
            }
        }
    }
    if misfits.is_empty() { Ok(taken_up) } else { Err(refused(misfits, decisions.len())) }
}

/// What is answered where some of so many decisions do not fit.
fn refused(misfits: Vec<(String, String)>, all: usize) -> Failure {
    let detail = format!("{} of {all} decisions do not fit, so none is taken up", misfits.len());
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let problem = Problem::new(status, "rate_decisions_refused", "Decisions do not fit").detail(detail);
    let pointed_at = misfits.into_iter().take(POINTED_AT);
    pointed_at.fold(problem, |problem, (at, misfit)| problem.error(at, misfit)).into()
}

/// Records one decision, with the version of the plan that it makes and what the affiliate is told.
async fn record(
    tx: &mut PgConnection,
    app: &App,
    new: NewRateDecision,
    taken_up: TakenUp,
    actor: &str,
) -> Result<RateDecisionId, Failure> {
    let NewRateDecision { affiliate_id, campaign_id, decision, besides: _ } = new;
    let plan = taken_up.next.map(|next| plan(app, affiliate_id, campaign_id, next));
    let recorded = RecordedRateDecision {
        id: RateDecisionId::new(&app.clock, &app.chance),
        affiliate_id,
        campaign_id,
        contract_id: taken_up.contract,
        notice_days: taken_up.notice_days,
        propensity: Rate { ppm: decision.propensity_ppm() },
        plan_id: plan.as_ref().map(|plan| plan.id),
        actor: actor.to_owned(),
        recorded_at: app.clock.now(),
        decision,
    };
    if let Some(plan) = &plan {
        store::campaigns::insert_plan(tx, plan).await?;
    }
    store::rate_decisions::insert(tx, &recorded).await?;
    if let Some(plan) = &plan {
        announce(tx, app, "rate.changed", recorded.id, &told(&recorded, plan)).await?;
    }
    Ok(recorded.id)
}

fn plan(app: &App, affiliate: AffiliateId, campaign_id: CampaignId, next: Next) -> Plan {
    let Next { version, rules, effective_from } = next;
    let (id, created_at) = (PlanId::new(&app.clock, &app.chance), app.clock.now());
    Plan { id, campaign_id, affiliate_id: Some(affiliate), version, rules, effective_from, created_at }
}

/// What is announced of a change.
fn told(recorded: &RecordedRateDecision, plan: &Plan) -> serde_json::Value {
    let decision = &recorded.decision;
    json!({
        "affiliate_id": recorded.affiliate_id,
        "campaign_id": recorded.campaign_id,
        "decision_id": recorded.id,
        "previous": decision.previous,
        "next": decision.next,
        "why": decision.words(),
        "reasons": Reason::of(decision),
        "final_after_days": decision.final_after_days,
        "decided_at": decision.decided_at,
        "effective_at": decision.effective_at,
        "notice_days": recorded.notice_days,
        "policy_version": decision.policy_version,
        "model_version": decision.model_version,
        "contract_id": recorded.contract_id,
        "plan_id": plan.id,
        "plan_version": plan.version,
    })
}
