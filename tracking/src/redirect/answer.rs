//! What a visitor's browser is told.

use axum::response::{Html, IntoResponse, Response};
use domain::{ClickId, campaign::may_lead_to};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use url::Url;

use super::{Arrival, Refusal, landing::TargetError};
use crate::{
    directory::{Campaign, Closed},
    problem::Problem,
    tracker::Tracker,
    wal::AppendError,
};

/// The click's id, for the page that asked for it.
const CLICK_ID: HeaderName = HeaderName::from_static("x-click-id");
/// Advertisers see which site sent the visitor, but not which page.
const REFERRER_POLICY: &str = "strict-origin-when-cross-origin";
/// When a refused visitor may try again: the log needs moments, a start seconds.
const LOG_RETRY_S: u32 = 1;
const START_RETRY_S: u32 = 5;

/// Sends the visitor on; with a cookie when the click counts.
pub(super) fn redirect(location: String, cookie: Option<String>) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        tracing::error!("a landing page's address is no header");
        return Problem::internal().into_response();
    };
    let mut response = no_store(StatusCode::FOUND);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(REFERRER_POLICY));
    set_cookie(headers, cookie);
    response
}

/// Tells the advertiser's page that its visitor is known.
pub(super) fn captured(click: Option<(ClickId, String)>, origin: Option<HeaderValue>) -> Response {
    let mut response = no_store(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from(CLICK_ID));
    }
    if let Some((click, cookie)) = click {
        // An id is letters, digits and an underscore.
        if let Ok(click) = HeaderValue::try_from(click.to_string()) {
            headers.insert(CLICK_ID, click);
        }
        set_cookie(headers, Some(cookie));
    }
    response
}

/// The origin of a page that may read the click's id: the landing page's host or an allowed one.
pub(super) fn allowed_origin(headers: &HeaderMap, campaign: &Campaign) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let url = Url::parse(origin.to_str().ok()?).ok()?;
    may_lead_to(&url, &campaign.landing_url, &campaign.allowed_hosts).then(|| origin.clone())
}

/// Answers a visitor who cannot be sent to a landing page.
pub(super) fn refuse(tracker: &Tracker, refusal: Refusal, arrival: &Arrival<'_>) -> Response {
    let (closed, link) = match refusal {
        Refusal::Problem(problem) => return problem.into_response(),
        Refusal::Closed(closed, link) => (closed, link),
    };
    tracker.0.meters.count(closed);
    let own = link.as_ref().and_then(|link| link.campaign.fallback_url.as_ref());
    match own.or(tracker.0.fallback_url.as_ref()) {
        Some(fallback) => redirect(fallback.to_string(), None),
        None if wants_html(arrival.headers) => sorry(closed),
        None => closed_problem(closed).into_response(),
    }
}

/// Answers a page whose visitor cannot be counted.
pub(super) fn refuse_capture(tracker: &Tracker, refusal: Refusal) -> Response {
    match refusal {
        Refusal::Problem(problem) => problem.into_response(),
        Refusal::Closed(closed, _) => {
            tracker.0.meters.count(closed);
            closed_problem(closed).into_response()
        }
    }
}

/// No directory has been loaded yet.
pub(super) fn starting() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "Links are not loaded yet")
        .retry_after_s(START_RETRY_S)
}

/// The click cannot be kept, so the visitor is not sent on: a click is never lost in silence.
pub(super) fn refused_by_log(error: AppendError) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "click_refused", "The click cannot be recorded right now")
        .detail(error.to_string())
        .retry_after_s(LOG_RETRY_S)
}

/// The deep link leads where it must not.
pub(super) fn target_refused(error: TargetError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "deep_link_refused", "The deep link is not allowed")
        .error("/to", error.to_string())
}

fn closed_problem(closed: Closed) -> Problem {
    let (status, code, title) = explain(closed);
    Problem::new(status, code, title)
}

fn explain(closed: Closed) -> (StatusCode, &'static str, &'static str) {
    match closed {
        Closed::Unknown => (StatusCode::NOT_FOUND, "unknown_link", "This link does not exist"),
        Closed::Affiliate => (StatusCode::NOT_FOUND, "inactive_link", "This link is not active"),
        Closed::Paused => (StatusCode::NOT_FOUND, "campaign_paused", "This offer is paused"),
        Closed::Ended => (StatusCode::GONE, "campaign_ended", "This offer has ended"),
    }
}

fn sorry(closed: Closed) -> Response {
    let (status, _, title) = explain(closed);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><h1>{title}.</h1></html>"
    );
    (status, [(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn no_store(status: StatusCode) -> Response {
    let mut response = status.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn set_cookie(headers: &mut HeaderMap, cookie: Option<String>) {
    // A cookie is made of a checked name, ids and base64.
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
}
