//! The models that decide: which versions there are, which serve and which do not and why, and moving them: promotion,
//! rollback, and the kill switch.

mod told;

use std::{str::FromStr, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use models::{
    registry::{
        Alias, Aliases, Decision, Force, ModelName, NoName, PromoteError, Promotion, ReadError, Registry,
        Version,
    },
    session::LoadCause,
};
use serde::Deserialize;
use tokio::task::spawn_blocking;
use tracking::problem::Problem;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use self::told::{Model, Served, WholeModel};
use self::told::{Moved, OneVersion};
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

/// Which alias is meant; champion when nothing is said.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Which {
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
pub(crate) struct NewPromotion {
    /// The version.
    #[schema(minimum = 1)]
    pub(crate) version: u32,
    /// What it is to be.
    #[serde(default)]
    pub(crate) alias: Which,
    /// Why; the history keeps it.
    pub(crate) why: Note,
    /// Even if it is worse than the champion; the history keeps what was overridden.
    #[serde(default)]
    pub(crate) force: bool,
}

/// Which alias is to move, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMove {
    /// Which alias.
    #[serde(default)]
    pub(crate) alias: Which,
    /// Why; the history keeps it.
    pub(crate) why: Note,
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
    let models = all(&app, listing.after.clone(), listing.reach()).await?;
    Ok(Json(listing.page(models, |model| model.name.clone())))
}

/// The models of the registry behind one, by name; none where there is no registry.
pub(crate) async fn all(app: &App, after: Option<ModelName>, reach: i64) -> Result<Vec<Model>, Failure> {
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
    match app.models.registry() {
        Some(_) => models.await?.map_err(|error: ReadError| unreadable(&error)),
        None => Ok(Vec::new()),
    }
}

/// One model with all its versions and every move of its aliases.
#[utoipa::path(get, path = "/models/{id}", tag = "models", params(("id" = Name, Path)),
    responses((status = 200, description = "The model.", body = WholeModel)),
    security(("key" = ["models:read"])))]
async fn get(app: State<App>, by: Caller, Path(name): Path<String>) -> Result<Json<WholeModel>, Failure> {
    by.must_be_operator()?;
    whole(&app, &name).await.map(Json)
}

/// A model with all that is known of it.
pub(crate) async fn whole(app: &App, name: &str) -> Result<WholeModel, Failure> {
    let Name(name) = read(name)?;
    let whole = blocking(&app.models, move |host, registry| {
        let entries = registry.list(Some(&name))?;
        let aliases = registry.aliases(&name)?;
        let mut versions: Vec<OneVersion> = entries.into_iter().map(OneVersion::from).collect();
        versions.reverse();
        let history = aliases.history.iter().rev().map(Moved::from).collect();
        Ok(WholeModel { model: told(host, &name, &aliases), versions, history })
    });
    whole.await?.map_err(|error| unreadable(&error))
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
    let actor = by.key.to_string();
    effect.answer(StatusCode::OK, &promoted(&app, &name, body, actor).await?).await
}

/// Makes a version champion or challenger.
pub(crate) async fn promoted(
    app: &App,
    name: &str,
    NewPromotion { version, alias, why, force }: NewPromotion,
    actor: String,
) -> Result<Model, Failure> {
    let Name(model) = read(name)?;
    let promotion = Promotion {
        model: model.clone(),
        version: Version(version),
        alias: alias.into(),
        decision: decision(app, actor, why),
        force: if force { Force::Yes } else { Force::No },
    };
    moving(app, model, move |host, registry| {
        registry.versions(&promotion.model)?;
        let runtime = host.runtime().map_err(|why| Unmoved::NoRuntime(why.to_owned()))?;
        Ok(registry.promote(&promotion, runtime)?)
    })
    .await
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
    let Once { by, body, effect } = once;
    by.must_be_operator()?;
    let actor = by.key.to_string();
    effect.answer(StatusCode::OK, &rolled_back(&app, &name, body, actor).await?).await
}

/// Brings an alias back to where it was before.
pub(crate) async fn rolled_back(
    app: &App,
    name: &str,
    to_move: NewMove,
    actor: String,
) -> Result<Model, Failure> {
    bring(app, name, (to_move, actor), |host, registry, (model, alias, decision)| {
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
    let Once { by, body, effect } = once;
    by.must_be_operator()?;
    let by_whom = (body, by.key.to_string());
    let moved = bring(&app, &name, by_whom, |_, registry, (model, alias, decision)| {
        Ok(registry.withdraw(model, alias, decision)?)
    });
    effect.answer(StatusCode::OK, &moved.await?).await
}

/// Which alias of which model is to move, and who decides.
type Moving<'a> = (&'a ModelName, Alias, &'a Decision);

/// Moves an alias to where its history says.
async fn bring(
    app: &App,
    name: &str,
    (NewMove { alias, why }, actor): (NewMove, String),
    work: fn(&Host, &Registry, Moving<'_>) -> Result<Aliases, Unmoved>,
) -> Result<Model, Failure> {
    let Name(model) = read(name)?;
    let (decision, of) = (decision(app, actor, why), model.clone());
    moving(app, model, move |host, registry| work(host, registry, (&of, alias.into(), &decision))).await
}

/// The name of a model, as a path has it.
pub(super) fn read(name: &str) -> Result<Name, Failure> {
    name.parse().map_err(|detail: String| {
        let problem =
            Problem::new(StatusCode::BAD_REQUEST, "malformed_id", "The path does not hold such a name");
        problem.error("/id", detail).into()
    })
}

fn decision(app: &App, by: String, why: Note) -> Decision {
    Decision { by, why: why.into(), at: app.clock.now() }
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
