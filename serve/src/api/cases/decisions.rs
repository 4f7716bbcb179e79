//! Cases are decided: one, many at once, or by two people where much hangs on it.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{CaseId, conversion::ReversalReason, fraud::cases::Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use tracking::problem::Problem;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{body::Id, failure::Failure, once::Once, text::Prose},
    CaseShown, actor, find,
};
use crate::{
    app::App,
    cases::{self, Decider, Decision, Refusal, Wish},
    store::outbox::announce,
};

/// How many cases may be decided at once.
const BATCH_MAX: usize = 100;

/// The routes of decisions.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(decide))
        .routes(routes!(decide_batch))
        .routes(routes!(confirm))
        .routes(routes!(refuse))
}

/// What is to be decided about a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// The case's `revision` when it was looked at: what happened since is looked at first.
    revision: i32,
    /// What.
    outcome: Outcome,
    /// Why; a rejection has one, and nothing else.
    reason: Option<ReversalReason>,
    /// In words, for the record.
    note: Option<Prose>,
}

/// What is to be decided about one case of many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionOfBatch {
    /// Which case.
    case_id: CaseId,
    /// Its `revision` when it was looked at.
    revision: i32,
    /// What.
    outcome: Outcome,
    /// Why; a rejection has one, and nothing else.
    reason: Option<ReversalReason>,
    /// In words, for the record.
    note: Option<Prose>,
}

/// Decisions that are all made, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecisions {
    /// Each about a case of its own.
    #[schema(min_items = 1, max_items = 100)]
    decisions: Vec<DecisionOfBatch>,
}

/// Cases as they are after a batch of decisions, in its order.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedCases {
    /// One for each decision; where it is above the limit for one person, with a `proposal`.
    cases: Vec<CaseShown>,
}

/// What somebody looked at before they confirm or refuse.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondLook {
    /// The case's `revision` when it was looked at.
    revision: i32,
    /// In words, for the record.
    note: Option<Prose>,
}

/// Decide about everything that is held in a case: approve it, reject it for a reason, or hold it no more. Above the limit for
/// one person it becomes a proposal, and the answer is 202.
#[utoipa::path(post, path = "/cases/{id}/decide", tag = "cases", params(("id" = CaseId, Path)), request_body = NewDecision,
    responses((status = 200, description = "It is decided.", body = CaseShown),
              (status = 202, description = "It waits for a second person.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn decide(app: State<App>, Id(id): Id<CaseId>, once: Once<NewDecision>) -> Result<Response, Failure> {
    let Once { by, body, mut effect } = once;
    let NewDecision { revision, outcome, reason, note } = body;
    let actor = actor(&mut effect, &by).await?;
    let by = Decider { actor: &actor, clock: &app.clock, chance: &app.chance };
    let wish = Wish { case: id, revision, decision: Decision { outcome, reason, note: text(note) } };
    let refused = |refused: Vec<(usize, Refusal)>| {
        refused.into_iter().next().map_or_else(|| Failure::not_found(id), |(_, refusal)| refusal.into())
    };
    cases::decide(&mut effect, by, &[wish]).await.map_err(refused)?;
    let case = told(&mut effect, &app, id).await?;
    let status = if case.case.proposal.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    effect.answer(status, &case).await
}

/// Decide about many cases: all of them, or none, and then `errors` says of each what stands against it.
#[utoipa::path(post, path = "/cases/decide", tag = "cases", request_body = NewDecisions,
    responses((status = 200, description = "They are decided, or proposed.", body = DecidedCases)),
    security(("key" = ["cases:write"])))]
