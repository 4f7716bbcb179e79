//! Cases are worked on: given to somebody, commented, and their partners asked.

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{
    ApiKeyId, CaseId,
    fraud::cases::{Actor, ActorKind},
};
use serde::Deserialize;
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
    cases::{self, Work},
    store,
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
    let (by, at) = (actor(&mut effect, &by).await?, app.clock.now());
    let to = match to {
        None => Some(by.clone()),
        Some(None) => None,
        Some(Some(id)) => Some(known(&mut effect, &id, at).await?),
    };
    cases::assign(&mut effect, Work { case: id, seen: None, by: &by, at }, to.as_ref()).await?;
    let case = find(&mut effect, id, at).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// Say something about a case for whoever looks at it next; its partner does not see it.
#[utoipa::path(post, path = "/cases/{id}/comment", tag = "cases", params(("id" = CaseId, Path)), request_body = Said,
    responses((status = 200, description = "The case as it is now.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn comment(app: State<App>, Id(id): Id<CaseId>, once: Once<Said>) -> Result<Response, Failure> {
    let Once { by, body: Said { text }, mut effect } = once;
    let (by, at) = (actor(&mut effect, &by).await?, app.clock.now());
    cases::comment(&mut effect, Work { case: id, seen: None, by: &by, at }, text.as_str()).await?;
    let case = find(&mut effect, id, at).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// Ask the partner something about a case: it sees the question at once, and may answer each conversion once.
#[utoipa::path(post, path = "/cases/{id}/ask", tag = "cases", params(("id" = CaseId, Path)), request_body = Said,
    responses((status = 200, description = "The case as it is now.", body = CaseShown)),
    security(("key" = ["cases:write"])))]
async fn ask(app: State<App>, Id(id): Id<CaseId>, once: Once<Said>) -> Result<Response, Failure> {
    let Once { by, body: Said { text }, mut effect } = once;
    let (by, at) = (actor(&mut effect, &by).await?, app.clock.now());
    cases::ask(&mut effect, &app, Work { case: id, seen: None, by: &by, at }, text.as_str()).await?;
    let case = find(&mut effect, id, at).await?;
    effect.answer(StatusCode::OK, &case).await
}

/// Somebody who can look at cases, by the id that histories have.
async fn known(db: &mut PgConnection, id: &str, now: DateTime<Utc>) -> Result<Actor, Failure> {
    let unknown = || {
        let who = "give the id of a key with the scope fraud:read that is in use and no affiliate's own";
        Failure::unprocessable("/to", format!("nobody who looks at cases is known as {id:?}: {who}"))
    };
    let key: ApiKeyId = id.parse().map_err(|_| unknown())?;
    let name = store::api_keys::name_of_analyst(db, key, now).await?.ok_or_else(unknown)?;
    Ok(Actor { kind: ActorKind::Key, id: key.to_string(), name })
}
