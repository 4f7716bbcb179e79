//! The whole API over a database of its own, as tests see it: requests go in, answers come out as text to compare.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, TimeDelta};
use domain::{AffiliateId, Chance, ClickId, Clock, click::Tags, fraud::Networks};
use embedded::TestDatabase;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use tower::ServiceExt;
use tracking::{
    customer::Customers,
    intake::{Intake, seal::Sealer},
    redirect::visitor::Visitors,
    secret::Secret,
};

use super::{gate::Caller, limits::Limits, router};
use crate::{
    app::App,
    host::Host,
    jobs::{Choices, Workbench},
    key::{Key, Mode},
    matching::Matching,
    postbacks::courier::{Courier, Reach},
    scope::Scope,
    scoring::Scorer,
    store::{self, api_keys::ApiKey},
};

/// The secret of a test's installation.
pub fn secret() -> Secret {
    "a secret for tests, nothing but tests".parse().unwrap()
}

/// What kinds of network there are in a test.
pub const NETWORKS: &str = "network,class\n198.51.100.0/24,data_centre\n203.0.113.0/24,mobile\n";

/// Who decides about fraud in a test: of chance of its own, so that it takes none of what others are made from.
pub fn scorer(models: Arc<Host>) -> Scorer {
    Scorer::new(models, Networks::read(NETWORKS).unwrap(), CUSTOMERS.clone(), Chance::seeded(3))
}

static CUSTOMERS: LazyLock<Arc<Customers>> = LazyLock::new(|| {
    let visitors = Visitors::new(Vec::new(), None, &secret());
    Arc::new(Customers::new(Arc::new(visitors), &secret()))
});

/// The API of one test.
pub struct Api {
    /// Its database, which goes with the test.
    database: Arc<TestDatabase>,
    /// Its state; the clock stands at noon of 2026-02-01 and moves on by a millisecond with each request.
    pub app: App,
    /// The text of a key that may do everything.
    pub key: String,
    router: Router,
    requests: Arc<AtomicU32>,
}

impl Api {
    pub async fn start() -> Self {
        Self::with_limits(100_000, 100_000).await
    }

    pub async fn with_limits(requests: u32, failures: u32) -> Self {
        let number = |count| NonZeroU32::new(count).expect("a limit is not zero");
        Self::limited_by(Limits::new(number(requests), number(failures), &secret())).await
    }

    pub async fn limited_by(limits: Limits) -> Self {
        let database = Arc::new(embedded::test_database(&tracking::MIGRATOR).await);
        let clock = Clock::standing_at(DateTime::from_timestamp(1_769_947_200, 0).unwrap());
        let app = App {
            db: database.pool().clone(),
            log_db: PgPoolOptions::new().max_connections(2).connect_lazy(&database.url()).unwrap(),
            clock,
            chance: Chance::seeded(1),
            limits: Arc::new(limits),
            keys: Arc::default(),
            trusted_proxies: Arc::new(["10.0.0.0/8".parse().unwrap()]),
            sealer: Sealer::new(&secret()),
            customers: CUSTOMERS.clone(),
            tracker_url: Arc::new("https://go.example/".parse().unwrap()),
            models: Arc::new(Host::nowhere()),
            scorer: Arc::new(scorer(Arc::new(Host::nowhere()))),
            learned: Arc::default(),
            matching: Arc::new(Matching::new(0.0)),
            courier: Courier::new(&secret(), Reach::Anywhere),
            uploads: None,
        };
        let mut api = Self::over(database, app, String::new());
        api.key = api.new_key(&["*"], None).await;
        api
    }

    /// Another process of the same installation, with limits of its own.
    pub fn beside(&self, limits: Limits) -> Self {
        let matching = Arc::new(Matching::new(self.app.matching.exploring));
        let app = App { limits: Arc::new(limits), matching, ..self.app.clone() };
        self.again(app)
    }

    /// The same installation with an event lake in this folder.
    pub fn with_lake(&self, folder: &Path) -> Self {
        let app = App { uploads: Some(Arc::from(folder.join("_uploads"))), ..self.app.clone() };
        self.again(app)
    }

