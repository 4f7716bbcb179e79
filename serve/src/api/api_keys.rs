//! API keys: made and shown once, listed without their secrets, revoked.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{AffiliateId, ApiKeyId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::{self, Name},
};
use crate::{
    app::App,
    key::{Key, Mode},
    scope::Scope,
    store::{self, api_keys::ApiKey},
};

/// More requests a minute than one process could answer.
pub const QUOTA_MAX: i32 = 10_000_000;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(revoke))
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    name: Name,
    /// What it may do: at most what the key that makes it may do.
    #[schema(min_items = 1, max_items = 32)]
    scopes: Vec<Scope>,
    /// Set: it shows and changes only what is this affiliate's.
    affiliate_id: Option<AffiliateId>,
    /// The mode of the key that makes it when absent.
    mode: Option<Mode>,
    /// From when on it is not accepted; never when absent.
    #[serde(default, deserialize_with = "text::moment")]
    expires_at: Option<DateTime<Utc>>,
    /// How many requests a minute it may make; as many as any other when absent.
    #[schema(minimum = 1, maximum = 10_000_000)]
    requests_per_minute: Option<u32>,
}

/// A new key, with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeApiKey {
    #[serde(flatten)]
    api_key: ApiKey,
    /// The key itself. It is shown this once: a repeat of the request gets null.
    #[schema(example = "tbk_live_01JH0000000000000000000000_…")]
    key: Option<String>,
}

impl NewApiKey {
    /// Whether `by` may make such a key, and whether such a key can be.
    fn check(&self, by: &Caller, mode: Mode, now: DateTime<Utc>) -> Result<(), Failure> {
        if self.scopes.is_empty() || 32 < self.scopes.len() {
            return Err(Failure::unprocessable("/scopes", "it must name 1 to 32 scopes"));
        }
        let beyond = |scope: &&Scope| !by.scopes.iter().any(|own| own.covers(**scope));
        if let Some(scope) = self.scopes.iter().find(beyond) {
            return Err(Failure::forbidden(format!(
                "this key does not have the scope {scope} and cannot hand it on"
            )));
        }
        if by.mode == Mode::Test && mode == Mode::Live {
            return Err(Failure::forbidden("a test key can make only test keys"));
        }
        let closed = |scope: &&Scope| **scope != Scope::ALL && !scope.is_open_to_affiliates();
        if let Some(scope) = self.scopes.iter().find(closed).filter(|_| self.affiliate_id.is_some()) {
            return Err(Failure::unprocessable(
                "/scopes",
                format!("an affiliate's own key cannot have {scope}"),
            ));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Failure::unprocessable("/expires_at", "it must be in the future"));
        }
        if let Some(own) = by.quota.filter(|own| self.requests_per_minute.is_none_or(|it| own.get() < it)) {
            return Err(Failure::forbidden(format!(
                "this key may make {own} requests a minute and cannot hand on more: name requests_per_minute"
            )));
        }
        Ok(())
    }

    /// How many requests a minute it may make, as the database keeps it.
    fn quota(&self) -> Result<Option<i32>, Failure> {
        let fits = |quota: u32| i32::try_from(quota).ok().filter(|it| (1..=QUOTA_MAX).contains(it));
        let beyond =
            || Failure::unprocessable("/requests_per_minute", format!("it must be 1 to {QUOTA_MAX}"));
        self.requests_per_minute.map(|quota| fits(quota).ok_or_else(beyond)).transpose()
    }
}

/// Make an API key.
#[utoipa::path(post, path = "/api-keys", tag = "api_keys", request_body = NewApiKey,
    responses((status = 201, description = "The key, which is never shown again.", body = MadeApiKey)),
    security(("key" = ["api_keys:write"])))]
async fn create(app: State<App>, once: Once<NewApiKey>) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    let now = app.clock.now();
    let mode = new.mode.unwrap_or(by.mode);
    new.check(&by, mode, now)?;
    let requests_per_minute = new.quota()?;
    let key = Key::new(mode, &app.clock, &app.chance);
    let api_key = ApiKey {
        id: key.id,
        name: new.name.into(),
        live: mode.is_live(),
        scopes: new.scopes,
        affiliate_id: new.affiliate_id,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        last_used_at: None,
        requests_per_minute,
    };
    store::api_keys::insert(&mut effect, &api_key, key.hash()).await?;
    tracing::info!(by = %by.key, key = %key.id, "key {} made key {}", by.key, key.id);
    let mut made = MadeApiKey { api_key, key: Some(key.reveal()) };
    let shown = serde_json::to_value(&made)?;
    made.key = None;
    effect.answer_once(StatusCode::CREATED, &shown, &made).await
}

