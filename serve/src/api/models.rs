//! The models that decide: which versions there are, which serve and which do not and why, and moving them: promotion,
//! rollback, and the kill switch.

use std::{str::FromStr, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use models::{
    registry::{
        Alias, Aliases, Decision, Entry, Force, ModelName, Move, NoName, PromoteError, Promotion, ReadError,
        Registry, Version, manifest::Metric,
    },
    session::LoadCause,
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tracking::problem::Problem;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::Note,
};
use crate::{app::App, host::Host};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(promote))
        .routes(routes!(rollback))
        .routes(routes!(withdraw))
}

/// The name of a model in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) ModelName);

impl FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: NoName| error.to_string())
    }
}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let name = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z][a-z0-9_-]{0,63}$"));
        name.examples(["fraud"]).description(Some("The name of a model.")).into()
    }
}

impl ToSchema for Name {
    fn name() -> std::borrow::Cow<'static, str> {
        "ModelName".into()
    }
}

/// What an alias of a model names, and what serves for it.
#[derive(Debug, Serialize, ToSchema)]
struct Served {
    /// The version that the registry names.
    named: Option<u32>,
    /// The version that this process serves.
    serves: Option<u32>,
    /// Why the version that is named does not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// A model of the registry.
#[derive(Debug, Serialize, ToSchema)]
struct Model {
    /// Its name.
    #[schema(value_type = Name)]
    name: ModelName,
    /// The version whose answers count.
    champion: Served,
    /// The version that answers in its shadow, to be compared.
    challenger: Served,
}

/// A model with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
struct WholeModel {
    #[serde(flatten)]
    model: Model,
    /// Its versions, the newest first.
    versions: Vec<OneVersion>,
    /// Every move of an alias, the newest first.
    history: Vec<Moved>,
}

/// A version of a model.
#[derive(Debug, Serialize, ToSchema)]
struct OneVersion {
    /// Its number.
    version: u32,
    /// Its family of graphs.
    family: Option<String>,
    /// When it was made.
    created_at: Option<DateTime<Utc>>,
    /// The features it takes, in order.
    features: Vec<String>,
    /// How good it was when it was made.
    metrics: Vec<Measured>,
    /// What is wrong with its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<String>,
}

/// One number of a model's quality.
#[derive(Debug, Serialize, ToSchema)]
struct Measured {
    /// Its name, such as `roc_auc`.
    name: String,
    /// Its value.
    value: f64,
    /// The lower end of its interval.
    low: Option<f64>,
    /// The upper end.
    high: Option<f64>,
    /// How sure the interval is, such as 0.95.
    level: Option<f64>,
}

/// A move of an alias.
#[derive(Debug, Serialize, ToSchema)]
struct Moved {
    /// `champion` or `challenger`.
    alias: String,
    /// From which version.
    from: Option<u32>,
    /// To which version; null when it was taken away.
    to: Option<u32>,
    /// When.
    at: DateTime<Utc>,
    /// Who moved it.
    by: String,
    /// And why.
    why: String,
    /// What would have spoken against it, each in a sentence, when it was forced.
    overridden: Vec<String>,
}

/// Which alias is meant; champion when nothing is said.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Which {
    /// The version whose answers count.
    #[default]
    Champion,
    /// The version in its shadow.
    Challenger,
}

impl From<Which> for Alias {
    fn from(which: Which) -> Self {
        match which {
            Which::Champion => Self::Champion,
            Which::Challenger => Self::Challenger,
        }
    }
}

/// Which version is to be what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPromotion {
    /// The version.
    #[schema(minimum = 1)]
    version: u32,
    /// What it is to be.
    #[serde(default)]
    alias: Which,
    /// Why; the history keeps it.
    why: Note,
    /// Even if it is worse than the champion; the history keeps what was overridden.
    #[serde(default)]
    force: bool,
}

/// Which alias is to move, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMove {
    /// Which alias.
    #[serde(default)]
    alias: Which,
    /// Why; the history keeps it.
    why: Note,
}

/// List the models of the registry: what is named champion and challenger, what serves, and why something does not.
#[utoipa::path(get, path = "/models", tag = "models", params(Paging),
    responses((status = 200, description = "One page, by name.", body = Page<Model>)),
    security(("key" = ["models:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<Unfiltered, ModelName>,
) -> Result<Json<Page<Model>>, Failure> {
    by.must_be_operator()?;
    let (after, reach) = (listing.after.clone(), listing.reach());
    let models = blocking(&app.models, move |host, registry| {
        let names =
            registry.models()?.into_iter().filter(|name| after.as_ref().is_none_or(|last| last < name));
        let names = names.take(usize::try_from(reach).unwrap_or_default());
        let model = |name: ModelName| match registry.aliases(&name) {
            Ok(aliases) => told(host, &name, &aliases),
            Err(error) => unknown(host, &name, &error),
        };
        Ok(names.map(model).collect::<Vec<_>>())
    });
    let models = match app.models.registry() {
        Some(_) => models.await?.map_err(|error: ReadError| unreadable(&error))?,
        None => Vec::new(),
    };
    Ok(Json(listing.page(models, |model| model.name.clone())))
}

/// One model with all its versions and every move of its aliases.
#[utoipa::path(get, path = "/models/{id}", tag = "models", params(("id" = Name, Path)),
    responses((status = 200, description = "The model.", body = WholeModel)),
    security(("key" = ["models:read"])))]
