//! Cases are worked on: given to somebody, commented, and their partners asked.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    ApiKeyId, CaseId,
    fraud::cases::{Actor, ActorKind, CaseState},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        body::Id,
        failure::Failure,
        once::Once,
        text::{Prose, given},
    },
    CaseShown, actor, find,
};
use crate::{
    app::App,
    store::{self, case_events::NewEvent, cases::Case, outbox::announce},
};

/// The routes of what people do about a case besides deciding it.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(assign)).routes(routes!(comment)).routes(routes!(ask))
}

/// Who is to look at a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// A key's id; null for nobody, and whoever asks when absent.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "key_01JH0000000000000000000000")]
    to: Option<Option<String>>,
}

/// Something that is said about a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// In words.
    text: Prose,
}

/// Give a case to somebody: to oneself, to another key, or to nobody.
#[utoipa::path(post, path = "/cases/{id}/assign", tag = "cases", params(("id" = CaseId, Path)),
    request_body(content = Option<Assignment>, description = "May be left out: then it is one's own."),
    responses((status = 200, description = "The case as it is now.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn assign(app: State<App>, Id(id): Id<CaseId>, once: Once<Assignment>) -> Result<Response, Failure> {
    let Once { by, body: Assignment { to }, mut effect } = once;
    let case = locked(&mut effect, id).await?;
    let by = actor(&mut effect, &by).await?;
    let to = match to {
        None => Some(by.clone()),
        Some(None) => None,
        Some(Some(id)) => Some(known(&mut effect, &id).await?),
    };
    let state = match (case.state, &to) {
        (CaseState::Decided, _) => {
            return Err(Failure::conflict("illegal_move", format!("{id} is decided")));
        }
        (CaseState::Open, Some(_)) => CaseState::InReview,
        (CaseState::InReview, None) => CaseState::Open,
        (state, _) => state,
    };
    store::case_events::assign(&mut effect, id, to.as_ref(), state).await?;
    let event =
        NewEvent { kind: "assigned", actor: &by, note: "", detail: json!({"to": to}), at: app.clock.now() };
    store::case_events::append(&mut effect, id, &event).await?;
    let case = find(&mut effect, id, app.clock.now()).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// Say something about a case for whoever looks at it next; its partner does not see it.
#[utoipa::path(post, path = "/cases/{id}/comment", tag = "cases", params(("id" = CaseId, Path)), request_body = Said,
    responses((status = 200, description = "The case as it is now.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn comment(app: State<App>, Id(id): Id<CaseId>, once: Once<Said>) -> Result<Response, Failure> {
    let Once { by, body: Said { text }, mut effect } = once;
    locked(&mut effect, id).await?;
    let by = actor(&mut effect, &by).await?;
    let (note, at) = (text.as_str(), app.clock.now());
    let event =
        NewEvent { kind: "commented", actor: &by, note, detail: Value::Object(serde_json::Map::new()), at };
    store::case_events::append(&mut effect, id, &event).await?;
    let case = find(&mut effect, id, at).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// Ask the partner something about a case: it sees the question at once, and may answer each conversion once.
#[utoipa::path(post, path = "/cases/{id}/ask", tag = "cases", params(("id" = CaseId, Path)), request_body = Said,
    responses((status = 200, description = "The case as it is now.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn ask(app: State<App>, Id(id): Id<CaseId>, once: Once<Said>) -> Result<Response, Failure> {
    let Once { by, body: Said { text }, mut effect } = once;
    let case = locked(&mut effect, id).await?;
    let affiliate = case.affiliate_id.ok_or_else(|| {
        Failure::conflict("nobody_to_ask", format!("nobody is credited with the conversions of {id}"))
    })?;
    if case.state != CaseState::Waiting {
        store::case_events::put(&mut effect, id, case.state.to(CaseState::Waiting)?).await?;
    }
    let by = actor(&mut effect, &by).await?;
    let (note, at) = (text.as_str(), app.clock.now());
    let event = NewEvent { kind: "asked", actor: &by, note, detail: json!({"affiliate_id": affiliate}), at };
    store::case_events::append(&mut effect, id, &event).await?;
    let told = json!({"id": id, "affiliate_id": affiliate, "question": note});
    announce(&mut effect, &app, "case.asked", id, &told).await?;
    let case = find(&mut effect, id, at).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// The case, locked until the end of the transaction.
pub(super) async fn locked(db: &mut PgConnection, id: CaseId) -> Result<Case, Failure> {
    store::cases::lock(db, &[id.uuid()]).await?;
    store::cases::find(db, id).await?.ok_or_else(|| Failure::not_found(id))
}

/// Somebody who can look at cases, by the id that histories have.
async fn known(db: &mut PgConnection, id: &str) -> Result<Actor, Failure> {
    let unknown = || Failure::unprocessable("/to", format!("nobody is known as {id:?}: give a key's id"));
    let key: ApiKeyId = id.parse().map_err(|_| unknown())?;
    let name = store::api_keys::name(db, key).await?.ok_or_else(unknown)?;
    Ok(Actor { kind: ActorKind::Key, id: key.to_string(), name })
}
