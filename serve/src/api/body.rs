//! What a request says, read once at the rim: ids of its path, JSON bodies; whatever does not fit is pointed at.

use std::str::FromStr;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use bytes::Bytes;
use domain::IdError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, error::Category};
use serde_path_to_error::Segment;
use tracking::problem::Problem;
use utoipa::ToSchema;

use super::failure::{Failure, unprocessable};

/// The one id in a request's path.
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err = IdError>> FromRequestParts<S> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let malformed = |detail: String| {
            let problem =
                Problem::new(StatusCode::BAD_REQUEST, "malformed_id", "The path does not hold such an id");
            Failure::from(problem.error("/id", detail))
        };
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        text.parse().map(Id).map_err(|error: IdError| malformed(error.to_string()))
    }
}

/// The JSON body of a PUT or PATCH; what POST takes is [`super::once::Once`].
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (headers, bytes) = read(request, state).await?;
        parse(&headers, &bytes).map(Body)
    }
}

/// A body in which nothing is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The headers and the whole body, which the router's limit keeps small.
pub async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(HeaderMap, Bytes), Failure> {
    let headers = request.headers().clone();
    match Bytes::from_request(request, state).await {
        Ok(bytes) => Ok((headers, bytes)),
        Err(BytesRejection::FailedToBufferBody(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large").into())
        }
        Err(error) => {
            let status = error.into_response().status();
            Err(Problem::new(status, "bad_request", "The body could not be read").into())
        }
    }
}

/// Reads a JSON body; an empty one stands for `{}`, so that operations which need nothing take nothing.
pub fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Failure> {
    if bytes.is_empty() {
        return from_json(b"{}");
    }
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let problem = Problem::new(status, "unsupported_media_type", "The body's media type is not served");
        return Err(problem.detail("send the body as application/json").into());
    }
    refuse_nul(bytes)?;
    from_json(bytes)
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        misfit(error.into_inner(), pointer)
    })?;
    json.end().map_err(|error| misfit(error, String::new()))?;
    Ok(read)
}

fn misfit(error: serde_json::Error, pointer: String) -> Failure {
    let detail = error.to_string();
    match error.classify() {
        Category::Data => unprocessable().error(pointer, without_position(&detail)).into(),
        Category::Syntax | Category::Eof | Category::Io => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The body is not JSON");
            problem.error(pointer, detail).into()
        }
    }
}

/// The pointer says where; a line and column in a body of one line say nothing.
fn without_position(detail: &str) -> &str {
    detail.rsplit_once(" at line ").map_or(detail, |(text, _)| text)
}

/// A JSON pointer (RFC 6901).
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escaped(key)),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The database's texts cannot hold the character NUL, so it is refused before anything looks at them.
fn refuse_nul(bytes: &[u8]) -> Result<(), Failure> {
    if !bytes.windows(6).any(|window| window == br"\u0000") {
        return Ok(());
    }
    // Broken JSON is told apart from broken text by whoever reads it next.
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Ok(()) };
    let mut found = Vec::new();
    find_nul(&value, String::new(), &mut found);
    if found.is_empty() {
        return Ok(());
    }
    let point = |problem: Problem, pointer: String| problem.error(pointer, "it holds the character NUL");
    Err(found.into_iter().take(20).fold(unprocessable(), point).into())
}

fn find_nul(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('\0') => found.push(pointer),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                find_nul(value, format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let below = format!("{pointer}/{}", escaped(key));
                if key.contains('\0') {
                    found.push(below.clone());
                }
                find_nul(value, below, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use domain::{Money, commission::Rule};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only whether it is read matters here")]
        amount: Money,
        #[serde(default)]
        #[expect(dead_code, reason = "only whether it is read matters here")]
        rules: Vec<Rule>,
    }

    fn check(media_type: &str, body: &str) -> String {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, media_type.parse().unwrap())]);
        match parse::<Order>(&headers, body.as_bytes()) {
            Ok(order) => format!("{order:?}").chars().take(5).collect(),
            Err(Failure::Refused(problem)) => {
                let errors =
                    problem.errors().iter().map(|error| format!("{}: {}", error.pointer, error.detail));
                format!("{} {}", problem.status().as_u16(), errors.collect::<Vec<_>>().join("; "))
            }
            Err(failure) => panic!("{failure:?}"),
        }
    }

    #[test]
    fn what_does_not_fit_is_pointed_at() {
        insta::assert_snapshot!(check("application/json; charset=utf-8", r#"{"amount": {"value": "1.00", "currency": "EUR"}}"#), @"Order");
        insta::assert_snapshot!(check("application/json", r#"{"amount": {"value": 1, "currency": "EUR"}}"#), @"");
        insta::assert_snapshot!(check("application/json", r#"{"amount": {"value": "1.005", "currency": "EUR"}}"#), @"");
        insta::assert_snapshot!(check("application/json", r#"{"amount": {"value": "1.00", "currency": "EUR"}, "sum": 1}"#), @"");
        insta::assert_snapshot!(check("application/json", r#"{"amount": {"value": "1.00", "currency": "EUR"}, "rules": [{"event": 7}]}"#), @"");
        insta::assert_snapshot!(check("application/json", ""), @"");
    }

    #[test]
    fn what_is_not_json_is_a_bad_request() {
        insta::assert_snapshot!(check("text/plain", "{}"), @"");
        insta::assert_snapshot!(check("application/json", "{"), @"");
        insta::assert_snapshot!(check("application/json", "{} {}"), @"");
        insta::assert_snapshot!(check("application/json", r#"{"amount": 1e999}"#), @"");
        insta::assert_snapshot!(check("application/json", r#"{"amount": "\ud800"}"#), @"");
    }

    #[test]
    fn nul_is_found_wherever_it_hides() {
        insta::assert_snapshot!(check("application/json", r#"{"a/b": ["x", {"c": "\u0000"}], "d\u0000": 1, "e": "\\u0000"}"#), @"");
    }
}
