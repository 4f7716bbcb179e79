//! A POST with an `Idempotency-Key` has its effect once, and every repeat gets the first answer again.
//!
//! The answer is stored in the transaction that makes the effect: a crash at any moment leaves both or neither.

use std::ops::{Deref, DerefMut};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};
use tracking::problem::Problem;

use super::{body, failure::Failure, gate::Caller};
use crate::{
    app::App,
    store::idempotency_keys::{self, Answer},
};

/// The header that names a request so that a repeat of it is known.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that marks an answer as a repeat.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A POST that is to be done now: who asks, what it says, and the transaction for its effect.
pub struct Once<T> {
    /// Who asks.
    pub by: Caller,
    /// The body.
    pub body: T,
    /// Where the effect happens, and its answer is kept.
    pub effect: Effect,
}

/// A POST that was read, and of which nothing is done yet.
pub struct Heard<T> {
    /// Who asks.
    pub by: Caller,
    /// The body.
    pub body: T,
    key: Option<String>,
    /// The fingerprint that is kept, and what releases before this one kept.
    fingerprints: [[u8; 32]; 2],
}

impl<T> Heard<T> {
    /// Whether a repeat of it would be known.
    pub fn is_named(&self) -> bool {
        self.key.is_some()
    }

    /// Begins the transaction of its effect, unless it was done before.
    pub async fn begin(self, app: &App) -> Result<Once<T>, Undone> {
        let Self { by, body, key, fingerprints } = self;
        let mut tx = app.begin().await?;
        if let Some(key) = &key {
            claim(&mut tx, &by, key, fingerprints).await?;
        }
        let named = key.map(|key| (key, fingerprints[0]));
        let effect = Effect { tx, app: app.clone(), caller: by.clone(), named };
        Ok(Once { by, body, effect })
    }
}

/// The transaction of one effect; it ends with [`Effect::answer`], and is taken back when it is dropped before.
pub struct Effect {
    tx: Transaction<'static, Postgres>,
    app: App,
    caller: Caller,
    /// The idempotency key and the fingerprint of the request, when it came with a key. The fingerprint is keyed: a
    /// request may say of somebody what could be guessed.
    named: Option<(String, [u8; 32])>,
}

impl Effect {
    /// Commits the effect together with its answer, and gives the answer.
    pub async fn answer(self, status: StatusCode, answer: &impl Serialize) -> Result<Response, Failure> {
        let body = serde_json::to_string(answer)?;
        self.conclude(status, body.clone(), &body).await
    }

    /// As [`Effect::answer`], for an answer that shows a secret: repeats get `kept`, which is without it.
    pub async fn answer_once(
        self,
        status: StatusCode,
        answer: &impl Serialize,
        kept: &impl Serialize,
    ) -> Result<Response, Failure> {
        let (body, kept) = (serde_json::to_string(answer)?, serde_json::to_string(kept)?);
        self.conclude(status, body, &kept).await
    }

    async fn conclude(mut self, status: StatusCode, body: String, kept: &str) -> Result<Response, Failure> {
        if let Some((key, fingerprint)) = &self.named {
            let answer = Answer {
                caller: self.caller.key,
                key,
                fingerprint: *fingerprint,
                status: status.as_u16(),
                body: kept,
                about_money: self.caller.used.is_about_money(),
                at: self.app.clock.now(),
            };
            idempotency_keys::insert(&mut self.tx, &answer).await?;
        }
        self.tx.commit().await?;
        Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
    }
}

