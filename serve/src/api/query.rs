//! The query of a request, read once at the rim.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use tracking::problem::Problem;

use super::{
    body::{missing, pointer},
    failure::Failure,
};

/// The parameters of a request that is not a page of a list.
pub(super) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        if let Some((name, _)) = form_urlencoded::parse(query.as_bytes()).find(|(_, it)| it.contains('\0')) {
            return Err(malformed(format!("/{name}"), "it holds a character that is no text"));
        }
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let (at, detail) = (pointer(error.path()), error.into_inner().to_string());
            let at = missing(&detail).map_or(at, |field| format!("/{field}"));
            malformed(at, detail)
        })
    }
}

/// A parameter that does not fit.
pub(super) fn malformed(pointer: impl Into<String>, detail: impl Into<String>) -> Failure {
    let problem = Problem::new(StatusCode::BAD_REQUEST, "malformed_query", "A query parameter does not fit");
    problem.error(pointer, detail).into()
}
