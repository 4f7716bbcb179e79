//! What holds for every page: headers that keep other sites out, and no form from elsewhere.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Pages,
    fault::{self, Fault},
};

/// Nothing of a page comes from elsewhere, and nothing of it is written into it: neither scripts nor styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every page.
pub const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// For two years browsers come over TLS only.
pub const STRICT_TRANSPORT: &str = "max-age=63072000; includeSubDomains";

/// What the libraries below answer in a line of their own, such as that an address cannot be read, becomes a page.
fn in_words(response: Response) -> Response {
    let (status, headers) = (response.status(), response.headers());
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let has_words = kind.is_some_and(|kind| !kind.starts_with(b"text/plain"));
    if has_words || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let served = headers.get(header::ALLOW).cloned();
    let mut page = fault::by_status(status);
    page.headers_mut().extend(served.map(|served| (header::ALLOW, served)));
    page
}

/// Middleware: refuses forms that browsers say come from other sites, and sets the headers.
pub async fn guard(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_ours = site.is_none_or(|site| site == b"same-origin" || site == b"none");
    let is_form = request.method() == Method::POST;
    let is_text = !request.uri().query().unwrap_or_default().contains("%00");
    let response = match (is_form && !is_ours, is_text) {
        (true, _) => Fault::Forged.into_response(),
        (false, false) => {
            Fault::Form("its address holds a character that is no text".to_owned()).into_response()
        }
        (false, true) => in_words(next.run(request).await),
    };
    with_headers(&pages, response)
}

/// A page with the headers of every page.
pub fn with_headers(pages: &Pages, mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if pages.is_secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT));
    }
    // What is of one person is in nobody's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