impl Deref for Effect {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for Effect {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

/// Why a POST is not done: it is refused, or it was done before.
pub enum Undone {
    /// It is refused.
    Failure(Failure),
    /// It was done before, and this was the answer.
    Repeat(StatusCode, String),
}

impl<E: Into<Failure>> From<E> for Undone {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl IntoResponse for Undone {
    fn into_response(self) -> Response {
        match self {
            Self::Failure(failure) => failure.into_response(),
            Self::Repeat(status, body) => {
                let headers = [
                    (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                    (REPLAYED, HeaderValue::from_static("true")),
                ];
                (status, headers, Body::from(body)).into_response()
            }
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Once<T> {
    type Rejection = Undone;

    async fn from_request(request: Request, app: &App) -> Result<Self, Undone> {
        Heard::from_request(request, app).await?.begin(app).await
    }
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Heard<T> {
    type Rejection = Undone;

    async fn from_request(request: Request, app: &App) -> Result<Self, Undone> {
        let (mut parts, stream) = request.into_parts();
        let by = Caller::from_request_parts(&mut parts, app).await?;
        let key = read_key(&parts.headers)?;
        let target = format!("{} {}\n", parts.method, parts.uri);
        let (headers, bytes) = body::read(Request::from_parts(parts, stream), app).await?;
        let body = body::parse(&headers, &bytes)?;
        let plain: [u8; 32] = Sha256::new().chain_update(target).chain_update(&bytes).finalize().into();
        let fingerprint = app.customers.hiding().message(&plain);
        Ok(Self { by, body, key, fingerprints: [fingerprint, plain] })
    }
}

/// Makes sure that nobody else does the same at the same time or did it before; what releases before this one kept is known
/// again, too.
async fn claim(
    tx: &mut PgConnection,
    by: &Caller,
    key: &str,
    fingerprints: [[u8; 32]; 2],
) -> Result<(), Undone> {
    if !idempotency_keys::try_lock(tx, by.key, key).await? {
        let detail = "a request with this idempotency key is being worked on; try again in a moment";
        return Err(Failure::conflict("idempotency_in_flight", detail).into());
    }
    let Some(kept) = idempotency_keys::find(tx, by.key, key).await? else { return Ok(()) };
    if !fingerprints.iter().any(|one| kept.fingerprint == *one) {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let problem =
            Problem::new(status, "idempotency_key_reused", "The idempotency key belongs to another request");
        return Err(problem.detail("use a new key for a new request").into());
    }
    let status = u16::try_from(kept.answer_status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let status =
        status.ok_or_else(|| anyhow::anyhow!("the answer kept under idempotency key {key} has no status"));
    Err(Undone::Repeat(status.map_err(Failure::Broken)?, kept.answer))
}

/// The draft writes the key as a quoted string; a bare one is taken as well.
fn read_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(bare.to_owned()));
    }
    let problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_idempotency_key",
        "The idempotency key does not fit",
    );
    Err(problem.error("/Idempotency-Key", "it must be 1 to 255 visible ASCII characters").into())
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use futures_util::future::join_all;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        api::{
            affiliates::NewAffiliate,
            testing::{Answer, Api},
        },
        store::outbox,
    };

    const PATH: &str = "/api/v1/affiliates";

    fn ana() -> Value {
        json!({"name": "Ana", "email": "ana@bright.example"})
    }

    fn named(api: &Api, key: &str, body: &Value) -> Request {
        let request = api.request(Method::POST, PATH).header(IDEMPOTENCY_KEY, key);
        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
    }

    async fn post(api: &Api, key: &str, body: &Value) -> Answer {
        api.send(named(api, key, body)).await
    }

    #[tokio::test]
    async fn a_repeat_gets_the_same_bytes_and_has_no_effect() {
        let api = Api::start().await;
        let first = post(&api, "one", &ana()).await;
        let repeat = post(&api, r#""one""#, &ana()).await;
        assert_eq!((first.status, &first.text), (repeat.status, &repeat.text));
        assert_eq!((first.header("idempotent-replayed"), repeat.header("idempotent-replayed")), ("", "true"));
        assert_eq!(api.announced().await, ["affiliate.created"]);
    }

    #[tokio::test]
    async fn a_key_belongs_to_one_request_of_one_caller() {
        let api = Api::start().await;
        post(&api, "one", &ana()).await;
        let bo = json!({"name": "Bo", "email": "bo@bright.example"});
        insta::assert_snapshot!(post(&api, "one", &bo).await.problem(), @"422 idempotency_key_reused: use a new key for a new request");
        insta::assert_snapshot!(post(&api, "a b", &bo).await.problem(), @"400 malformed_idempotency_key:  [/Idempotency-Key: it must be 1 to 255 visible ASCII characters]");
        insta::assert_snapshot!(post(&api, "", &bo).await.problem(), @"400 malformed_idempotency_key:  [/Idempotency-Key: it must be 1 to 255 visible ASCII characters]");
        let mut api = api;
        api.key = api.new_key(&["*"], None).await;
        assert_eq!(post(&api, "one", &bo).await.status, StatusCode::CREATED);
    }

    #[tokio::test]
    async fn what_the_release_before_kept_without_a_key_is_known_again() {
        let api = Api::start().await;
        let first = post(&api, "one", &ana()).await;
        let kept = "UPDATE idempotency_keys SET fingerprint = sha256(convert_to($1, 'UTF8')) WHERE fingerprint <> sha256(convert_to($1, 'UTF8'))";
        // Within the API its version is not part of the path.
        let request = format!("POST {}\n{}", PATH.trim_start_matches("/api/v1"), ana());
        let changed = sqlx::query(kept).bind(request).execute(&api.app.db).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "it is kept with a key now");
        let repeat = post(&api, "one", &ana()).await;
        assert_eq!((&repeat.text, repeat.header("idempotent-replayed")), (&first.text, "true"));
        let bo = json!({"name": "Bo", "email": "bo@bright.example"});
        assert!(post(&api, "one", &bo).await.problem().starts_with("422 idempotency_key_reused"));
    }

    #[tokio::test]
    async fn what_was_refused_may_be_tried_again() {
        let api = Api::start().await;
        let taken = api.made(PATH, ana()).await;
        assert_eq!(post(&api, "one", &ana()).await.status, StatusCode::CONFLICT);
        api.patch(
            &format!("{PATH}/{}", taken["id"].as_str().unwrap()),
            json!({"email": "old@bright.example"}),
        )
        .await;
        assert_eq!(post(&api, "one", &ana()).await.status, StatusCode::CREATED);
    }

    #[tokio::test]
    async fn many_at_once_have_one_effect() {
        let api = Api::start().await;
        let ana = ana();
        let answers = join_all((0..8).map(|_| post(&api, "one", &ana))).await;
        let made = answers
            .iter()
            .filter(|answer| answer.header("idempotent-replayed").is_empty() && answer.status == 201);
        assert_eq!(made.count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 201 | 409)));
        assert_eq!(api.announced().await, ["affiliate.created"]);
    }

    /// The connection of a killed process is what a dropped transaction is: Postgres takes it back.
    #[tokio::test]
    async fn a_crash_between_effect_and_answer_leaves_neither() {
        let api = Api::start().await;
        let mut request = named(&api, "one", &ana());
        request.extensions_mut().insert(api.operator().await);
        let Ok(mut once) = Once::<NewAffiliate>::from_request(request, &api.app).await else {
            panic!("it is new")
        };
        outbox::announce(&mut once.effect, &api.app, "affiliate.created", "x", &json!({})).await.unwrap();
        let in_flight = post(&api, "one", &ana()).await;
        insta::assert_snapshot!(in_flight.problem(), @"409 idempotency_in_flight: a request with this idempotency key is being worked on; try again in a moment");
        drop(once);
        assert!(api.announced().await.is_empty());
        assert_eq!(post(&api, "one", &ana()).await.header("idempotent-replayed"), "");
        assert_eq!(api.announced().await, ["affiliate.created"]);
    }
}
