//! Every error a client meets is one RFC 9457 document of one shape.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// The header in which a request's id comes in and goes out.
pub const REQUEST_ID: &str = "x-request-id";

/// What went wrong, for a machine (`type`, `code`, `errors`) and for a person (`title`, `detail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A stable URI that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:tributary:problem:unknown_link")]
    kind: Box<str>,
    /// The kind of problem in a few words; the same for every occurrence.
    #[schema(value_type = String, example = "Unknown link")]
    title: &'static str,
    /// The HTTP status, repeated for those who only keep the body.
    #[schema(example = 404)]
    status: u16,
    /// The last part of `type`, to branch on.
    #[schema(value_type = String, example = "unknown_link")]
    code: &'static str,
    /// What happened this time, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    detail: Option<Box<str>>,
    /// Which parts of the request are at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// The id to quote when asking for help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    request_id: Option<Box<str>>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

/// One part of a request that cannot be accepted, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body, or `/name` of a query parameter.
    #[schema(example = "/amount")]
    pub pointer: String,
    /// What is wrong with it, as a sentence.
    pub detail: String,
}

impl Problem {
    /// A problem of the kind `code`, which is snake case and never changes its meaning.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: format!("urn:tributary:problem:{code}").into(),
            title,
            status: status.as_u16(),
            code,
            detail: None,
            errors: Vec::new(),
            request_id: None,
            retry_after_s: None,
        }
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into());
        self
    }

    /// Points at one part of the request; may be called for each part.
    #[must_use]
    pub fn error(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Says in how many seconds it is worth trying again.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Something of ours failed; the cause is in our log and nowhere else.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something failed on our side")
    }

    /// The kind of problem, to branch on.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The same about a part of the body: what its errors point at is below `place`, as `/conversions/3`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.errors.iter_mut().for_each(|error| error.pointer.insert_str(0, place));
        self
    }

    /// The parts of the request at fault.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings and a number always serialize; an empty body would still carry the status.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (
            self.status(),
            [(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")],
            body,
        )
            .into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Kept beside the body so that `complete` can add the request's id.
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware: adds the request's id to problems, and turns errors that others made into problems.
///
/// Lay it outside the routes and inside whatever sets [`REQUEST_ID`] on the request.
pub async fn complete(request: Request, next: Next) -> Response {
    let request_id = request.headers().get(REQUEST_ID).cloned();
    finish(next.run(request).await, request_id.as_ref().map(HeaderValue::as_bytes))
}

/// Completes one answer as [`complete`] does; an id that is no text is left out.
pub(crate) fn finish(mut response: Response, request_id: Option<&[u8]>) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let mut problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if has_content(&response) && !is_plain(&response) => return response,
        None => from_status(status),
    };
    problem.request_id = request_id.and_then(|id| str::from_utf8(id).ok()).map(Box::from);
    let mut completed = problem.into_response();
    for (name, value) in response.headers() {
        if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
            completed.headers_mut().insert(name, value.clone());
        }
    }
    completed
}

fn has_content(response: &Response) -> bool {
    response.headers().contains_key(header::CONTENT_TYPE)
}

/// The rejections of axum and tower-http are one line of plain text.
fn is_plain(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/plain"))
}

fn from_status(status: StatusCode) -> Problem {
    let (code, title) = match status {
        StatusCode::BAD_REQUEST => ("bad_request", "The request cannot be understood"),
        StatusCode::UNAUTHORIZED => ("unauthorized", "Credentials are missing or not valid"),
        StatusCode::FORBIDDEN => ("forbidden", "Not allowed"),
        StatusCode::NOT_FOUND => ("not_found", "There is nothing here"),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This method is not served here"),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "The request took too long"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "The body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("unsupported_media_type", "The body's media type is not served")
        }
        StatusCode::UNPROCESSABLE_ENTITY => ("unprocessable", "The body does not fit what is expected"),
        StatusCode::TOO_MANY_REQUESTS => ("too_many_requests", "Too many requests"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "Not able to serve right now"),
        _ if status.is_client_error() => ("request_refused", "The request was refused"),
        _ => return Problem { status: status.as_u16(), ..Problem::internal() },
    };
    Problem::new(status, code, title)
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn answer(uri: &str) -> String {
        let refuse = || async {
            Problem::new(StatusCode::NOT_FOUND, "unknown_link", "Unknown link")
                .detail("no link has the code x")
                .error("/code", "unknown")
                .retry_after_s(3)
        };
        let router = Router::new()
            .route("/refused", get(refuse))
            .route("/fine", get(|| async { "fine" }))
            .layer(middleware::from_fn(complete));
        let request = Request::get(uri).header(REQUEST_ID, "r1").body(Body::empty()).unwrap();
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap());
        format!(
            "{} {} retry {} {}",
            parts.status.as_u16(),
            header(header::CONTENT_TYPE),
            header(header::RETRY_AFTER),
            String::from_utf8_lossy(&body)
        )
    }

    #[tokio::test]
    async fn a_problem_names_its_kind_its_fields_and_its_request() {
        insta::assert_snapshot!(answer("/refused").await, @r#"404 application/problem+json retry 3 {"type":"urn:tributary:problem:unknown_link","title":"Unknown link","status":404,"code":"unknown_link","detail":"no link has the code x","errors":[{"pointer":"/code","detail":"unknown"}],"request_id":"r1"}"#);
    }

    #[tokio::test]
    async fn an_error_that_others_made_becomes_a_problem() {
        insta::assert_snapshot!(answer("/nowhere").await, @r#"404 application/problem+json retry - {"type":"urn:tributary:problem:not_found","title":"There is nothing here","status":404,"code":"not_found","request_id":"r1"}"#);
    }

    #[tokio::test]
    async fn a_good_answer_is_left_alone() {
        insta::assert_snapshot!(answer("/fine").await, @"200 text/plain; charset=utf-8 retry - fine");
    }
}
