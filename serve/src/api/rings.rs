//! Rings of partners: who hangs together and why, what is at stake, and who is declared to be one business.

#[cfg(test)]
pub mod tests;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, Money, RingId, conversion::ConversionStatus};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Uuid};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    cases::{self, CaseShown},
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    text::Prose,
};
use crate::{
    app::App,
    rings::{Undeclared, declare as declare_ring},
    store::rings::{self, Ring, RingLink, RingRevision, Wanted},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one)).routes(routes!(declare))
}

/// Partners who hang together.
#[derive(Debug, Serialize, ToSchema)]
pub struct RingShown {
    /// Its id.
    pub id: RingId,
    /// Whether it is one now.
    pub state: RingState,
    /// Goes up by one when somebody joins or leaves, or what is shared changes much.
    pub revision: i32,
    /// When it was found.
    pub found_at: DateTime<Utc>,
    /// When the revision was.
    pub changed_at: DateTime<Utc>,
    /// When it was one no more.
    pub dissolved_at: Option<DateTime<Utc>>,
    /// Why: `apart` where its members hang together no more or within another ring, `declared` where people say that they are one business.
    #[schema(example = "apart")]
    pub dissolved_because: Option<String>,
    /// Which share of its pairs is joined directly.
    pub density: f64,
    /// Who is in it, or was when it dissolved.
    pub members: Vec<RingPartner>,
    /// The pairs that are joined, and why.
    pub links: Vec<RingLink>,
}

/// Whether a ring is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingState {
    /// Its members hang together.
    Open,
    /// They do no more, or are declared to be one business.
    Dissolved,
}

/// A partner in a ring.
#[derive(Debug, Serialize, ToSchema)]
pub struct RingPartner {
    /// Who.
    pub affiliate_id: AffiliateId,
    /// What it is called.
    pub name: String,
    /// What being in the ring is evidence of in decisions about its conversions, as log-odds.
    pub log_odds: f64,
    /// What it shares with the closest of the others.
    #[schema(example = "same mailbox, 2 devices shared")]
    pub shared: String,
}

/// A ring with what hangs on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RingDetail {
    #[serde(flatten)]
    pub ring: RingShown,
    /// The commissions of its members for conversions that wait for their approval.
    pub pending: Vec<Money>,
    /// The same for conversions that are held.
    pub held: Vec<Money>,
    /// Cases about its members' conversions that are not decided.
    pub cases: Vec<CaseShown>,
    /// What it was, the newest first, a hundred at most.
    pub revisions: Vec<RingRevision>,
}

/// Which rings to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RingFilter {
    /// Only those that are rings now (`open`), or only those that are no more (`dissolved`).
    #[param(required = false, value_type = String)]
    state: Option<RingState>,
    /// Only those that this partner is in, or was.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
}

/// Why partners are one business.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingDeclaration {
    /// In words, for the record.
    note: Prose,
}

