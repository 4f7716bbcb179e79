//! How decisions by a model are: whether it serves, what moved, whether it holds what was promised.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use models::registry::ModelName;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    failure::Failure,
    gate::Caller,
    models::{self as of_models, Name},
    query::{Query, malformed},
};
use crate::{app::App, scoring::health::DecisionHealth, store, store::decisions::KnownBound};

/// The model that decisions about fraud are made by.
pub const FRAUD: &str = "fraud";
/// How many days are looked at, unless told, and at most.
const DAYS: u16 = 7;
const MOST_DAYS: u16 = 90;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Which decisions are looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HealthWanted {
    /// Of how many days until now; what came before, four times as long, is what they are held against.
    #[param(minimum = 1, maximum = 90, default = 7)]
    days: Option<u16>,
}

/// How a model is.
#[derive(Debug, Serialize, ToSchema)]
struct ModelHealth {
    /// Its name.
    #[schema(value_type = Name)]
    model: ModelName,
    /// When it was looked at.
    at: DateTime<Utc>,
    /// The version whose answers count, as this process serves it.
    champion: Option<u32>,
    /// The version in its shadow.
    challenger: Option<u32>,
    /// What is wrong with what serves, each in a sentence.
    faults: Vec<String>,
    /// How decisions by it are; null of a model that no decision is made by that is kept.
    decisions: Option<DecisionHealth>,
    /// Bounds that are crossed, as the worker saw it last, and since when.
    crossed: Vec<CrossedBound>,
}

/// A bound that is crossed.
#[derive(Debug, Serialize, ToSchema)]
struct CrossedBound {
    /// Which.
    bound: String,
    /// Since when.
    since: DateTime<Utc>,
}

/// How a model is: what serves, and for `fraud` what its decisions came to: counts by campaign, what moved, whether
/// probabilities held, how often the honest were held, and what the other of champion and challenger would have done.
#[utoipa::path(get, path = "/models/{id}/health", tag = "models", params(("id" = Name, Path), HealthWanted),
    responses((status = 200, description = "How it is.", body = ModelHealth)),
    security(("key" = ["models:read"])))]
async fn health(
    app: State<App>,
    by: Caller,
    Path(name): Path<String>,
    Query(wanted): Query<HealthWanted>,
) -> Result<Json<ModelHealth>, Failure> {
    by.must_be_operator()?;
    let Name(model) = of_models::read(&name)?;
    let days = wanted.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(malformed("/days", format!("it must be a whole number from 1 to {MOST_DAYS}")));
    }
    let (held, decides) = (app.models.model(&model), name == FRAUD);
    if held.is_none() && !decides {
        return Err(Failure::nothing_here(format!("there is no model {model} here")));
    }
    let at = app.clock.now();
    let mut db = app.db.acquire().await?;
    let decisions = match decides {
        true => Some(DecisionHealth::read(&mut db, &app.scorer.in_force(), (at, days)).await?),
        false => None,
    };
    let known = store::decisions::bounds(&mut db, &name).await?;
    let crossed = known.into_iter().filter(|bound| bound.is_crossed);
    let serves = |of: fn(&crate::host::Held) -> &models::session::Serving| {
        held.as_ref().and_then(|held| of(held).version()).map(|version| version.0)
    };
    let faults = held.iter().flat_map(|held| [held.champion.refusal(), held.challenger.refusal()]);
    Ok(Json(ModelHealth {
        at,
        champion: serves(|held| &held.champion),
        challenger: serves(|held| &held.challenger),
        faults: faults.flatten().collect(),
        decisions,
        crossed: crossed.map(|KnownBound { bound, since, .. }| CrossedBound { bound, since }).collect(),
        model,
    }))
}
