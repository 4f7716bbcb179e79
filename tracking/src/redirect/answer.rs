//! What a visitor's browser is told.

use axum::response::{Html, IntoResponse, Response};
use domain::{ClickId, campaign::may_lead_to};
use http::{HeaderName, HeaderValue, StatusCode, header};
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
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// The smallest transparent GIF.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
const NO_STORE: &str = "no-store";
/// Advertisers see which site sent the visitor, but not which page.
const REFERRER_POLICY: &str = "strict-origin-when-cross-origin";
/// When a refused visitor may try again: the log needs moments, a start seconds.
const LOG_RETRY_S: u32 = 1;
const START_RETRY_S: u32 = 5;

/// What a visitor is told.
pub(crate) enum Reply {
    /// To go on: what nearly everybody is told.
    Redirect(Redirect),
    /// Anything else.
    Other(Response),
}

/// Where a visitor goes on to; with a cookie when the click counts. Both may stand in a header.
pub(crate) struct Redirect {
    location: String,
    cookie: Option<String>,
}

impl Redirect {
    /// In the order in which they are sent.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, &str)> {
        let always = [
            (header::CACHE_CONTROL, NO_STORE),
            (header::LOCATION, &self.location),
            (header::REFERRER_POLICY, REFERRER_POLICY),
        ];
        always.into_iter().chain(self.cookie.as_deref().map(|cookie| (header::SET_COOKIE, cookie)))
    }
}

impl Reply {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Redirect(_) => StatusCode::FOUND,
            Self::Other(response) => response.status(),
        }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        Self::Other(problem.into_response())
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self {
            Self::Redirect(redirect) => {
                let mut response = StatusCode::FOUND.into_response();
                let headers = redirect.headers();
                let headers =
                    headers.filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)));
                response.headers_mut().extend(headers);
                response
            }
            Self::Other(response) => response,
        }
    }
}

/// Sends the visitor on; with a cookie when the click counts.
pub(super) fn redirect(location: String, cookie: Option<String>) -> Reply {
    if [Some(&location), cookie.as_ref()].into_iter().flatten().any(|text| !may_be_header(text)) {
        tracing::error!("a landing page's address or a cookie is no header");
        return Problem::internal().into();
    }
    Reply::Redirect(Redirect { location, cookie })
}

/// Whether a text ends no line, or HTTP would read on behind it.
fn may_be_header(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Tells the advertiser's page that its visitor is known.
pub(super) fn captured(click: Option<(ClickId, String)>, origin: Option<HeaderValue>) -> Reply {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
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
        headers.extend(HeaderValue::try_from(cookie).ok().map(|cookie| (header::SET_COOKIE, cookie)));
    }
    Reply::Other(response)
}

/// A picture of one transparent pixel, which is to be asked for each time.
pub(super) fn pixel() -> Reply {
    let mut response = PIXEL.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    // Pages that isolate themselves show pictures of other sites only when these say so.
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    Reply::Other(response)
}

/// The origin of a page that may read the click's id: the landing page's host or an allowed one.
pub(super) fn allowed_origin(origin: Option<&[u8]>, campaign: &Campaign) -> Option<HeaderValue> {
    let origin = str::from_utf8(origin?).ok()?;
    let url = Url::parse(origin).ok()?;
    let is_allowed = may_lead_to(&url, &campaign.landing_url, &campaign.allowed_hosts);
    HeaderValue::from_str(origin).ok().filter(|_| is_allowed)
}

/// Answers a visitor who cannot be sent to a landing page.
pub(super) fn refuse(tracker: &Tracker, refusal: Refusal, arrival: &Arrival<'_>) -> Reply {
    let (closed, link) = match refusal {
        Refusal::Problem(problem) => return problem.into(),
        Refusal::Closed(closed, link) => (closed, link),
    };
    tracker.0.meters.count(closed);
    let own = link.as_ref().and_then(|link| link.campaign.fallback_url.as_ref());
    match own.or(tracker.0.fallback_url.as_ref()) {
        Some(fallback) => redirect(fallback.to_string(), None),
        None if arrival.said.wants_html() => Reply::Other(sorry(closed)),
        None => closed_problem(closed).into(),
    }
}

/// Answers a page whose visitor cannot be counted.
pub(super) fn refuse_capture(tracker: &Tracker, refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Problem(problem) => problem.into(),
        Refusal::Closed(closed, _) => {
            tracker.0.meters.count(closed);
            closed_problem(closed).into()
        }
    }
}

/// No directory has been loaded yet.
pub(super) fn starting() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "Links are not loaded yet")
        .retry_after_s(START_RETRY_S)
}

/// The click, or the impression, cannot be kept, so the visitor is told so: nothing is lost in silence.
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
    (status, [(header::CACHE_CONTROL, NO_STORE)], Html(page)).into_response()
}
