//! What goes wrong with a page, in words that say what to do.

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    frame::{Frame, rendered},
    words::{say, tell},
};
use crate::api::failure::Failure;

/// Why a page is not shown, or a form not taken.
#[derive(Debug)]
pub enum Fault {
    /// Somebody has to sign in, and goes on to a page then.
    SignIn(Option<String>),
    /// There is nothing here, or nothing that this person may see.
    NotFound,
    /// It is known, but not this person's to do.
    NotAllowed,
    /// A form that was not made for this browser, or by a session that has ended.
    Forged,
    /// A form that cannot be read; with why.
    Form(String),
    /// Somebody tried too often; with how many seconds to wait.
    TooOften(i64),
    /// What the API would have answered.
    Failed(Failure),
}

#[derive(Template)]
#[template(path = "fault.html")]
struct Page {
    frame: Frame,
    title: String,
    what: String,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(problem) if problem.status() == StatusCode::NOT_FOUND => Self::NotFound,
            other => Self::Failed(other),
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Failure::from(error).into()
    }
}

/// What a refusal says, sentence by sentence, each with the field that it is about.
#[must_use]
pub fn sentences(failure: &Failure) -> Option<Vec<(String, String)>> {
    let Failure::Refused(problem) = failure else { return None };
    let errors = problem.errors().iter();
    let errors: Vec<_> = errors.map(|error| (error.pointer.to_string(), error.detail.to_string())).collect();
    if !errors.is_empty() {
        return Some(errors);
    }
    let told = serde_json::to_value(problem).ok()?;
    let told = told["detail"].as_str().or_else(|| told["title"].as_str()).unwrap_or_default();
    Some(vec![(String::new(), told.to_owned())])
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, key, what) = match self {
            Self::SignIn(next) => {
                let next = next.filter(|next| next != "/").map_or_else(String::new, |next| {
                    let query =
                        form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
                    format!("?{query}")
                });
                return Redirect::to(&format!("/sign-in{next}")).into_response();
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "fault-nothing", say("fault-nothing-what")),
            Self::NotAllowed => (StatusCode::FORBIDDEN, "fault-not-allowed", say("fault-not-allowed-what")),
            Self::Forged => (StatusCode::FORBIDDEN, "fault-forged", say("fault-forged-what")),
            Self::Form(why) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "fault-form", tell("fault-form-what", &[("why", &why)]))
            }
            Self::TooOften(wait_s) => {
                let minutes = ((wait_s + 59) / 60).to_string();
                let what = tell("fault-too-often-what", &[("minutes", &minutes)]);
                let page = page(StatusCode::TOO_MANY_REQUESTS, "fault-too-often", what);
                return ([(header::RETRY_AFTER, wait_s.to_string())], page).into_response();
            }
            Self::Failed(failure) => match sentences(&failure) {
                Some(told) => {
                    let told: Vec<_> = told.into_iter().map(|(_, detail)| detail).collect();
                    let status = match failure {
                        // Trying again helps.
                        Failure::Refused(problem) if problem.status().is_server_error() => problem.status(),
                        _ => StatusCode::UNPROCESSABLE_ENTITY,
                    };
                    (status, "fault-form", told.join("; "))
                }
                None => {
                    let status = failure.into_response().status();
                    (status, "fault-broken", say("fault-broken-what"))
                }
            },
        };
        page(status, key, what)
    }
}

fn page(status: StatusCode, title: &str, what: String) -> Response {
    let title = say(title);
    (status, rendered(&Page { frame: Frame::bare(), title, what })).into_response()
}

/// The page of a refusal that has no words but its status.
pub fn by_status(status: StatusCode) -> Response {
    let (title, what) = match status {
        StatusCode::BAD_REQUEST | StatusCode::URI_TOO_LONG | StatusCode::UNPROCESSABLE_ENTITY => {
            ("fault-address", "fault-address-what")
        }
        StatusCode::METHOD_NOT_ALLOWED => ("fault-form", "fault-method-what"),
        status if status.is_client_error() => ("fault-nothing", "fault-nothing-what"),
        StatusCode::SERVICE_UNAVAILABLE => ("fault-slow", "fault-slow-what"),
        _ => ("fault-broken", "fault-broken-what"),
    };
    page(status, title, say(what))
}

/// The page of a request that ended in a panic.
pub fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a page ended in a panic");
    page(StatusCode::INTERNAL_SERVER_ERROR, "fault-broken", say("fault-broken-what"))
}