/// List rings of partners, those found last first.
#[utoipa::path(get, path = "/fraud/rings", tag = "rings", params(Paging, RingFilter),
    responses((status = 200, description = "One page.", body = Page<RingShown>)),
    security(("key" = ["fraud:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<RingFilter, RingId>,
) -> Result<Json<Page<RingShown>>, Failure> {
    by.must_be_operator()?;
    let wanted = Wanted {
        id: None,
        is_open: listing.filter.state.map(|state| state == RingState::Open),
        affiliate: listing.filter.affiliate_id,
        after: listing.after,
    };
    let mut db = app.db.acquire().await?;
    let rings = listed(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(rings, |ring| ring.id)))
}

/// Show a ring: its members, why each pair hangs together, what is at stake, open cases of members, and what it was before.
#[utoipa::path(get, path = "/fraud/rings/{id}", tag = "rings", params(("id" = RingId, Path)),
    responses((status = 200, description = "The ring.", body = RingDetail)),
    security(("key" = ["fraud:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<RingId>) -> Result<Json<RingDetail>, Failure> {
    by.must_be_operator()?;
    let mut db = app.db.acquire().await?;
    Ok(Json(detail(&mut db, id, app.clock.now()).await?))
}

/// Say that the partners of a ring are one declared business: it is dissolved, what they share joins them no more, and being in
/// it is evidence no more.
#[utoipa::path(post, path = "/fraud/rings/{id}/declare", tag = "rings", params(("id" = RingId, Path)),
    request_body = RingDeclaration,
    responses((status = 200, description = "The ring as it is now.", body = RingDetail)),
    security(("key" = ["cases:write"])))]
async fn declare(
    app: State<App>,
    Id(id): Id<RingId>,
    once: Once<RingDeclaration>,
) -> Result<Response, Failure> {
    let Once { by, body: RingDeclaration { note }, mut effect } = once;
    by.must_be_operator()?;
    let (actor, at) = (by.key.to_string(), app.clock.now());
    declare_ring(&mut effect, id, (&actor, note.as_str()), at, &app.chance).await?;
    let ring = detail(&mut effect, id, at).await?;
    effect.answer(StatusCode::OK, &ring).await
}

/// Rings with the names of their members, those found last first.
pub async fn listed(db: &mut PgConnection, wanted: &Wanted, limit: i64) -> Result<Vec<RingShown>, Failure> {
    let rings = rings::list(db, wanted, limit).await?;
    shown(db, rings).await
}

/// The ring that a partner is in now.
pub(super) async fn of(db: &mut PgConnection, affiliate: AffiliateId) -> Result<Option<RingShown>, Failure> {
    let ring = rings::of(db, affiliate).await?;
    Ok(shown(db, ring.into_iter().collect()).await?.pop())
}

/// A ring with what hangs on it.
pub async fn detail(db: &mut PgConnection, id: RingId, at: DateTime<Utc>) -> Result<RingDetail, Failure> {
    let wanted = Wanted { id: Some(id), ..Wanted::default() };
    let ring = listed(db, &wanted, 1).await?.pop().ok_or_else(|| Failure::not_found(id))?;
    let members: Vec<Uuid> = ring.members.iter().map(|member| member.affiliate_id.uuid()).collect();
    let (pending, held) = rings::stakes(db, &members)
        .await?
        .into_iter()
        .partition::<Vec<_>, _>(|stake| stake.status == ConversionStatus::Pending);
    let amounts = |stakes: Vec<rings::Stake>| stakes.into_iter().map(|stake| stake.amount).collect();
    let mut open = Vec::new();
    for member in &ring.members {
        open.extend(cases::open_of(db, member.affiliate_id, at).await?);
    }
    let revisions = rings::revisions(db, id).await?;
    Ok(RingDetail { ring, pending: amounts(pending), held: amounts(held), cases: open, revisions })
}

/// Rings with the names of their members, in their order.
async fn shown(db: &mut PgConnection, rings: Vec<Ring>) -> Result<Vec<RingShown>, Failure> {
    let everybody = rings.iter().flat_map(|ring| ring.members.iter());
    let ids: Vec<Uuid> = everybody.map(|member| member.affiliate_id.uuid()).collect();
    let names = rings::names(db, &ids).await?;
    let shown = rings.into_iter().map(|ring| {
        let members = ring.members.0.into_iter().map(|member| RingPartner {
            affiliate_id: member.affiliate_id,
            name: names.get(&member.affiliate_id).cloned().unwrap_or_default(),
            log_odds: member.log_odds.value(),
            shared: member.shared,
        });
        RingShown {
            id: ring.id,
            state: if ring.dissolved_at.is_none() { RingState::Open } else { RingState::Dissolved },
            revision: ring.revision,
            found_at: ring.found_at,
            changed_at: ring.changed_at,
            dissolved_at: ring.dissolved_at,
            dissolved_because: ring.dissolved_because,
            density: ring.density,
            members: members.collect(),
            links: ring.links.0,
        }
    });
    Ok(shown.collect())
}

impl From<Undeclared> for Failure {
    fn from(why: Undeclared) -> Self {
        match why {
            Undeclared::Unknown(id) => Self::not_found(id),
            Undeclared::Dissolved(_) => Self::conflict("illegal_move", why),
            Undeclared::Store(error) => error.into(),
        }
    }
}
