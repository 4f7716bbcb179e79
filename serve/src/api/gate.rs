//! Nobody passes without a key whose scopes cover the operation: the scopes are read from the API's own document.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{AffiliateId, ApiKeyId};
use tokio::time::timeout;
use tracking::{problem::Problem, redirect::visitor::client_address};

use super::{
    failure::Failure,
    limits::{
        Counted, Told,
        room::{self, InWork, Weight},
    },
};
use crate::{
    app::App,
    key::{Key, Mode},
    scope::Scope,
    store::{self, api_keys::Kept},
};

/// How long a key that is known may wait for what the database says of it now.
const PATIENCE: Duration = Duration::from_millis(250);

/// Which scope each operation needs, by the path that the router matched.
pub type Operations = BTreeMap<String, BTreeMap<&'static str, Scope>>;

/// The guard of the API: every request to a path of the document passes here.
#[derive(Clone)]
pub struct Gate {
    /// The API's state, which every request clones once more for each layer.
    pub app: Arc<App>,
    /// What needs which scope.
    pub operations: Arc<Operations>,
}

/// Who asks, by the key it came with.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key.
    pub key: ApiKeyId,
    /// Whether the key is for real traffic.
    pub mode: Mode,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The affiliate that it belongs to, if it is an affiliate's own.
    pub affiliate: Option<AffiliateId>,
    /// The scope that this operation needed.
    pub used: Scope,
    /// How many requests a minute the key may make, where that is its own.
    pub quota: Option<NonZeroU32>,
}

impl Caller {
    /// Refuses what only the operator's own keys may do or see.
    pub fn must_be_operator(&self) -> Result<(), Failure> {
        match self.affiliate {
            None => Ok(()),
            Some(affiliate) => {
                Err(Failure::forbidden(format!("this key shows only what is {affiliate}'s own")))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let passed = parts.extensions.get::<Self>().cloned();
        passed.ok_or_else(|| {
            Failure::Broken(anyhow::anyhow!("{} is served outside the gate", parts.uri.path()))
        })
    }
}

/// A request that may pass, for as long as this is held.
pub struct Admitted<'a> {
    /// Who asks.
    pub caller: Caller,
    /// What its answer says of the caller's quota.
    pub quota: Told,
    _in_work: InWork<'a>,
}

/// Middleware: lets a request pass with the [`Caller`] it came from, or answers why not.
pub async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(methods) = gate.operations.get(matched) else { return next.run(request).await };
    let weight = room::weight(matched, &request);
    let (mut parts, body) = request.into_parts();
    let Admitted { caller, quota, _in_work } = match admitted(&gate.app, methods, (weight, &parts)).await {
        Ok(admitted) => admitted,
        Err(response) => return response,
    };
    parts.extensions.insert(caller);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    response.headers_mut().extend(quota);
    response
}

/// Lets a request pass to the path where these operations are, or answers why not.
///
/// # Errors
/// Is that answer: there is no such operation, no room, no valid key, nothing left of its quota, or not the scope.
pub async fn admitted<'a>(
    app: &'a App,
    methods: &BTreeMap<&'static str, Scope>,
    (weight, request): (Weight, &Parts),
) -> Result<Admitted<'a>, Response> {
    // HEAD is answered by the operation for GET, so it needs the same scope.
    let method = if request.method == Method::HEAD { "GET" } else { request.method.as_str() };
    let needed = methods.get(method).copied().ok_or_else(|| method_not_allowed(methods))?;
    let in_work = app.limits.room().enter(weight).map_err(IntoResponse::into_response)?;
    let (caller, quota) = authenticate(app, request, needed).await?;
    Ok(Admitted { caller, quota, _in_work: in_work })
}

async fn authenticate(app: &App, request: &Parts, needed: Scope) -> Result<(Caller, Told), Response> {
    let caller = match identify(app, &request.headers, needed).await {
        Ok(caller) => caller,
        Err(Refusal::Unknown(detail)) => {
            return Err(Box::pin(unauthorized(app, address(app, request), detail)).await);
        }
        Err(Refusal::Store(error)) => return Err(Failure::from(error).into_response()),
    };
    let Counted { headers, refused } = app.limits.count_request(caller.key, caller.quota).await;
    if let Some(problem) = refused {
        return Err((headers, problem).into_response());
    }
    tracing::Span::current().record("key", tracing::field::display(caller.key));
    let may = caller.affiliate.is_none() || needed.is_open_to_affiliates();
    if may && caller.scopes.iter().any(|scope| scope.covers(needed)) {
        return Ok((caller, headers));
    }
    let detail = if may {
        format!("this key does not have the scope {needed}")
    } else {
        "an affiliate's own key cannot do this".to_owned()
    };
    Err((headers, Failure::forbidden(detail)).into_response())
}

