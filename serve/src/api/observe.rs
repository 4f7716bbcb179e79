//! Every request has an id, and every answer is one line of the log; of inferences, which are too many, those that failed.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use domain::Chance;
use tracking::observe;

use super::open_inference;

/// Middleware: the tracker's own, with chance for new ids.
pub async fn observe(State(chance): State<Chance>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if open_inference::is_inference(path) {
        return observe::observe_failures(State(chance), request, next).await;
    }
    observe::observe(State(chance), request, next).await
}
