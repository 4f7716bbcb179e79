//! Partners see why their conversions were held, in one of a few true sentences, and may answer once.
//!
//! Nothing here helps to find out what is held and what is not: holds are told of in daily batches, a sentence says which
//! family of reasons it was and no more, and an id that is foreign looks like one that does not exist.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, ConversionId,
    conversion::ConversionStatus,
    fraud::cases::{AppealOutcome, Family},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tracking::problem::Problem;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    text::{self, Prose},
};
use crate::{
    app::App,
    cases::{Answer, AppealRefusal, OPEN_FOR, answer, told_until},
    store::appeals::{self, Told, Wanted},
};

/// So many pages show enough.
pub const LINKS_MAX: usize = 10;
/// Who has answered too often is asked to come back after an hour.
const COME_BACK_S: u32 = 3_600;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one, create))
}

/// A conversion that was held, as its partner is told of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldConversion {
    /// Which conversion.
    pub conversion_id: ConversionId,
    /// Whose.
    pub affiliate_id: Option<AffiliateId>,
    /// In which campaign.
    pub campaign_id: CampaignId,
    /// The advertiser's order.
    pub order_id: Option<String>,
    /// Where it is now.
    pub status: ConversionStatus,
    /// Why it was held; one sentence for every family of reasons.
    pub reason: &'static str,
    /// Until when it may be answered; null while it is held, which is for as long as that lasts.
    pub answer_until: Option<DateTime<Utc>>,
    /// What somebody asked about it.
    pub question: Option<String>,
    /// What the partner answered.
    pub appeal: Option<Appeal>,
}

/// What a partner answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Appeal {
    /// In words.
    pub evidence: String,
    /// Pages that show it.
    pub links: Vec<String>,
    /// When.
    pub made_at: DateTime<Utc>,
    /// Until when it is decided about.
    pub due_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: Option<AppealOutcome>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
}

/// Which conversions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AppealFilter {
    /// Only this affiliate's.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
}

/// What a partner answers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnswer {
    /// What shows that the conversion is honest.
    evidence: Prose,
    /// Pages that show it.
    #[serde(default)]
    #[schema(max_items = 10)]
    links: Vec<text::Page>,
}

/// List conversions that were held or turned down, why, and what was answered. An affiliate's own key sees its own.
#[utoipa::path(get, path = "/appeals", tag = "appeals", params(Paging, AppealFilter),
    responses((status = 200, description = "One page.", body = Page<HeldConversion>)),
    security(("key" = ["appeals:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<AppealFilter, ConversionId>,
) -> Result<Json<Page<HeldConversion>>, Failure> {
    let asked = listing.filter.affiliate_id;
    let mut db = app.db.acquire().await?;
    if by.affiliate.is_some() && asked.is_some() && asked != by.affiliate {
        return Ok(Json(listing.page(Vec::new(), |held: &HeldConversion| held.conversion_id)));
    }
    let wanted = Wanted { conversion: None, affiliate: by.affiliate.or(asked), after: listing.after };
    let held = listed(&mut db, &wanted, app.clock.now(), listing.reach()).await?;
    Ok(Json(listing.page(held, |held| held.conversion_id)))
}

/// Show why a conversion was held or turned down, and what was answered.
#[utoipa::path(get, path = "/conversions/{id}/appeal", tag = "appeals", params(("id" = ConversionId, Path)),
    responses((status = 200, description = "What is told of it.", body = HeldConversion)),
    security(("key" = ["appeals:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<ConversionId>) -> Result<Json<HeldConversion>, Failure> {
    let mut db = app.db.acquire().await?;
    Ok(Json(find(&mut db, id, by.affiliate, app.clock.now()).await?))
}

/// Answer, as the partner, why a conversion is honest that was held or turned down: once, with evidence. It is decided about
/// by the deadline that the answer shows.
#[utoipa::path(post, path = "/conversions/{id}/appeal", tag = "appeals", params(("id" = ConversionId, Path)),
    request_body = NewAnswer,
    responses((status = 201, description = "What is told of it now.", body = HeldConversion)),
    security(("key" = ["appeals:write"])))]
async fn create(
    app: State<App>,
    Id(id): Id<ConversionId>,
    once: Once<NewAnswer>,
) -> Result<Response, Failure> {
    let Once { by, body: NewAnswer { evidence, links }, mut effect } = once;
    let affiliate =
        by.affiliate.ok_or_else(|| Failure::forbidden("a partner answers with a key of its own"))?;
    let now = app.clock.now();
    take(&mut effect, (id, affiliate), (evidence, links), now).await?;
    let held = find(&mut effect, id, Some(affiliate), now).await?;
    effect.answer(StatusCode::CREATED, &held).await
}

/// Takes what a partner answers about a conversion of its own: a text and pages that show it.
pub async fn take(
    db: &mut PgConnection,
    (conversion, affiliate): (ConversionId, AffiliateId),
    (evidence, links): (Prose, Vec<text::Page>),
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if LINKS_MAX < links.len() {
        let detail = format!("there are {}; send {LINKS_MAX} at most", links.len());
        return Err(Failure::unprocessable("/links", detail));
    }
    let links = links.into_iter().map(String::from).collect();
    let new = Answer { conversion, affiliate, evidence: evidence.into(), links };
    Ok(answer(db, &new, now).await?)
}

/// What partners are told of at a moment, the newest conversions first.
pub async fn listed(
    db: &mut PgConnection,
    wanted: &Wanted,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<HeldConversion>, Failure> {
    let told = appeals::list(db, wanted, told_until(now), limit).await?;
    Ok(told.into_iter().map(HeldConversion::of).collect())
}

/// What the partner is told of one conversion.
pub async fn find(
    db: &mut PgConnection,
    id: ConversionId,
    seen_by: Option<AffiliateId>,
    now: DateTime<Utc>,
) -> Result<HeldConversion, Failure> {
    let wanted = Wanted { conversion: Some(id), affiliate: seen_by, after: None };
    let told = listed(db, &wanted, now, 1).await?.pop();
    told.ok_or_else(|| AppealRefusal::Nothing(id).into())
}

impl HeldConversion {
    fn of(told: Told) -> Self {
        let appeal = match (told.evidence, told.made_at, told.due_at) {
            (Some(evidence), Some(made_at), Some(due_at)) => {
                let links = told.links.unwrap_or_default();
                Some(Appeal {
                    evidence,
                    links,
                    made_at,
                    due_at,
                    outcome: told.outcome,
                    decided_at: told.decided_at,
                })
            }
            _ => None,
        };
        Self {
            conversion_id: told.conversion_id,
            affiliate_id: told.affiliate_id,
            campaign_id: told.campaign_id,
            order_id: told.order_id,
            status: told.status,
            reason: Family::of(&told.reason).sentence(),
            answer_until: told.left_at.map(|left| left + OPEN_FOR),
            question: told.question,
            appeal,
        }
    }
}

impl From<AppealRefusal> for Failure {
    fn from(refusal: AppealRefusal) -> Self {
        match refusal {
            AppealRefusal::Nothing(_) => Self::nothing_here(refusal),
            AppealRefusal::Answered(_) => Self::conflict("already_answered", refusal),
            AppealRefusal::Over(_) => Self::conflict("illegal_move", refusal),
            AppealRefusal::TooMany => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let problem = Problem::new(status, "too_many_requests", "Too many requests");
                problem.detail(refusal.to_string()).retry_after_s(COME_BACK_S).into()
            }
            AppealRefusal::Store(error) => error.into(),
        }
    }
}