    /// The same installation with the models of a registry in this folder, looked at once.
    pub fn with_models(&self, folder: &Path) -> Self {
        let host = Host::open(folder).unwrap();
        host.look();
        let models = Arc::new(host);
        let app = App { scorer: Arc::new(scorer(Arc::clone(&models))), models, ..self.app.clone() };
        self.again(app)
    }

    /// Sends a file as it is.
    pub async fn put_file(&self, path: &str, file: &str) -> Answer {
        self.send(self.request(Method::PUT, path).body(Body::from(file.to_owned())).unwrap()).await
    }

    /// The same installation with another state; requests go on being named, so that none is mistaken for one before.
    pub fn again(&self, app: App) -> Self {
        let requests = Arc::clone(&self.requests);
        Self { requests, ..Self::over(self.database.clone(), app, self.key.clone()) }
    }

    fn over(database: Arc<TestDatabase>, app: App, key: String) -> Self {
        let (router, _) = router(app.clone());
        Self { database, app, key, router, requests: Arc::default() }
    }

    /// Where another process finds the database.
    pub fn database_url(&self) -> String {
        self.database.url()
    }

    /// What the worker's jobs work with, over the same database and clock.
    pub fn workbench(&self) -> Workbench {
        let App { db, clock, chance, sealer, scorer, courier, .. } = self.app.clone();
        let intake = Intake { pool: db, clock, chance, sealer, judge: Some(scorer.clone()) };
        let uploads = self.app.uploads.as_deref().map(Path::to_owned);
        let lake = uploads.as_deref().and_then(Path::parent).map(Path::to_owned);
        let choices = Choices {
            click_retention_days: 400,
            impression_retention_days: 90,
            lake,
            uploads,
            postbacks_anywhere: true,
        };
        Workbench { intake, secret: secret(), scorer: Some(scorer), courier, open: Arc::default(), choices }
    }

    /// Makes a key with these scopes and shows it.
    pub async fn new_key(&self, scopes: &[&str], affiliate_id: Option<AffiliateId>) -> String {
        let key = Key::new(Mode::Live, &self.app.clock, &self.app.chance);
        let kept = ApiKey {
            id: key.id,
            name: "test".to_owned(),
            live: true,
            scopes: scopes.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect(),
            affiliate_id,
            created_at: self.app.clock.now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            requests_per_minute: None,
        };
        let mut db = self.app.db.acquire().await.unwrap();
        store::api_keys::insert(&mut db, &kept, key.hash()).await.unwrap();
        key.reveal()
    }

    /// Who asks with the key that may do everything, as the gate lets it pass.
    pub async fn operator(&self) -> Caller {
        let key: Key = self.key.parse().unwrap();
        let (scopes, used) = (vec![Scope::ALL], Scope::ALL);
        Caller { key: key.id, mode: key.mode, scopes, affiliate: None, used, quota: None }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_as(&self, key: &str, path: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.json(Method::POST, path, &body)).await
    }

