//! The pages over a database of a test's own, as a browser sees them: it keeps cookies and sends forms that it was given.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use domain::{AffiliateId, UserId};
use http_body_util::BodyExt;
use tokio::sync::OwnedSemaphorePermit;
use tower::ServiceExt;

use super::{Delivery, Pages, ask_link::AT_ONCE, password, role::Role, router};
use crate::{
    api::testing::Api,
    mail::testing::MailServer,
    store::{self, users::User},
};

/// What everybody's password is in a test.
pub const PASSWORD: &str = "a password for tests alone";
/// What stands between the parts of a form with a file; no file of a test holds it.
const BOUNDARY: &str = "----a-boundary-for-tests-alone";

/// A picture of one pixel, as a PNG.
pub fn banner() -> Vec<u8> {
    let png =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    STANDARD.decode(png).unwrap()
}

/// An installation with its API and its pages.
pub struct Site {
    /// The API over the same database.
    pub api: Api,
    /// What the pages are made with.
    pub pages: Pages,
    router: Router,
}

/// A browser: its cookies, and the address it comes from.
pub struct Browser<'a> {
    site: &'a Site,
    cookies: BTreeMap<String, String>,
}

/// What a browser was answered.
pub struct Shown {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Site {
    /// Served at this address.
    pub async fn at(address: &str) -> Self {
        Self::of(Api::start().await, address)
    }

    /// Over a database that another holds, served over TLS.
    pub fn over(api: &Api) -> Self {
        Self::of(api.again(api.app.clone()), "https://partners.example/")
    }

    /// Served over TLS, with letters that this server takes.
    pub async fn mailing(server: &MailServer) -> Self {
        let api = Api::start().await;
        let post = server.post(&api.app.clock, &api.app.chance);
        Self::with(api, "https://partners.example/", Some(Delivery::Mail(post)))
    }

    /// Served at this address, with links in the log.
    pub async fn logging(address: &str) -> Self {
        Self::with(Api::start().await, address, Some(Delivery::Log))
    }

    fn of(api: Api, address: &str) -> Self {
        Self::with(api, address, None)
    }

    fn with(api: Api, address: &str, delivery: Option<Delivery>) -> Self {
        let pages = Pages::new(api.app.clone(), address.parse().unwrap()).bringing_links(delivery);
        Self { router: router(pages.clone()), api, pages }
    }

    /// Waits until every link that was asked for is brought, and every place is free again; gives them to whoever keeps them.
    pub async fn links_brought(&self) -> OwnedSemaphorePermit {
        let all = u32::try_from(AT_ONCE).unwrap();
        Arc::clone(&self.pages.bringing).acquire_many_owned(all).await.unwrap()
    }

    /// Served over TLS, as in production.
    pub async fn start() -> Self {
        Self::at("https://partners.example/").await
    }

    /// Adds a person with the password of tests.
    pub async fn user(&self, email: &str, role: Role, affiliate_id: Option<AffiliateId>) -> UserId {
        let app = &self.api.app;
        let user = User {
            id: UserId::new(&app.clock, &app.chance),
            email: email.to_owned(),
            name: email.to_owned(),
            role,
            affiliate_id,
            password_hash: Some(password::hashed(PASSWORD.to_owned(), &app.chance).await),
            locale: None,
            time_zone: "UTC".to_owned(),
            disabled_at: None,
            created_at: app.clock.now(),
        };
        assert!(store::users::insert(&mut app.db.acquire().await.unwrap(), &user).await.unwrap());
        user.id
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser { site: self, cookies: BTreeMap::new() }
    }

    /// A browser in which somebody has signed in.
    pub async fn signed_in(&self, email: &str, role: Role, affiliate: Option<AffiliateId>) -> Browser<'_> {
        self.user(email, role, affiliate).await;
        let mut browser = self.browser();
        let answer = browser.sign_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser
    }

    /// What people did so far.
    pub async fn audit(&self) -> Vec<String> {
        store::audit::actions(&mut self.api.app.db.acquire().await.unwrap()).await.unwrap()
    }
}

impl Browser<'_> {
    /// Asks for a page, without reading what may never end.
    pub async fn open(&mut self, path: &str) -> Response {
        let request = Request::get(path).header("accept-language", "en");
        let kinds = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        self.send(request.header("accept", kinds), Body::empty()).await
    }

    pub async fn get(&mut self, path: &str) -> Shown {
        let answer = self.open(path).await;
        Shown::read(answer).await
    }

    /// Fills in the form of a page and sends it.
    pub async fn fill(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Shown {
        let token = self.get(page).await.form_token();
        self.post(action, &[&[("csrf", token.as_str())], fields].concat()).await
    }

    /// Sends a form as it is.
    pub async fn post(&mut self, action: &str, fields: &[(&str, &str)]) -> Shown {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::builder().method(Method::POST).uri(action);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.send(request, form.into()).await;
        Shown::read(answer).await
    }

    /// Fills in the form of a page that takes a picture, and sends it there with a file.
    pub async fn upload(&mut self, page: &str, fields: &[(&str, &str)], file: &[u8]) -> Shown {
        let token = self.get(page).await.form_token();
        let mut form = Vec::new();
        for (name, value) in [&[("csrf", token.as_str())], fields].concat() {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"");
            form.extend(format!("{head}\r\n\r\n{value}\r\n").into_bytes());
        }
        let head = "Content-Disposition: form-data; name=\"image\"; filename=\"banner.png\"";
        form.extend(format!("--{BOUNDARY}\r\n{head}\r\nContent-Type: image/png\r\n\r\n").into_bytes());
        form.extend_from_slice(file);
        form.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        let written_in = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = Request::post(page).header(header::CONTENT_TYPE, written_in);
        let answer = self.send(request, form.into()).await;
        Shown::read(answer).await
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Shown {
        self.fill("/sign-in", "/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Asks for a link, and waits until it is brought.
    pub async fn ask_for_link(&mut self, email: &str) -> Shown {
        let answer = self.fill("/sign-in/link", "/sign-in/link", &[("email", email)]).await;
        drop(self.site.links_brought().await);
        answer
    }

    /// Opens a link and presses its button.
    pub async fn follow(&mut self, link: &str) -> Shown {
        self.fill(link, link, &[]).await
    }

    /// The cookies, as they are sent.
    pub fn cookies(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Comes with cookies of another browser.
    pub fn take_over(&mut self, other: &Self) {
        self.cookies.clone_from(&other.cookies);
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Response {
        let request = request.header(header::COOKIE, self.cookies()).body(body).unwrap();
        let answer = self.site.router.clone().oneshot(request).await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie::Cookie::parse(cookie.to_str().unwrap().to_owned()).unwrap();
            self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
        self.site.api.app.clock.advance(TimeDelta::milliseconds(1));
        answer
    }
}

impl Shown {
    pub async fn read(answer: Response) -> Self {
        let (parts, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Self { status: parts.status, headers: parts.headers, text }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the first form of the page carries.
    pub fn form_token(&self) -> String {
        let (_, after) = self.text.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        after.split('"').next().unwrap_or_default().to_owned()
    }

    /// The revision that the forms of the page carry.
    pub fn revision(&self) -> String {
        let (_, after) = self.text.split_once("name=\"revision\" value=\"").expect("the page has a form");
        after.split('"').next().unwrap_or_default().to_owned()
    }

    /// What a place of the page shows.
    pub fn value(&self, name: &str) -> &str {
        let (_, after) = self.text.split_once(&format!("data-value=\"{name}\">")).unwrap_or_default();
        after.split('<').next().unwrap_or_default()
    }
}