async fn decide_batch(app: State<App>, once: Once<NewDecisions>) -> Result<Response, Failure> {
    let Once { by, body: NewDecisions { decisions }, mut effect } = once;
    if !(1..=BATCH_MAX).contains(&decisions.len()) {
        let detail = format!("there are {}; send 1 to {BATCH_MAX} at once", decisions.len());
        return Err(Failure::unprocessable("/decisions", detail));
    }
    let actor = actor(&mut effect, &by).await?;
    let by = Decider { actor: &actor, clock: &app.clock, chance: &app.chance };
    let wishes = decisions.into_iter().map(|one| {
        let DecisionOfBatch { case_id, revision, outcome, reason, note } = one;
        Wish { case: case_id, revision, decision: Decision { outcome, reason, note: text(note) } }
    });
    let wishes: Vec<Wish> = wishes.collect();
    cases::decide(&mut effect, by, &wishes).await.map_err(batch_refused)?;
    let mut cases = Vec::with_capacity(wishes.len());
    for wish in &wishes {
        cases.push(told(&mut effect, &app, wish.case).await?);
    }
    effect.answer(StatusCode::OK, &DecidedCases { cases }).await
}

/// Confirm, as the second person, what another proposed about a case: it is decided so.
#[utoipa::path(post, path = "/cases/{id}/confirm", tag = "cases", params(("id" = CaseId, Path)), request_body = SecondLook,
    responses((status = 200, description = "It is decided.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn confirm(app: State<App>, Id(id): Id<CaseId>, once: Once<SecondLook>) -> Result<Response, Failure> {
    let Once { by, body: SecondLook { revision, note }, mut effect } = once;
    let actor = actor(&mut effect, &by).await?;
    let by = Decider { actor: &actor, clock: &app.clock, chance: &app.chance };
    cases::confirm(&mut effect, by, (id, revision), &text(note)).await?;
    let case = told(&mut effect, &app, id).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// Refuse what was proposed about a case, as the second person, or take it back, as the first: it is undecided again.
#[utoipa::path(post, path = "/cases/{id}/refuse", tag = "cases", params(("id" = CaseId, Path)), request_body = SecondLook,
    responses((status = 200, description = "The case as it is now.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn refuse(app: State<App>, Id(id): Id<CaseId>, once: Once<SecondLook>) -> Result<Response, Failure> {
    let Once { by, body: SecondLook { revision, note }, mut effect } = once;
    let actor = actor(&mut effect, &by).await?;
    let by = Decider { actor: &actor, clock: &app.clock, chance: &app.chance };
    cases::refuse(&mut effect, by, (id, revision), &text(note)).await?;
    let case = find(&mut effect, id, app.clock.now()).await?;
    effect.answer(StatusCode::OK, &case).await
}

fn text(note: Option<Prose>) -> String {
    note.map(String::from).unwrap_or_default()
}

/// The case as it is now; where it is decided, that is announced.
pub async fn told(db: &mut PgConnection, app: &App, id: CaseId) -> Result<CaseShown, Failure> {
    let shown = find(db, id, app.clock.now()).await?;
    if let Some(outcome) = shown.case.outcome {
        let told = json!({"id": id, "affiliate_id": shown.case.affiliate_id, "outcome": outcome, "reason": shown.case.outcome_reason});
        announce(db, app, "case.decided", id, &told).await?;
    }
    Ok(shown)
}

/// Everything that stands against a batch, each at its place.
fn batch_refused(refused: Vec<(usize, Refusal)>) -> Failure {
    let problem = Problem::new(StatusCode::CONFLICT, "batch_refused", "None of the decisions was made");
    let mut told = problem.detail("nothing has changed: mend what is refused, or leave it out");
    for (place, refusal) in refused {
        match refusal {
            Refusal::Store(error) => return error.into(),
            refusal => told = told.error(format!("/decisions/{place}"), refusal.to_string()),
        }
    }
    told.into()
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(id) => Self::not_found(id),
            Refusal::Stale { .. } => Self::conflict("stale_case", refusal),
            Refusal::SamePerson(_) => Self::conflict("four_eyes", refusal),
            Refusal::Decided(_) | Refusal::Proposed(_) | Refusal::NotProposed(_) | Refusal::Illegal(_) => {
                Self::conflict("illegal_move", refusal)
            }
            Refusal::NobodyToAsk(_) => Self::conflict("nobody_to_ask", refusal),
            Refusal::Reason => Self::unprocessable("/reason", refusal),
            Refusal::Twice(_) => Self::unprocessable("/case_id", refusal),
            Refusal::Move(error) => error.into(),
            Refusal::Store(error) => error.into(),
        }
    }
}