enum Refusal {
    Unknown(&'static str),
    Store(sqlx::Error),
}

async fn identify(app: &App, headers: &HeaderMap, needed: Scope) -> Result<Caller, Refusal> {
    let given =
        headers.get(header::AUTHORIZATION).ok_or(Refusal::Unknown("send Authorization: Bearer and a key"))?;
    let key = bearer(given).ok_or(Refusal::Unknown("Authorization must be Bearer and an API key"))?;
    // One answer for all keys that do not hold, so that none can be told from another.
    let invalid = Refusal::Unknown("the key is not valid here, has expired or was revoked");
    let now = app.clock.now();
    let is_asked_often = needed.is_asked_often();
    let fresh = is_asked_often.then(|| app.keys.fresh(key.id, now)).flatten();
    // In boxes, like all here that asks others: what is not asked takes no room where every request is answered.
    let kept = match fresh {
        Some(fresh) => Ok(Some(fresh)),
        None if is_asked_often => Box::pin(recall(app, key.id, now)).await,
        None => Box::pin(look_up(app, key.id, now)).await,
    };
    let valid = kept.map_err(Refusal::Store)?.filter(|kept| {
        key.matches(&kept.secret_hash) && kept.is_valid(now) && kept.live == key.mode.is_live()
    });
    let kept = valid.ok_or(invalid)?;
    if kept.last_used_at.is_none_or(|last| last + TimeDelta::minutes(1) <= now) {
        Box::pin(note_use(app, key.id, now)).await;
    }
    Ok(Caller {
        key: key.id,
        mode: key.mode,
        scopes: kept.scopes.clone(),
        affiliate: kept.affiliate_id,
        used: needed,
        quota: kept.quota(),
    })
}

/// Writes down that a key is used, if the database takes it now: no request waits for that, nor fails by it.
async fn note_use(app: &App, id: ApiKeyId, now: DateTime<Utc>) {
    if app.keys.is_database_away(now) || !app.keys.is_to_be_touched(id, now) {
        return;
    }
    let written = async { store::api_keys::touch(&mut *app.db.acquire().await?, id, now).await };
    if !matches!(timeout(PATIENCE, written).await, Ok(Ok(()))) {
        tracing::debug!(key = %id, "the use of a key was not written down");
    }
}

/// What is known of a key that is used thousands of times a second, and about which nothing was said a moment ago: what the
/// database says now, or, where it says nothing in time, what it said not long ago.
async fn recall(app: &App, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<Option<Arc<Kept>>> {
    let Some(stale) = app.keys.stale(id, now) else { return look_up(app, id, now).await };
    if app.keys.is_database_away(now) {
        return Ok(Some(stale));
    }
    match timeout(PATIENCE, look_up(app, id, now)).await {
        Ok(Ok(kept)) => Ok(kept),
        Ok(Err(_)) | Err(_) => {
            app.keys.database_is_away(now);
            Ok(Some(stale))
        }
    }
}

/// Asks the database for a key, and remembers what it says.
async fn look_up(app: &App, id: ApiKeyId, now: DateTime<Utc>) -> sqlx::Result<Option<Arc<Kept>>> {
    let mut db = app.db.acquire().await?;
    let Some(kept) = store::api_keys::for_authentication(&mut db, id).await? else {
        app.keys.forget(id);
        return Ok(None);
    };
    let kept = Arc::new(kept);
    app.keys.remember(id, &kept, now);
    Ok(Some(kept))
}

fn bearer(header: &HeaderValue) -> Option<Key> {
    let (scheme, key) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().parse().ok()).flatten()
}

async fn unauthorized(app: &App, address: IpAddr, detail: &'static str) -> Response {
    let Counted { headers, refused } = app.limits.count_failure(address).await;
    if let Some(problem) = refused {
        return (headers, problem).into_response();
    }
    let problem =
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Credentials are missing or not valid");
    (headers, [(header::WWW_AUTHENTICATE, "Bearer")], problem.detail(detail)).into_response()
}

fn address(app: &App, request: &Parts) -> IpAddr {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let forwarded = request.headers.get_all("x-forwarded-for").iter();
    client_address(&app.trusted_proxies, peer, forwarded.map(HeaderValue::as_bytes))
}

fn method_not_allowed(methods: &BTreeMap<&'static str, Scope>) -> Response {
    let head = methods.contains_key("GET").then_some("HEAD");
    let served: Vec<_> = methods.keys().copied().chain(head).collect();
    let served = served.join(", ");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let problem = Problem::new(status, "method_not_allowed", "This method is not served here");
    let problem = problem.detail(format!("served are {served}"));
    ([(header::ALLOW, served)], problem).into_response()
}
