//! How fraud is decided: settings by versions, changed while everything runs, and what a change would have done before.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ConversionId,
    fraud::{Past, Preview},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json as JsonColumn};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{failure::Failure, gate::Caller, once::Once, text::Note};
use crate::{
    app::App,
    scoring::settings::{FraudSettings, InForce},
    store::{self, fraud::StoredSettings},
};

/// How far back a preview looks.
const LOOKING_BACK: TimeDelta = TimeDelta::days(30);
/// At so many decisions, the newest, it looks at most.
const MOST_PAST: i64 = 100_000;
/// So many conversions are named.
const NAMED: usize = 100;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, create)).routes(routes!(preview))
}

/// Settings with their version.
#[derive(Debug, Serialize, ToSchema)]
pub struct FraudSettingsVersion {
    /// Counted from 1; 0 is what this release decides by while nobody has set anything.
    pub version: i32,
    /// What they say.
    pub settings: FraudSettings,
    /// Why.
    pub note: String,
    /// Who wrote them; null for the release.
    pub actor: Option<String>,
    /// When; null for the release.
    pub created_at: Option<DateTime<Utc>>,
}

/// Settings that replace those in force.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFraudSettings {
    /// The version that they were made from: nobody's change is lost to another's.
    pub replaces: i32,
    /// All of them: what is not said is as the release has it.
    pub settings: FraudSettings,
    /// Why, for the record.
    pub note: Option<Note>,
}

/// Rules that may come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The settings as they would be.
    settings: FraudSettings,
}

/// What a change of the rules would have done in the last 30 days.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingsPreview {
    /// How many decisions were made again, the newest 100,000 at most.
    pub looked_at: u64,
    /// How many conversions the rules in force do not flag and the changed ones do.
    pub flagged: usize,
    /// How many of them were approved later.
    pub flagged_approved: u64,
    /// The newest hundred of them.
    pub flagged_conversions: Vec<ConversionId>,
    /// How many conversions the rules in force flag and the changed ones do not.
    pub spared: usize,
    /// How many of them were rejected or reversed later.
    pub spared_rejected: u64,
    /// The newest hundred of them.
    pub spared_conversions: Vec<ConversionId>,
    /// For each reason with a difference: how many conversions more have it, and how many fewer.
    pub by_reason: std::collections::BTreeMap<String, (u64, u64)>,
    /// The same in a sentence.
    pub words: String,
}

/// Show how fraud is decided now.
#[utoipa::path(get, path = "/fraud/settings", tag = "fraud",
    responses((status = 200, description = "The settings in force.", body = FraudSettingsVersion)),
    security(("key" = ["fraud:read"])))]
async fn show(app: State<App>, by: Caller) -> Result<Json<FraudSettingsVersion>, Failure> {
    by.must_be_operator()?;
    Ok(Json(newest(&mut *app.db.acquire().await?).await?))
}

/// The settings in force.
pub async fn newest(db: &mut PgConnection) -> Result<FraudSettingsVersion, Failure> {
    let newest = store::fraud::newest_settings(db, 0).await?;
    Ok(newest.map_or_else(FraudSettingsVersion::of_the_release, FraudSettingsVersion::of))
}

/// Decide by other settings from now on: within a second everywhere. Versions stay, and old decisions are explained by theirs.
#[utoipa::path(post, path = "/fraud/settings", tag = "fraud", request_body = NewFraudSettings,
    responses((status = 201, description = "In force.", body = FraudSettingsVersion)),
    security(("key" = ["fraud:write"])))]
async fn create(app: State<App>, once: Once<NewFraudSettings>) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    by.must_be_operator()?;
    let (written, in_force) = write(&mut effect, new, by.key.to_string(), app.clock.now()).await?;
    let answer = effect.answer(StatusCode::CREATED, &written).await?;
    app.scorer.put_in_force(in_force);
    Ok(answer)
}