/// List API keys without their secrets.
#[utoipa::path(get, path = "/api-keys", tag = "api_keys", params(Paging),
    responses((status = 200, description = "One page.", body = Page<ApiKey>)),
    security(("key" = ["api_keys:read"])))]
async fn list(
    app: State<App>,
    listing: Listing<Unfiltered, ApiKeyId>,
) -> Result<Json<Page<ApiKey>>, Failure> {
    let mut db = app.db.acquire().await?;
    let keys = store::api_keys::list(&mut db, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(keys, |key| key.id)))
}

/// Revoke an API key: from now on it is not accepted.
#[utoipa::path(delete, path = "/api-keys/{id}", tag = "api_keys", params(("id" = ApiKeyId, Path)),
    responses((status = 200, description = "The key as it is now.", body = ApiKey)),
    security(("key" = ["api_keys:write"])))]
async fn revoke(app: State<App>, by: Caller, Id(id): Id<ApiKeyId>) -> Result<Json<ApiKey>, Failure> {
    let mut db = app.db.acquire().await?;
    let revoked = store::api_keys::revoke(&mut db, id, app.clock.now()).await?;
    let revoked = revoked.ok_or_else(|| Failure::not_found(id))?;
    app.keys.forget(id);
    tracing::info!(by = %by.key, key = %id, "key {} revoked key {id}", by.key);
    Ok(Json(revoked))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{Method, Request, header},
    };
    use chrono::TimeDelta;
    use serde_json::{Value, json};

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_key_is_shown_once_and_works() {
        let api = Api::start().await;
        let body = json!({"name": "Shop", "scopes": ["affiliates:read"]});
        let request = || {
            let request = api.request(Method::POST, "/api/v1/api-keys").header("Idempotency-Key", "one");
            request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string()))
                .unwrap()
        };
        let (made, repeat) = (api.send(request()).await, api.send(request()).await);
        let key = made.body["key"].as_str().unwrap();
        assert_eq!(api.get_as(key, "/api/v1/affiliates").await.status, 200);
        insta::assert_snapshot!(api.get_as(key, "/api/v1/links").await.problem(), @"403 forbidden: this key does not have the scope links:read");
        assert_eq!((repeat.header("idempotent-replayed"), &repeat.body["id"]), ("true", &made.body["id"]));
        assert_eq!(repeat.body["key"], Value::Null);
        assert!(!api.get("/api/v1/api-keys").await.text.contains(key));
    }

    #[tokio::test]
    async fn a_key_ends_by_its_date_or_by_revocation() {
        let api = Api::start().await;
        let new = json!({"name": "Shop", "scopes": ["*"], "expires_at": "2026-02-01T13:00:00Z"});
        let made = api.made("/api/v1/api-keys", new).await;
        let key = made["key"].as_str().unwrap();
        assert_eq!(api.get_as(key, "/api/v1/links").await.status, 200);
        api.app.clock.advance(TimeDelta::hours(1));
        insta::assert_snapshot!(api.get_as(key, "/api/v1/links").await.problem(), @"401 unauthorized: the key is not valid here, has expired or was revoked");
        let made = api.made("/api/v1/api-keys", json!({"name": "Shop", "scopes": ["*"]})).await;
        let (key, path) =
            (made["key"].as_str().unwrap(), format!("/api/v1/api-keys/{}", made["id"].as_str().unwrap()));
        let revoked = api.delete(&path).await;
        assert_eq!(api.delete(&path).await.body, revoked.body);
        assert_eq!(api.get_as(key, "/api/v1/links").await.status, 401);
    }

    #[tokio::test]
    async fn nobody_hands_on_more_than_they_have() {
        let api = Api::start().await;
        let ana = api.affiliate("Ana").await;
        let check = async |scopes: &[&str], body: Value| {
            let key = api.new_key(scopes, None).await;
            let request =
                Request::post("/api/v1/api-keys").header(header::AUTHORIZATION, format!("Bearer {key}"));
            let request =
                request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
            api.send(request.unwrap()).await.problem()
        };
        insta::assert_snapshot!(check(&["api_keys:write"], json!({"name": "x", "scopes": ["*"]})).await, @"403 forbidden: this key does not have the scope * and cannot hand it on");
        insta::assert_snapshot!(check(&["*"], json!({"name": "x", "scopes": ["links:all"]})).await, @r#"422 unprocessable:  [/scopes/0: "links:all" is not a scope: expected `*` or one of advertisers:read, advertisers:write, affiliates:read, affiliates:write, api_keys:read, api_keys:write, appeals:read, appeals:write, campaigns:read, campaigns:write, cases:write, commissions:read, conversions:read, conversions:write, coupons:read, coupons:write, fraud:read, fraud:score, fraud:write, imports:read, imports:write, ledger:read, links:read, links:write, matches:read, matches:write, models:infer, models:read, models:write, postbacks:read, postbacks:write, rates:read, rates:write]"#);
        insta::assert_snapshot!(check(&["*"], json!({"name": "x", "scopes": []})).await, @"422 unprocessable:  [/scopes: it must name 1 to 32 scopes]");
        insta::assert_snapshot!(check(&["*"], json!({"name": "x", "scopes": ["affiliates:write"], "affiliate_id": ana})).await, @"422 unprocessable:  [/scopes: an affiliate's own key cannot have affiliates:write]");
        insta::assert_snapshot!(check(&["*"], json!({"name": "x", "scopes": ["*"], "expires_at": "2026-02-01T11:00:00Z"})).await, @"422 unprocessable:  [/expires_at: it must be in the future]");
    }

    #[tokio::test]
    async fn a_quota_of_its_own_is_counted_apart_and_not_handed_on_larger() {
        let api = Api::with_limits(1, 100).await;
        let quota = async |requests: Value| {
            let key = api.new_key(&["*"], None).await;
            let body = json!({"name": "Shop", "scopes": ["*"], "requests_per_minute": requests});
            let request =
                Request::post("/api/v1/api-keys").header(header::AUTHORIZATION, format!("Bearer {key}"));
            let request = request.header(header::CONTENT_TYPE, "application/json");
            api.send(request.body(Body::from(body.to_string())).unwrap()).await
        };
        let made = quota(json!(3)).await;
        assert_eq!((made.status.as_u16(), &made.body["requests_per_minute"]), (201, &json!(3)));
        let key = made.body["key"].as_str().unwrap();
        let more = json!({"name": "x", "scopes": ["links:read"], "requests_per_minute": 4}).to_string();
        let request =
            Request::post("/api/v1/api-keys").header(header::AUTHORIZATION, format!("Bearer {key}"));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(more));
        insta::assert_snapshot!(api.send(request.unwrap()).await.problem(), @"403 forbidden: this key may make 3 requests a minute and cannot hand on more: name requests_per_minute");
        for left in ["1", "0"] {
            let answer = api.get_as(key, "/api/v1/links").await;
            assert_eq!(answer.header("ratelimit-policy"), r#""requests";q=3;w=60"#);
            assert!(
                answer.header("ratelimit").contains(&format!("r={left};")),
                "{}",
                answer.header("ratelimit")
            );
        }
        assert_eq!(api.get_as(key, "/api/v1/links").await.header("retry-after"), "20");
        let usual = api.new_key(&["*"], None).await;
        assert_eq!(
            api.get_as(&usual, "/api/v1/links").await.header("ratelimit-policy"),
            r#""requests";q=1;w=60"#
        );
        insta::assert_snapshot!(quota(json!(0)).await.problem(), @"422 unprocessable:  [/requests_per_minute: it must be 1 to 10000000]");
        insta::assert_snapshot!(quota(json!(10_000_001)).await.problem(), @"422 unprocessable:  [/requests_per_minute: it must be 1 to 10000000]");
    }

    #[tokio::test]
    async fn the_last_use_is_known_to_the_minute() {
        let api = Api::start().await;
        let key = api.new_key(&["affiliates:read", "api_keys:read"], None).await;
        let last_use = async || {
            api.get_as(&key, "/api/v1/api-keys?limit=1").await.body["data"][0]["last_used_at"].clone()
        };
        let first = last_use().await;
        api.app.clock.advance(TimeDelta::seconds(50));
        assert_eq!(last_use().await, first);
        api.app.clock.advance(TimeDelta::seconds(10));
        assert_ne!(last_use().await, first);
    }
}
