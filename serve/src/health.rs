//! Whether this process lives and can serve, for whoever watches over it.

use std::time::Duration;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use sqlx::{Connection, PgPool};
use tokio::time::timeout;
use tracking::problem::Problem;

/// How long the database may take to answer before the API is called unready.
const PATIENCE: Duration = Duration::from_secs(2);

/// `/health/live` and `/health/ready`.
pub fn routes(db: PgPool) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "alive" }))
        .route("/health/ready", get(ready))
        .with_state(db)
}

/// Ready means: a request would find the database.
async fn ready(State(db): State<PgPool>) -> Result<&'static str, Problem> {
    let reached = timeout(PATIENCE, async { db.acquire().await?.ping().await }).await;
    let unready =
        || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", "The database cannot be reached");
    reached.ok().and_then(Result::ok).map(|()| "ready").ok_or_else(unready)
}