/// Writes the next version of the settings. Once it is committed, the caller puts them in force here; other processes find
/// them within a second.
pub async fn write(
    db: &mut PgConnection,
    NewFraudSettings { replaces, settings, note }: NewFraudSettings,
    actor: String,
    created_at: DateTime<Utc>,
) -> Result<(FraudSettingsVersion, InForce), Failure> {
    let newest = store::fraud::newest_settings(db, 0).await?.map_or(0, |newest| newest.version);
    if newest != replaces {
        let detail =
            format!("version {newest} is in force and not {replaces}: read it, and make the change to that");
        return Err(Failure::conflict("stale_settings", detail));
    }
    let version = replaces + 1;
    let in_force = checked(&settings, u32::try_from(version).unwrap_or_default())?;
    let note = note.map(String::from).unwrap_or_default();
    let new = StoredSettings { version, settings: JsonColumn(settings), note, actor, created_at };
    if !store::fraud::insert_settings(db, &new).await? {
        let detail =
            format!("version {version} was written a moment ago: read it, and make the change to that");
        return Err(Failure::conflict("stale_settings", detail));
    }
    Ok((FraudSettingsVersion::of(new), in_force))
}

/// Preview a change of the rules: what it would have flagged and spared among the decisions of the last 30 days. Nothing
/// changes.
#[utoipa::path(post, path = "/fraud/settings/preview", tag = "fraud", request_body = PreviewRequest,
    responses((status = 200, description = "What it would have done.", body = SettingsPreview)),
    security(("key" = ["fraud:read"])))]
async fn preview(app: State<App>, once: Once<PreviewRequest>) -> Result<Response, Failure> {
    let Once { by, body: PreviewRequest { settings }, mut effect } = once;
    by.must_be_operator()?;
    let preview = foreseen(&mut effect, &app, &settings).await?;
    effect.answer(StatusCode::OK, &preview).await
}

/// What settings would have done in the last 30 days.
pub async fn foreseen(
    db: &mut PgConnection,
    app: &App,
    settings: &FraudSettings,
) -> Result<SettingsPreview, Failure> {
    let present = app.scorer.in_force();
    let changed = checked(settings, present.version)?;
    let past = store::fraud::past(db, app.clock.now() - LOOKING_BACK, MOST_PAST).await?;
    let past = past.into_iter().map(|one| Past {
        conversion: one.conversion_id,
        campaign: one.campaign_id,
        at: one.scored_at,
        seen: one.evidence.0,
        status: one.status,
    });
    Ok(SettingsPreview::of(Preview::of(&present.rules, &changed.rules, past)))
}

/// All versions of the settings, the newest first.
pub async fn versions(db: &mut PgConnection, limit: i64) -> Result<Vec<FraudSettingsVersion>, Failure> {
    let all = store::fraud::all_settings(db, limit).await?;
    Ok(all.into_iter().map(FraudSettingsVersion::of).collect())
}

fn checked(settings: &FraudSettings, version: u32) -> Result<InForce, Failure> {
    InForce::check(settings.clone(), version).map_err(|error| Failure::unprocessable("/settings", error))
}

impl FraudSettingsVersion {
    fn of(stored: StoredSettings) -> Self {
        let StoredSettings { version, settings, note, actor, created_at } = stored;
        Self { version, settings: settings.0, note, actor: Some(actor), created_at: Some(created_at) }
    }

    fn of_the_release() -> Self {
        let settings = FraudSettings::default();
        Self { version: 0, settings, note: String::new(), actor: None, created_at: None }
    }
}

impl SettingsPreview {
    fn of(preview: Preview) -> Self {
        let Preview { looked_at, mut flagged, flagged_approved, mut spared, spared_rejected, by_reason } =
            preview;
        let words = format!(
            "Of {looked_at} conversions of the last 30 days this change would have flagged {} more, {flagged_approved} of \
             them later approved, and spared {}, {spared_rejected} of them later rejected or reversed.",
            flagged.len(),
            spared.len()
        );
        let (flagged_all, spared_all) = (flagged.len(), spared.len());
        flagged.truncate(NAMED);
        spared.truncate(NAMED);
        let by_reason = by_reason.into_iter().map(|(code, counts)| (code.name().to_owned(), counts));
        Self {
            looked_at,
            flagged: flagged_all,
            flagged_approved,
            flagged_conversions: flagged,
            spared: spared_all,
            spared_rejected,
            spared_conversions: spared,
            by_reason: by_reason.collect(),
            words,
        }
    }
}
