//! Cases: what is held waits here for people, the most valuable look first, with everything that is known of it.

mod acts;
mod decisions;
mod labels;
mod settings;
#[cfg(test)]
mod tests;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, CaseId, Money,
    fraud::cases::{Actor, ActorKind, CaseState, Place},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, types::Uuid};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    rings::{self, RingShown},
    scores::ConversionScore,
};
use crate::{
    app::App,
    cases::stakes,
    store::{
        self,
        case_events::CaseEvent,
        cases::{Case, Member, Wanted},
    },
};

/// So many cases that were decided before are shown beside one.
const SIMILAR: i64 = 5;
/// So many cases of a partner are shown beside its ring.
const OF_ONE: i64 = 20;

pub use self::decisions::told;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .merge(acts::routes())
        .merge(decisions::routes())
        .merge(labels::routes())
        .merge(settings::routes())
}

/// A case with the money that hangs on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseShown {
    #[serde(flatten)]
    pub case: Case,
    /// Whether its deadline has passed.
    pub is_late: bool,
    /// Whether an answer of the partner waits in it.
    pub is_appealed: bool,
    /// The commissions of its conversions that wait, added up for each currency.
    pub stakes: Vec<Money>,
}

impl CaseShown {
    /// Its place in the queue of a moment.
    pub fn place(&self, at: DateTime<Utc>) -> Place {
        let Case { rank, id, .. } = self.case;
        Place { is_late: self.is_late, rank, id, at_us: at.timestamp_micros() }
    }
}

/// A case with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseDetail {
    #[serde(flatten)]
    pub case: CaseShown,
    /// Its conversions.
    pub members: Vec<CaseConversion>,
    /// The ring that the partner is in now, if it is in one.
    pub ring: Option<RingShown>,
    /// All that was said and done, in order.
    pub timeline: Vec<CaseEvent>,
    /// Cases with the same reason that were decided before: this partner's first, then this campaign's, then the newest.
    pub similar: Vec<CaseShown>,
}

/// A conversion of a case with why it is held.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseConversion {
    #[serde(flatten)]
    pub member: Member,
    /// How probable fraud is, and why in words; null where a person held it.
    pub score: Option<ConversionScore>,
    /// What was known when it was decided.
    #[schema(value_type = Object)]
    pub evidence: Value,
}

/// Which cases to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CaseFilter {
    /// Only those; all that are not decided when absent.
    #[param(required = false, value_type = CaseState)]
    state: Option<CaseState>,
    /// Only those that this key or user looks at.
    #[param(required = false, value_type = String)]
    assignee: Option<String>,
    /// Only this affiliate's conversions.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
    /// Only this campaign's conversions.
    #[param(required = false, value_type = CampaignId)]
    campaign_id: Option<CampaignId>,
    /// Only those with this reason's code.
    #[param(required = false, value_type = String)]
    reason: Option<String>,
}

