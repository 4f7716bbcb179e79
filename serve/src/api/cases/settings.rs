//! How cases are worked on: deadlines, the amount above which two people decide, and what currencies are worth in the queue.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::fraud::cases::CaseSettings;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as JsonColumn;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::{failure::Failure, gate::Caller, once::Once, text::Note};
use crate::{
    app::App,
    store::cases::{self, StoredSettings},
};

/// The routes of the settings.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(settings, set))
}

/// Settings with their version.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseSettingsVersion {
    /// Counted from 1; 0 is how this release works while nobody has set anything.
    version: i32,
    /// What they say.
    settings: CaseSettings,
    /// Why.
    note: String,
    /// Who wrote them; null for the release.
    actor: Option<String>,
    /// When; null for the release.
    created_at: Option<DateTime<Utc>>,
}

/// Settings that replace those in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCaseSettings {
    /// The version that they were made from: nobody's change is lost to another's.
    replaces: i32,
    /// All of them: what is not said is as the release has it.
    settings: CaseSettings,
    /// Why, for the record.
    note: Option<Note>,
}

/// Show how cases are worked on now.
#[utoipa::path(get, path = "/cases/settings", tag = "cases",
    responses((status = 200, description = "The settings in force.", body = CaseSettingsVersion)),
    security(("key" = ["fraud:read"])))]
async fn settings(app: State<App>, by: Caller) -> Result<Json<CaseSettingsVersion>, Failure> {
    by.must_be_operator()?;
    let stored = cases::settings(&mut *app.db.acquire().await?).await?;
    Ok(Json(stored.map_or_else(CaseSettingsVersion::of_the_release, CaseSettingsVersion::of)))
}

/// Work on cases in another way from now on. Deadlines of cases that are open stay.
#[utoipa::path(post, path = "/cases/settings", tag = "cases", request_body = NewCaseSettings,
    responses((status = 201, description = "In force.", body = CaseSettingsVersion)),
    security(("key" = ["fraud:write"])))]
async fn set(app: State<App>, once: Once<NewCaseSettings>) -> Result<Response, Failure> {
    let Once { by, body: NewCaseSettings { replaces, settings, note }, mut effect } = once;
    by.must_be_operator()?;
    settings.check().map_err(|error| Failure::unprocessable("/settings", error))?;
    let in_force = cases::settings(&mut effect).await?.map_or(0, |stored| stored.version);
    let stale = |now: &str| {
        let detail =
            format!("version {now} and not {replaces} is in force: read it, and make the change to that");
        Failure::conflict("stale_settings", detail)
    };
    if in_force != replaces {
        return Err(stale(&in_force.to_string()));
    }
    let version = replaces + 1;
    let (actor, created_at) = (by.key.to_string(), app.clock.now());
    let note = note.map(String::from).unwrap_or_default();
    let new = StoredSettings { version, settings: JsonColumn(settings), note, actor, created_at };
    if !cases::insert_settings(&mut effect, &new).await? {
        return Err(stale(&version.to_string()));
    }
    effect.answer(StatusCode::CREATED, &CaseSettingsVersion::of(new)).await
}

impl CaseSettingsVersion {
    fn of(stored: StoredSettings) -> Self {
        let StoredSettings { version, settings, note, actor, created_at } = stored;
        Self { version, settings: settings.0, note, actor: Some(actor), created_at: Some(created_at) }
    }

    fn of_the_release() -> Self {
        let settings = CaseSettings::default();
        Self { version: 0, settings, note: String::new(), actor: None, created_at: None }
    }
}