    /// A POST that must succeed; its answer's body.
    pub async fn made(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body).await;
        assert!(answer.status.is_success(), "{path}: {answer}");
        answer.body
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.json(Method::PATCH, path, &body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.json(Method::PUT, path, &body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).body(Body::empty()).unwrap()).await
    }

    /// A request with the key that may do everything.
    pub fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
    }

    /// The same with a JSON body; a POST is named, each by a name of its own.
    pub fn json(&self, method: Method, path: &str, body: &Value) -> Request<Body> {
        let mut request = self.request(method.clone(), path).header(header::CONTENT_TYPE, "application/json");
        if method == Method::POST {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            request = request.header("Idempotency-Key", format!("request-{number}"));
        }
        request.body(Body::from(body.to_string())).unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let answer = Answer::read(self.router.clone().oneshot(request).await.unwrap()).await;
        // What is made by the next request is made later, so that lists have one order.
        self.app.clock.advance(TimeDelta::milliseconds(1));
        answer
    }

    /// The headers and bytes of an answer that is not text.
    pub async fn bytes(&self, request: Request<Body>) -> (HeaderMap, Vec<u8>) {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        (parts.headers, body.collect().await.unwrap().to_bytes().into())
    }

    /// An advertiser's campaign for sales in EUR, which pays 5 %; its id.
    pub async fn campaign(&self) -> String {
        let shop = self.made("/api/v1/advertisers", json!({"name": "Shop"})).await["id"].clone();
        let campaign = json!({
            "advertiser_id": shop, "name": "Spring", "currency": "EUR", "landing_url": "https://shop.example/",
            "rules": [{"terms": {"model": "percentage", "rate": "5%"}}],
        });
        self.made("/api/v1/campaigns", campaign).await["id"].as_str().unwrap().to_owned()
    }

    /// An approved affiliate of that name; its id.
    pub async fn affiliate(&self, name: &str) -> AffiliateId {
        let new = json!({"name": name, "email": format!("{name}@partner.example")});
        let id = self.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().to_owned();
        self.made(&format!("/api/v1/affiliates/{id}/approve"), json!({})).await;
        id.parse().unwrap()
    }

    /// A click on a new link of an affiliate into a campaign.
    pub async fn click(&self, affiliate: AffiliateId, campaign: &str) -> ClickId {
        self.tagged_click(affiliate, campaign, Tags::default()).await
    }

    /// The same, with these tags.
    pub async fn tagged_click(&self, affiliate: AffiliateId, campaign: &str, tags: Tags) -> ClickId {
        let link = self
            .made(&format!("/api/v1/affiliates/{affiliate}/links"), json!({"campaign_id": campaign}))
            .await;
        let link = link["id"].as_str().unwrap().parse().unwrap();
        let mut db = self.app.db.acquire().await.unwrap();
        store::links::click(&mut db, link, &self.app, tags).await.unwrap()
    }

    /// A sale of 100.00 EUR that an affiliate brought; its id.
    pub async fn sale(&self, affiliate: AffiliateId, campaign: &str, order: &str) -> String {
        let click = self.click(affiliate, campaign).await;
        let sale = json!({"click_id": click, "amount": "100.00", "order_id": order});
        self.made("/api/v1/conversions", sale).await["conversion_id"].as_str().unwrap().to_owned()
    }

    /// The types of all events announced so far, in order.
    pub async fn announced(&self) -> Vec<String> {
        store::outbox::types(&mut self.app.db.acquire().await.unwrap()).await.unwrap()
    }
}

/// An answer of the API.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status: parts.status, headers: parts.headers, text, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// One line: the status and what a problem says.
    pub fn problem(&self) -> String {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        let errors = errors.map(|error| {
            format!(" [{}: {}]", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
        });
        let code = self.body["code"].as_str().unwrap_or_default();
        let detail = self.body["detail"].as_str().unwrap_or_default();
        readable(&format!("{} {code}: {detail}{}", self.status.as_u16(), errors.collect::<String>()))
    }

    /// Who is in the list, by a field of each row.
    pub fn column(&self, field: &str) -> Vec<&str> {
        self.body["data"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
    }
}

/// The status and the body, with every id as its kind and a number in the order of appearance.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = serde_json::to_string_pretty(&self.body).unwrap();
        write!(f, "{} {}", self.status.as_u16(), readable(&body))
    }
}

/// Replaces each id by its kind and a number, and what is random by dots, so that snapshots stay the same.
pub fn readable(text: &str) -> String {
    let mut numbers = BTreeMap::<String, usize>::new();
    let mut readable = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('_') {
        let (before, after) = rest.split_at(start);
        let is_id = 26 < after.len()
            && after[1..27].bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if !is_id || before.len() < 3 {
            readable += &rest[..=start];
            rest = &rest[start + 1..];
            continue;
        }
        let id = &rest[start - 3..start + 27];
        let next = numbers.len() + 1;
        let number = *numbers.entry(id.to_owned()).or_insert(next);
        readable += &format!("{before}_{number}");
        rest = &rest[start + 27..];
    }
    readable + rest
}