/// List cases as they are to be looked at: what is late first, then what a right decision saves most, and more with each day.
#[utoipa::path(get, path = "/cases", tag = "cases", params(Paging, CaseFilter),
    responses((status = 200, description = "One page.", body = Page<CaseShown>)),
    security(("key" = ["fraud:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<CaseFilter, Place>,
) -> Result<Json<Page<CaseShown>>, Failure> {
    by.must_be_operator()?;
    let filter = &listing.filter;
    // Who reads on finds the order of the first page, whatever has become late since.
    let began = listing.after.and_then(|place| DateTime::from_timestamp_micros(place.at_us));
    let at = began.unwrap_or_else(|| app.clock.now());
    let wanted = Wanted {
        id: None,
        state: filter.state,
        assignee: filter.assignee.as_deref(),
        affiliate: filter.affiliate_id,
        campaign: filter.campaign_id,
        reason: filter.reason.as_deref(),
        after: listing.after,
    };
    let mut db = app.db.acquire().await?;
    let cases = queue(&mut db, &wanted, at, listing.reach()).await?;
    Ok(Json(listing.page(cases, |shown| shown.place(at))))
}

/// Show a case: its conversions with scores, reasons and evidence, the ring that the partner is in, all that was said and done,
/// and similar cases of before.
#[utoipa::path(get, path = "/cases/{id}", tag = "cases", params(("id" = CaseId, Path)),
    responses((status = 200, description = "The case.", body = CaseDetail)),
    security(("key" = ["fraud:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<CaseId>) -> Result<Json<CaseDetail>, Failure> {
    by.must_be_operator()?;
    let mut db = app.db.acquire().await?;
    Ok(Json(whole(&mut db, id, app.clock.now()).await?))
}

/// Cases as they are queued at a moment, with their stakes.
pub async fn queue(
    db: &mut PgConnection,
    wanted: &Wanted<'_>,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<CaseShown>, Failure> {
    let cases = store::cases::list(db, wanted, at, limit).await?;
    shown(db, cases, at).await
}

/// A case with all that is known of it.
pub async fn whole(db: &mut PgConnection, id: CaseId, now: DateTime<Utc>) -> Result<CaseDetail, Failure> {
    let case = find(db, id, now).await?;
    let mut members = Vec::new();
    for member in store::cases::members(db, &[id.uuid()]).await? {
        members.push(explained(db, member).await?);
    }
    let mut similar = Vec::new();
    for id in store::cases::similar(db, &case.case, SIMILAR).await? {
        similar.push(find(db, id, now).await?);
    }
    let timeline = store::case_events::timeline(db, id).await?;
    let ring = match case.case.affiliate_id {
        Some(affiliate) => rings::of(db, affiliate).await?,
        None => None,
    };
    Ok(CaseDetail { case, members, ring, timeline, similar })
}

/// A partner's cases that are not decided, as they are queued, a page at most.
pub(super) async fn open_of(
    db: &mut PgConnection,
    affiliate: AffiliateId,
    at: DateTime<Utc>,
) -> Result<Vec<CaseShown>, Failure> {
    let wanted = Wanted { affiliate: Some(affiliate), ..Wanted::default() };
    queue(db, &wanted, at, OF_ONE).await
}

async fn explained(db: &mut PgConnection, member: Member) -> Result<CaseConversion, Failure> {
    let Some(id) = member.score_id else {
        return Ok(CaseConversion { member, score: None, evidence: Value::Null });
    };
    let wanted = store::fraud::Wanted { id: Some(id), ..store::fraud::Wanted::default() };
    let stored = store::fraud::list(db, &wanted, 1).await?.pop();
    let evidence = stored.as_ref().map(|stored| serde_json::to_value(&stored.record.0.evidence));
    Ok(CaseConversion {
        member,
        score: stored.as_ref().map(ConversionScore::of),
        evidence: evidence.transpose()?.unwrap_or(Value::Null),
    })
}

/// Cases with their stakes, in their order.
async fn shown(
    db: &mut PgConnection,
    cases: Vec<Case>,
    at: DateTime<Utc>,
) -> Result<Vec<CaseShown>, Failure> {
    let ids: Vec<Uuid> = cases.iter().map(|case| case.id.uuid()).collect();
    let members = store::cases::members(db, &ids).await?;
    let shown = cases.into_iter().map(|case| {
        let own: Vec<_> = members.iter().filter(|one| one.case_id == case.id).collect();
        CaseShown {
            is_late: case.state != CaseState::Decided && case.due_at < at,
            is_appealed: own.iter().any(|one| one.is_appealed),
            stakes: stakes(own.into_iter().filter(|one| one.is_waiting())),
            case,
        }
    });
    Ok(shown.collect())
}

/// One case with its stakes.
pub async fn find(db: &mut PgConnection, id: CaseId, at: DateTime<Utc>) -> Result<CaseShown, Failure> {
    let case = store::cases::find(db, id).await?.ok_or_else(|| Failure::not_found(id))?;
    shown(db, vec![case], at).await?.pop().ok_or_else(|| Failure::not_found(id))
}

/// Who asks, as a case has it.
async fn actor(db: &mut PgConnection, by: &Caller) -> Result<Actor, Failure> {
    let name = store::api_keys::name(db, by.key).await?.unwrap_or_default();
    Ok(Actor { kind: ActorKind::Key, id: by.key.to_string(), name })
}
