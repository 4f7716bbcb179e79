//! The HTTP API under `/api/v1`: routes and document come from the same handlers, so they cannot differ.
//!
//! To add an endpoint: a handler in the file of its resource, with its tests; its SQL in `store`; a line in `routes`.

mod advertisers;
mod affiliates;
pub(crate) mod api_keys;
pub(crate) mod appeals;
pub(crate) mod attribution;
mod body;
mod campaigns;
pub(crate) mod cases;
mod commissions;
mod conversions;
mod coupons;
mod document;
pub(crate) mod failure;
pub(crate) mod fraud_settings;
mod gate;
mod hierarchy;
mod imports;
pub mod known_keys;
mod ledger;
pub mod limits;
pub(crate) mod links;
mod listing;
pub(crate) mod materials;
mod model_health;
pub(crate) mod models;
mod once;
mod open_inference;
pub(crate) mod partner_postbacks;
mod partner_values;
mod plans;
#[cfg(test)]
mod promises;
mod query;
mod quotes;
mod rate_contracts;
pub(crate) mod rate_decisions;
pub(crate) mod rates;
pub(crate) mod recommendations;
mod reports;
pub(crate) mod rings;
pub(crate) mod scores;
mod signing_keys;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::Chance;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use tracking::{
    observe::observe,
    problem::{Problem, complete},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::gate::{Gate, Operations};
pub use self::{
    api_keys::QUOTA_MAX,
    open_inference::{INFERENCES, is_brief},
};
use crate::app::App;

/// Where the API's document is served.
pub const DOCUMENT_PATH: &str = "/api/openapi.json";
/// No body of the API comes near this many bytes.
const BODY_LIMIT: usize = 256 * 1024;
/// After this long a request is given up; what it did is taken back.
const TIMEOUT: Duration = Duration::from_secs(30);
/// After this long a file that is being sent is given up.
const FILE_TIMEOUT: Duration = Duration::from_hours(4);

/// Every resource of the API.
const RESOURCES: &[fn() -> OpenApiRouter<App>] = &[
    advertisers::routes,
    signing_keys::routes,
    affiliates::routes,
    hierarchy::routes,
    partner_values::routes,
    partner_postbacks::routes,
    campaigns::routes,
    plans::routes,
    rate_contracts::routes,
    rate_decisions::routes,
    rates::routes,
    quotes::routes,
    links::routes,
    materials::routes,
    coupons::routes,
    reports::routes,
    conversions::routes,
    attribution::routes,
    commissions::routes,
    ledger::routes,
    api_keys::routes,
    imports::routes,
    models::routes,
    model_health::routes,
    scores::routes,
    fraud_settings::routes,
    cases::routes,
    rings::routes,
    appeals::routes,
    recommendations::routes,
];

/// The API with its document.
pub fn router(app: App) -> (Router, OpenApi) {
    let (routes, document, operations) = parts();
    let served = Json(document.clone());
    let gate = Gate { app: Arc::new(app.clone()), operations: Arc::new(operations) };
    let routes = routes
        .route_layer(from_fn_with_state(gate, gate::admit))
        .route(DOCUMENT_PATH, get(|| async move { served }));
    let chance = app.chance.clone();
    (protected(routes, (app.clone(), chance)).merge(open_inference::router(app)), document)
}

/// Lays around the routes what holds for every request: an id, a line in the log, problems for errors, and no panic that
/// reaches the client.
fn protected<S: Clone + Send + Sync + 'static>(routes: Router<S>, (state, chance): (S, Chance)) -> Router {
    // Together, the outermost first: each layer by itself is cloned with all those within for every request.
    let observed = from_fn_with_state(chance, observe);
    routes.layer((observed, from_fn(complete), CatchPanicLayer::custom(panicked))).with_state(state)
}

/// The document alone, for which no database is needed.
#[must_use]
pub fn document() -> OpenApi {
    parts().1
}

fn parts() -> (Router<App>, OpenApi, Operations) {
    let all = RESOURCES.iter().fold(OpenApiRouter::new(), |all, routes| all.merge(routes()));
    let all = all
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT));
    let patient = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, FILE_TIMEOUT);
    let all = all.merge(imports::file_routes().layer(DefaultBodyLimit::disable()).layer(patient));
    let (routes, mut document) =
        OpenApiRouter::with_openapi(document::begin()).nest("/api/v1", all).split_for_parts();
    let operations = document::finish(&mut document);
    (routes, document, operations)
}

/// The answer of a request that ended in a panic.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    // The panic's own message was already written by the panic hook.
    tracing::error!("a request ended in a panic");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_without_its_reason() {
        let api = testing::Api::start().await;
        let routes =
            Router::new().route("/panic", get(|| async { panic!("a reason for ourselves") as &'static str }));
        let request = Request::get("/panic").header("x-request-id", "r1").body(Body::empty()).unwrap();
        let state = (api.app.clone(), api.app.chance.clone());
        let answer = protected(routes, state).oneshot(request).await.unwrap();
        let answer = testing::Answer::read(answer).await;
        insta::assert_snapshot!(answer.text, @r#"{"type":"urn:tributary:problem:internal","title":"Something failed on our side","status":500,"code":"internal","request_id":"r1"}"#);
    }
}
