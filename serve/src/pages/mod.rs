//! What people see in a browser: affiliates their clicks, credit and money, the team its program. Pages are written here,
//! work without a script, and hold nothing of another's.
//!
//! To add a page: a handler in the file of its theme, a template in `templates`, its SQL in `store`, its texts in `en.ftl`.

mod affiliate;
mod ask_link;
mod chart;
mod fault;
mod frame;
mod guard;
pub(crate) mod letter;
mod live;
mod materials;
pub(crate) mod password;
mod reader;
pub mod role;
mod session;
mod settings;
mod sheet;
pub(crate) mod sign_in;
mod span;
mod stranger;
mod team;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod upload;
mod words;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::MaterialId;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use tracking::{observe::observe, problem::complete};
use url::Url;

use self::{affiliate::PastDays, ask_link::AT_ONCE, token::Token};
pub use self::{
    ask_link::Delivery,
    live::{Live, follow},
    sign_in::WINDOW as TRIES_COUNTED,
};
use crate::{api::failure::Failure, app::App, outward::is_here, store::materials::Image};

/// So many pictures of banners are kept at hand, none of more than 300 KiB.
const PICTURES: usize = 64;
/// After this long a page is given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What every page is made with; cheap to clone.
#[derive(Clone)]
pub struct Pages {
    /// The state of the API.
    pub app: App,
    /// What open pages are told.
    pub live: Arc<Live>,
    /// Where browsers reach them.
    address: Arc<Url>,
    /// Whether browsers come over TLS.
    secure: bool,
    /// How links reach those who ask for them, if they can be asked for.
    delivery: Option<Delivery>,
    /// Places for links that are on their way.
    bringing: Arc<Semaphore>,
    /// Pictures of banners that were asked for lately.
    pictures: Arc<Cache<MaterialId, Image>>,
    /// Days of the whole program that are over.
    past: Arc<PastDays>,
}

impl Pages {
    /// Pages that browsers reach at this address; cookies need TLS unless that is plain HTTP on this machine.
    #[must_use]
    pub fn new(app: App, address: Url) -> Self {
        let secure = !(is_here(&address) && address.scheme() == "http");
        Self {
            app,
            live: Arc::default(),
            address: Arc::new(address),
            secure,
            delivery: None,
            bringing: Arc::new(Semaphore::new(AT_ONCE)),
            pictures: Arc::new(Cache::new(PICTURES)),
            past: Arc::default(),
        }
    }

    /// Links that are asked for reach people this way; nobody can ask for any without one.
    #[must_use]
    pub fn bringing_links(mut self, delivery: Option<Delivery>) -> Self {
        self.delivery = delivery;
        self
    }

    fn is_secure(&self) -> bool {
        self.secure
    }

    /// `__Host-` lets no other host of a domain set the cookie; browsers take it over TLS only.
    fn session_cookie(&self) -> &'static str {
        if self.secure { "__Host-tributary" } else { "tributary" }
    }

    fn stranger_cookie(&self) -> &'static str {
        if self.secure { "__Host-tributary-form" } else { "tributary-form" }
    }

    fn cookie(&self, name: &str, token: &Token) -> HeaderValue {
        self.set_cookie(name, &token.reveal(), "")
    }

    fn no_cookie(&self, name: &str) -> HeaderValue {
        self.set_cookie(name, "", "; Max-Age=0")
    }

    fn set_cookie(&self, name: &str, value: &str, life: &str) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}");
        HeaderValue::try_from(text).expect("base64 is visible ASCII")
    }
}

/// What programs alone ask for begins so: nothing of it is ever answered with a page.
const FOR_PROGRAMS: [&str; 4] = ["/api", "/v2", "/postback", "/metrics"];

/// Where nothing is served, browsers get a page, and programs what they get everywhere else.
async fn nothing(State(pages): State<Pages>, uri: Uri, headers: HeaderMap) -> Response {
    let is_for_programs = FOR_PROGRAMS.iter().any(|begin| uri.path().starts_with(begin));
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.flat_map(|kinds| kinds.as_bytes().split(|byte| *byte == b','));
    let takes_pages = accepted.any(|kind| kind.trim_ascii().starts_with(b"text/html"));
    if is_for_programs || !takes_pages {
        return Failure::nothing_here("nothing is served at this address").into_response();
    }
    guard::with_headers(&pages, fault::by_status(StatusCode::NOT_FOUND))
}

/// The pages, and what is answered where nobody else serves anything.
pub fn router(pages: Pages) -> Router {
    let routes = Router::new()
        .merge(sign_in::routes())
        .merge(ask_link::routes())
        .merge(settings::routes())
        .merge(affiliate::routes())
        .merge(team::routes())
        .route("/materials/{id}", get(materials::image))
        .route(&frame::STYLE_PATH, get(frame::style))
        .route(&frame::SCRIPT_PATH, get(frame::script))
        .route(&frame::KEYS_PATH, get(frame::keys))
        .route(&frame::ICON_PATH, get(frame::icon));
    routes
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .layer(CatchPanicLayer::custom(fault::panicked))
        .layer(from_fn_with_state(pages.clone(), guard::guard))
        .fallback_service(Router::new().fallback(nothing).layer(from_fn(complete)).with_state(pages.clone()))
        .layer(from_fn_with_state(pages.app.chance.clone(), observe))
        .with_state(pages)
}
