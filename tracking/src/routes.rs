//! What a tracker answers to over HTTP.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{
    customer::Customers,
    intake::{self, Intake},
    observe::observe,
    problem::{self, Problem},
    redirect,
    tracker::Tracker,
};

/// After this long a postback is given up; what it did is taken back.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Postbacks, with what holds for every request that changes something: an id, a line in the log, problems for
/// errors, an end after a while, and no panic that reaches the client.
pub fn postback_routes(intake: Intake, customers: Arc<Customers>) -> Router {
    let chance = intake.chance.clone();
    intake::router(intake, customers)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(problem::complete))
        .layer(middleware::from_fn_with_state(chance, observe))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    // The panic's own message was already written by the panic hook.
    tracing::error!("a request ended in a panic");
    Problem::internal().into_response()
}

impl Tracker {
    /// Everything: clicks and what operators look at.
    pub fn router(&self) -> Router {
        self.click_routes().merge(self.operation_routes())
    }

    /// Clicks and impressions alone, to be merged into a larger service. The server must be made with
    /// `into_make_service_with_connect_info::<SocketAddr>()`, or no visitor has an address.
    pub fn click_routes(&self) -> Router {
        Router::new()
            .route("/c/{code}", get(redirect::follow_code))
            .route("/c", get(redirect::follow_query))
            .route("/landing", get(redirect::capture))
            .route("/i/{code}", get(redirect::impression::show_code))
            .route("/i", get(redirect::impression::show_query))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(middleware::from_fn(problem::complete))
            .with_state(self.clone())
    }

    /// Health and numbers.
    pub fn operation_routes(&self) -> Router {
        self.health_routes().merge(Router::new().route("/metrics", get(metrics)).with_state(self.clone()))
    }

    /// Health alone.
    pub fn health_routes(&self) -> Router {
        Router::new()
            .route("/health/live", get(|| async { "alive" }))
            .route("/health/ready", get(ready))
            .with_state(self.clone())
    }

    /// Why clicks cannot be taken right now, if they cannot.
    pub fn check_ready(&self) -> Result<(), &'static str> {
        if self.0.directory.load().is_none() {
            return Err("no links are loaded, neither from the database nor from disk");
        }
        if !self.0.wal.is_well() {
            return Err("the click log cannot be written");
        }
        if self.has_ended() { Err("clicks are kept but no longer stored") } else { Ok(()) }
    }
}

/// Ready means: a click would be redirected and kept. The database need not be there for that.
async fn ready(State(tracker): State<Tracker>) -> Result<&'static str, Problem> {
    tracker.check_ready().map(|()| "ready").map_err(|reason| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "Clicks cannot be taken").detail(reason)
    })
}

async fn metrics(State(tracker): State<Tracker>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], tracker.metrics())
}
