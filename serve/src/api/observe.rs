//! Every request has an id, and every answer is one line of the log.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::app::App;

/// Middleware: the tracker's own, with the app's chance for new ids.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    tracking::observe::observe(State(app.chance), request, next).await
}