async fn get(app: State<App>, by: Caller, Path(name): Path<String>) -> Result<Json<WholeModel>, Failure> {
    by.must_be_operator()?;
    let Name(name) = read(&name)?;
    let whole = blocking(&app.models, move |host, registry| {
        let entries = registry.list(Some(&name))?;
        let aliases = registry.aliases(&name)?;
        let mut versions: Vec<OneVersion> = entries.into_iter().map(OneVersion::from).collect();
        versions.reverse();
        let history = aliases.history.iter().rev().map(Moved::from).collect();
        Ok(WholeModel { model: told(host, &name, &aliases), versions, history })
    });
    whole.await?.map(Json).map_err(|error| unreadable(&error))
}

/// Make a version champion or challenger, once its hashes, signature and parity vectors hold and no gate speaks against it.
#[utoipa::path(post, path = "/models/{id}/promote", tag = "models",
    params(("id" = Name, Path)), request_body = NewPromotion,
    responses((status = 200, description = "What its aliases are now.", body = Model)),
    security(("key" = ["models:write"])))]
async fn promote(
    app: State<App>,
    Path(name): Path<String>,
    once: Once<NewPromotion>,
) -> Result<Response, Failure> {
    let Once { by, body, effect } = once;
    by.must_be_operator()?;
    let NewPromotion { version, alias, why, force } = body;
    let Name(model) = read(&name)?;
    let promotion = Promotion {
        model: model.clone(),
        version: Version(version),
        alias: alias.into(),
        decision: decision(&app, &by, why),
        force: if force { Force::Yes } else { Force::No },
    };
    let moved = moving(&app, model, move |host, registry| {
        registry.versions(&promotion.model)?;
        let runtime = host.runtime().map_err(|why| Unmoved::NoRuntime(why.to_owned()))?;
        Ok(registry.promote(&promotion, runtime)?)
    });
    effect.answer(StatusCode::OK, &moved.await?).await
}

/// Bring an alias back to where it was before, also after it was withdrawn.
#[utoipa::path(post, path = "/models/{id}/rollback", tag = "models",
    params(("id" = Name, Path)), request_body = NewMove,
    responses((status = 200, description = "What its aliases are now.", body = Model)),
    security(("key" = ["models:write"])))]
async fn rollback(
    app: State<App>,
    Path(name): Path<String>,
    once: Once<NewMove>,
) -> Result<Response, Failure> {
    bring(app, &name, once, |host, registry, (model, alias, decision)| {
        let runtime = host.runtime().map_err(|why| Unmoved::NoRuntime(why.to_owned()))?;
        Ok(registry.rollback(model, alias, decision, runtime)?)
    })
    .await
}

/// Withdraw a model, at once in this process and within seconds in others: decisions are made without it until a rollback.
#[utoipa::path(post, path = "/models/{id}/withdraw", tag = "models",
    params(("id" = Name, Path)), request_body = NewMove,
    responses((status = 200, description = "What its aliases are now.", body = Model)),
    security(("key" = ["models:write"])))]
async fn withdraw(
    app: State<App>,
    Path(name): Path<String>,
    once: Once<NewMove>,
) -> Result<Response, Failure> {
    bring(app, &name, once, |_, registry, (model, alias, decision)| {
        Ok(registry.withdraw(model, alias, decision)?)
    })
    .await
}

/// Which alias of which model is to move, and who decides.
type Moving<'a> = (&'a ModelName, Alias, &'a Decision);

