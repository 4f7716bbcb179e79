//! Every request has an id, and every answer is one line of the log.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Chance;
use tracing::Instrument;

use crate::problem::{self, REQUEST_ID};

/// Middleware: keeps the request's own id or gives it one, answers with it, and writes one line about the answer.
pub async fn observe(State(chance): State<Chance>, mut request: Request, next: Next) -> Response {
    let (name, id) = identify(&chance, &mut request);
    let (method, path) = (request.method().clone(), request.extensions().get::<MatchedPath>().cloned());
    let path = path.as_ref().map_or("-", MatchedPath::as_str).to_owned();
    let request_id = id.to_str().unwrap_or_default();
    // Who asks is filled in by those who find out; the API's gate does.
    let span = tracing::info_span!("request", request_id, %method, path, key = tracing::field::Empty);

    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, latency_ms, "answered {method} {path} with {status}"));
    response.headers_mut().insert(name, id);
    response
}

/// A request that is being answered, where that happens thousands of times a second: without layers, and with a line only
/// about an answer that is no good one.
pub struct Observed {
    name: HeaderName,
    id: HeaderValue,
    method: Method,
    path: Option<MatchedPath>,
}

impl Observed {
    /// Keeps the request's own id or gives it one.
    pub fn begin(chance: &Chance, request: &mut Request) -> Self {
        let (name, id) = identify(chance, request);
        let (method, path) = (request.method().clone(), request.extensions().get::<MatchedPath>().cloned());
        Self { name, id, method, path }
    }

    /// Answers with the id, completes a problem as [`complete`](crate::problem::complete) does, and writes the line.
    #[must_use]
    pub fn end(self, response: Response) -> Response {
        let Self { name, id, method, path } = self;
        let mut response = problem::finish(response, Some(id.as_bytes()));
        let status = response.status().as_u16();
        if 400 <= status {
            let (path, request_id) =
                (path.as_ref().map_or("-", MatchedPath::as_str), id.to_str().unwrap_or_default());
            tracing::info!(request_id, %method, path, status, "answered {method} {path} with {status}");
        }
        response.headers_mut().insert(name, id);
        response
    }
}

/// The request's own id, or a new one, which it has from now on.
fn identify(chance: &Chance, request: &mut Request) -> (HeaderName, HeaderValue) {
    let name = HeaderName::from_static(REQUEST_ID);
    let given = request.headers().get(&name).filter(|id| is_id(id.as_bytes())).cloned();
    let id = given.unwrap_or_else(|| new_id(chance));
    request.headers_mut().insert(name.clone(), id.clone());
    (name, id)
}

/// What others may send as an id: nothing that could confuse a log or a header.
fn is_id(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    (1..=64).contains(&text.len()) && text.iter().all(plain)
}

fn new_id(chance: &Chance) -> HeaderValue {
    let text = format!("req_{}", URL_SAFE_NO_PAD.encode(chance.bytes::<15>()));
    HeaderValue::try_from(text).expect("base64 is visible ASCII")
}
