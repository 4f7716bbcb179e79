//! What a shadow decided becomes a live decision of now when somebody approves it: once, and with notice from then on.

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{RateDecisionId, commission::dynamic::RateMode};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    NewRateDecision,
    book::{Book, Misfit, TakenUp},
    record, refused,
};
use crate::{
    api::{failure::Failure, once::Once},
    app::App,
    store::{self, rate_approvals::Passed, rate_decisions::RecordedRateDecision},
};

/// How many decisions may be approved at once.
const APPROVED_MAX: usize = 1_000;

/// The route of approvals.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(approve))
}

/// Decisions of shadows that become live ones together or not at all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApprovals {
    /// Which: each the newest about its affiliate and campaign.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<RateDecisionId>,
}

/// What became of decisions that were approved.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApprovedDecisions {
    /// In the order in which they were asked for.
    approved: Vec<ApprovedDecision>,
}

/// A decision of a shadow that was approved.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ApprovedDecision {
    /// What was decided in the shadow.
    pub(crate) shadow_id: RateDecisionId,
    /// The live decision that it became.
    pub(crate) decision_id: RateDecisionId,
    /// From when on that holds.
    pub(crate) effective_at: Option<DateTime<Utc>>,
}

/// Why a decision is not approved.
#[derive(Debug, thiserror::Error)]
enum Unapproved {
    #[error("{0} does not exist")]
    Unknown(RateDecisionId),
    #[error("it is in the list twice")]
    Twice,
    #[error("it is live already; only what was decided in the shadow is approved")]
    Live,
    #[error("it was approved already")]
    Approved,
    #[error("it was decided anew since; look at the newer decision")]
    DecidedAnew,
    #[error("it changes nothing, so that there is nothing to approve")]
    Nothing,
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// Approve what shadows decided, all or none: each becomes a live decision of now, effective after the notice of the
/// contract, and is announced.
#[utoipa::path(post, path = "/rate-decisions/approve", tag = "rate_decisions", request_body = NewApprovals,
    responses((status = 201, description = "Approved.", body = ApprovedDecisions)),
    security(("key" = ["rates:write"])))]
async fn approve(app: State<App>, once: Once<NewApprovals>) -> Result<Response, Failure> {
    let Once { by, body: NewApprovals { ids }, mut effect } = once;
    let approved = approved(&mut effect, &app, &ids, &by.key.to_string()).await?;
    effect.answer(StatusCode::CREATED, &ApprovedDecisions { approved }).await
}

/// Makes live ones of the decisions of shadows, or of none of them; whoever refuses them all takes the transaction back.
pub(crate) async fn approved(
    tx: &mut PgConnection,
    app: &App,
    ids: &[RateDecisionId],
    actor: &str,
) -> Result<Vec<ApprovedDecision>, Failure> {
    if !(1..=APPROVED_MAX).contains(&ids.len()) {
        let detail = format!("there are {}; send 1 to {APPROVED_MAX} at once", ids.len());
        return Err(Failure::unprocessable("/ids", detail));
    }
    let now = app.clock.now();
    let shadows = store::rate_decisions::some(tx, ids).await?;
    let batch: Vec<_> = shadows.iter().map(|shadow| NewRateDecision::again(shadow, now)).collect();
    let mut book = Book::open(tx, &batch).await?;
    // Only now nobody else can decide about them.
    let passed = store::rate_approvals::passed(tx, ids).await?;
    let shadows = Shadows {
        recorded: shadows.into_iter().map(|shadow| (shadow.id, shadow)).collect(),
        passed: passed.into_iter().map(|passed| (passed.id, passed)).collect(),
    };
    let mut approved = Vec::new();
    for (shadow_id, new, taken_up) in hold(&mut book, ids, &shadows, now)? {
        let effective_at = new.decision.effective_at;
        let decision_id = record(tx, app, new, taken_up, actor).await?;
        approved.push(ApprovedDecision { shadow_id, decision_id, effective_at });
    }
    let pairs: Vec<_> = approved.iter().map(|one| (one.shadow_id, one.decision_id)).collect();
    store::rate_approvals::insert(tx, &pairs, (actor, now)).await?;
    Ok(approved)
}

/// What is asked about, with what has passed since.
struct Shadows {
    recorded: BTreeMap<RateDecisionId, RecordedRateDecision>,
    passed: BTreeMap<RateDecisionId, Passed>,
}

impl Shadows {
    /// The live decision that one of them becomes.
    fn live(
        &self,
        id: RateDecisionId,
        book: &mut Book,
        now: DateTime<Utc>,
    ) -> Result<(NewRateDecision, TakenUp), Unapproved> {
        let (Some(shadow), Some(passed)) = (self.recorded.get(&id), self.passed.get(&id)) else {
            return Err(Unapproved::Unknown(id));
        };
        match () {
            () if shadow.decision.mode == RateMode::Live => Err(Unapproved::Live),
            () if passed.is_approved => Err(Unapproved::Approved),
            () if passed.is_decided_anew => Err(Unapproved::DecidedAnew),
            () if shadow.decision.effective_at.is_none() => Err(Unapproved::Nothing),
            () => {
                let mut new = NewRateDecision::again(shadow, now);
                let taken_up = book.take_over(&mut new, now)?;
                Ok((new, taken_up))
            }
        }
    }
}

/// Holds each of them against the book; all that are not to be approved are pointed at, up to a number.
fn hold(
    book: &mut Book,
    ids: &[RateDecisionId],
    shadows: &Shadows,
    now: DateTime<Utc>,
) -> Result<Vec<(RateDecisionId, NewRateDecision, TakenUp)>, Failure> {
    let (mut taken_up, mut misfits, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (position, id) in ids.iter().enumerate() {
        let live = if seen.insert(*id) { shadows.live(*id, book, now) } else { Err(Unapproved::Twice) };
        match live {
            Ok((new, one)) => taken_up.push((*id, new, one)),
            Err(unapproved) => misfits.push((format!("/ids/{position}"), unapproved.to_string())),
        }
    }
    if misfits.is_empty() { Ok(taken_up) } else { Err(refused(misfits, ids.len())) }
}