/// Moves an alias to where its history says.
async fn bring(
    app: State<App>,
    name: &str,
    once: Once<NewMove>,
    work: fn(&Host, &Registry, Moving<'_>) -> Result<Aliases, Unmoved>,
) -> Result<Response, Failure> {
    let Once { by, body: NewMove { alias, why }, effect } = once;
    by.must_be_operator()?;
    let Name(model) = read(name)?;
    let (decision, of) = (decision(&app, &by, why), model.clone());
    let moved =
        moving(&app, model, move |host, registry| work(host, registry, (&of, alias.into(), &decision)));
    effect.answer(StatusCode::OK, &moved.await?).await
}

/// The name of a model, as a path has it.
pub(super) fn read(name: &str) -> Result<Name, Failure> {
    name.parse().map_err(|detail: String| {
        let problem =
            Problem::new(StatusCode::BAD_REQUEST, "malformed_id", "The path does not hold such a name");
        problem.error("/id", detail).into()
    })
}

fn decision(app: &App, by: &Caller, why: Note) -> Decision {
    Decision { by: by.key.to_string(), why: why.into(), at: app.clock.now() }
}

/// Why an alias stays where it is.
enum Unmoved {
    Moving(Box<PromoteError>),
    Reading(ReadError),
    NoRuntime(String),
}

impl From<PromoteError> for Unmoved {
    fn from(error: PromoteError) -> Self {
        Self::Moving(Box::new(error))
    }
}

impl From<ReadError> for Unmoved {
    fn from(error: ReadError) -> Self {
        Self::Reading(error)
    }
}

impl From<Unmoved> for Failure {
    fn from(unmoved: Unmoved) -> Self {
        let error = match unmoved {
            Unmoved::Moving(error) => error,
            Unmoved::Reading(error) => return unreadable(&error),
            Unmoved::NoRuntime(why) => return Self::unavailable(why),
        };
        match *error {
            PromoteError::Read(error) => unreadable(&error),
            error @ PromoteError::Storage(_) => Self::unavailable(error),
            error @ PromoteError::Undecided { .. } => Self::unprocessable("/why", error),
            PromoteError::Unfit(error) => match &*error.cause {
                LoadCause::Read(cause) if !matches!(cause, ReadError::Damaged { .. }) => unreadable(cause),
                _ => Self::conflict("unfit_model", error),
            },
            error @ PromoteError::Worse { .. } => Self::conflict("worse_than_champion", error),
            error @ (PromoteError::Already { .. } | PromoteError::NothingBefore { .. }) => {
                Self::conflict("illegal_move", error)
            }
        }
    }
}

/// A registry that cannot be read now, or does not hold what is asked for.
fn unreadable(error: &ReadError) -> Failure {
    match error {
        ReadError::UnknownModel { .. } | ReadError::UnknownVersion { .. } => Failure::nothing_here(error),
        ReadError::NoAlias { .. } => Failure::conflict("illegal_move", error),
        other => Failure::unavailable(other),
    }
}

/// Does what reads or writes files on a thread that may wait.
async fn blocking<T: Send + 'static>(
    host: &Arc<Host>,
    work: impl FnOnce(&Host, &Registry) -> T + Send + 'static,
) -> Result<T, Failure> {
    let host = Arc::clone(host);
    let done = spawn_blocking(move || host.registry().map(|registry| work(&host, registry)));
    let nothing =
        || Failure::nothing_here("this service has no registry of models: start it with --registry");
    done.await.map_err(|error| Failure::Broken(error.into()))?.ok_or_else(nothing)
}

/// Moves an alias, lets this process follow at once, and tells what the aliases are.
async fn moving(
    app: &App,
    model: ModelName,
    work: impl FnOnce(&Host, &Registry) -> Result<Aliases, Unmoved> + Send + 'static,
) -> Result<Model, Failure> {
    let moved = blocking(&app.models, move |host, registry| {
        let aliases = work(host, registry)?;
        host.look_at(&model);
        Ok(told(host, &model, &aliases))
    });
    moved.await?.map_err(|unmoved: Unmoved| unmoved.into())
}

/// A model of which cannot be read what is named.
fn unknown(host: &Host, name: &ModelName, error: &ReadError) -> Model {
    let mut model = told(host, name, &Aliases::none());
    for served in [&mut model.champion, &mut model.challenger] {
        served.refused = Some(error.to_string());
    }
    model
}

fn told(host: &Host, name: &ModelName, aliases: &Aliases) -> Model {
    let held = host.model(name);
    let served = |alias| {
        let serving = held.as_ref().map(|held| match alias {
            Alias::Champion => &held.champion,
            Alias::Challenger => &held.challenger,
        });
        let named = aliases.get(alias);
        let serves = serving.and_then(|serving| serving.version());
        let silent = || host.runtime().err().filter(|_| named.is_some()).map(str::to_owned);
        let refused = serving.and_then(|serving| serving.refusal()).or_else(silent);
        Served { named: named.map(|it| it.0), serves: serves.map(|it| it.0), refused }
    };
    Model { name: name.clone(), champion: served(Alias::Champion), challenger: served(Alias::Challenger) }
}

impl From<Entry> for OneVersion {
    fn from(entry: Entry) -> Self {
        let version = entry.version.0;
        match entry.manifest {
            Ok(manifest) => Self {
                version,
                family: Some(manifest.about.family),
                created_at: Some(manifest.about.created_at),
                features: manifest.about.features.names,
                metrics: manifest.about.metrics.into_iter().map(Measured::from).collect(),
                damaged: None,
            },
            Err(error) => Self {
                version,
                family: None,
                created_at: None,
                features: Vec::new(),
                metrics: Vec::new(),
                damaged: Some(error.to_string()),
            },
        }
    }
}

impl From<Metric> for Measured {
    fn from(metric: Metric) -> Self {
        let Metric { name, value, interval } = metric;
        let (low, high) = (interval.map(|it| it.low), interval.map(|it| it.high));
        Self { name, value, low, high, level: interval.map(|it| it.level) }
    }
}

impl From<&Move> for Moved {
    fn from(step: &Move) -> Self {
        Self {
            alias: step.alias.to_string(),
            from: step.from.map(|it| it.0),
            to: step.to.map(|it| it.0),
            at: step.at,
            by: step.by.clone(),
            why: step.why.clone(),
            overridden: step.overridden.clone(),
        }
    }
}
