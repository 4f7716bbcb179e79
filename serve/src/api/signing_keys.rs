//! The keys with which advertisers sign their postbacks: two may be live while one replaces the other.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{
    AdvertiserId, SigningKeyId,
    signature::{self, VerifyingKey},
};
use serde::{Deserialize, Serialize};
use tracking::intake::{Act, keys::add_key};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::{self, PublicKey},
};
use crate::{
    app::App,
    store::{self, advertisers::SigningKey},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(expire))
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// A secret that both sides know; we make it.
    HmacSha256,
    /// The advertiser keeps the private key and gives us the public one.
    Ed25519,
}

/// A signing key to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSigningKey {
    algorithm: Algorithm,
    /// The public key, for ed25519 only.
    public_key: Option<PublicKey>,
    /// From when on it is not accepted; never when absent.
    #[serde(default, deserialize_with = "text::moment")]
    expires_at: Option<DateTime<Utc>>,
}

/// A new signing key, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeSigningKey {
    #[serde(flatten)]
    signing_key: SigningKey,
    /// The shared secret of an hmac_sha256 key. It is shown this once: a repeat of the request gets null.
    #[schema(example = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    secret: Option<String>,
}

impl NewSigningKey {
    fn check(&self, now: DateTime<Utc>) -> Result<(), Failure> {
        if self.algorithm == Algorithm::HmacSha256 && self.public_key.is_some() {
            return Err(Failure::unprocessable(
                "/public_key",
                "an hmac_sha256 key has none: we make its secret",
            ));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Failure::unprocessable("/expires_at", "it must be in the future"));
        }
        Ok(())
    }

    /// What to check signatures with, and the secret to be shown if there is one.
    fn key(&self, app: &App) -> Result<(VerifyingKey, Option<String>), Failure> {
        if self.algorithm == Algorithm::HmacSha256 {
            let key = signature::SigningKey::hmac_from(app.chance.bytes());
            return Ok((key.verifying_key(), Some(key.reveal())));
        }
        let given = self.public_key.as_ref();
        let given = given.ok_or_else(|| Failure::unprocessable("/public_key", "an ed25519 key needs it"))?;
        let key = VerifyingKey::parse(given.as_str())
            .map_err(|error| Failure::unprocessable("/public_key", error))?;
        Ok((key, None))
    }
}

/// Add a key with which an advertiser signs; older ones keep working until they expire.
#[utoipa::path(post, path = "/advertisers/{id}/signing-keys", tag = "signing_keys",
    params(("id" = AdvertiserId, Path)), request_body = NewSigningKey,
    responses((status = 201, description = "The key; its secret is never shown again.", body = MadeSigningKey)),
    security(("key" = ["advertisers:write"])))]
async fn create(
    app: State<App>,
    Id(id): Id<AdvertiserId>,
    once: Once<NewSigningKey>,
) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    store::advertisers::find(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    new.check(app.clock.now())?;
    let (key, secret) = new.key(&app)?;
    let actor = by.key.to_string();
    let act = Act::now(&actor, &app.clock, &app.chance);
    let key_id = add_key(&mut effect, act, &app.sealer, id, &key, new.expires_at).await?;
    tracing::info!(by = %by.key, advertiser = %id, key = %key_id, "key {} gave {id} signing key {key_id}", by.key);
    let kept = store::advertisers::signing_keys(&mut effect, id, Some(key_id), None, 1).await?.pop();
    let mut made = MadeSigningKey { signing_key: kept.ok_or_else(|| Failure::not_found(key_id))?, secret };
    let shown = serde_json::to_value(&made)?;
    made.secret = None;
    effect.answer_once(StatusCode::CREATED, &shown, &made).await
}

/// List the keys of an advertiser without their secrets.
#[utoipa::path(get, path = "/advertisers/{id}/signing-keys", tag = "signing_keys",
    params(("id" = AdvertiserId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<SigningKey>)),
    security(("key" = ["advertisers:read"])))]
async fn list(
    app: State<App>,
    Id(id): Id<AdvertiserId>,
    listing: Listing<Unfiltered, SigningKeyId>,
) -> Result<Json<Page<SigningKey>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::advertisers::find(&mut db, id).await?.ok_or_else(|| Failure::not_found(id))?;
    let keys = store::advertisers::signing_keys(&mut db, id, None, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(keys, |key| key.id)))
}

/// Let a signing key expire now.
#[utoipa::path(delete, path = "/signing-keys/{id}", tag = "signing_keys", params(("id" = SigningKeyId, Path)),
    responses((status = 200, description = "The key as it is now.", body = SigningKey)),
    security(("key" = ["advertisers:write"])))]
async fn expire(app: State<App>, by: Caller, Id(id): Id<SigningKeyId>) -> Result<Json<SigningKey>, Failure> {
    let mut db = app.db.acquire().await?;
    let expired = store::advertisers::expire_signing_key(&mut db, id, app.clock.now()).await?;
    let expired = expired.ok_or_else(|| Failure::not_found(id))?;
    tracing::info!(by = %by.key, key = %id, "key {} let signing key {id} expire", by.key);
    Ok(Json(expired))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_secret_is_shown_once_and_kept_sealed() {
        let api = Api::start().await;
        let shop =
            api.made("/api/v1/advertisers", json!({"name": "Shop"})).await["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/advertisers/{shop}/signing-keys");
        let made = api.made(&path, json!({"algorithm": "hmac_sha256"})).await;
        assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
        let listed = api.get(&path).await;
        insta::assert_snapshot!(listed, @r#"
        200 {
          "data": [
            {
              "advertiser_id": "adv_1",
              "algorithm": "hmac_sha256",
              "created_at": "2026-02-01T12:00:00.001Z",
              "expires_at": null,
              "id": "sig_2"
            }
          ],
          "has_more": false,
          "next": null
        }
        "#);
        let id = made["id"].as_str().unwrap();
        let expired = api.delete(&format!("/api/v1/signing-keys/{id}")).await;
        assert_ne!(expired.body["expires_at"], Value::Null);
        assert_eq!(api.delete(&format!("/api/v1/signing-keys/{id}")).await.body, expired.body);
    }

    #[tokio::test]
    async fn a_public_key_is_given_and_checked() {
        let api = Api::start().await;
        let shop =
            api.made("/api/v1/advertisers", json!({"name": "Shop"})).await["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/advertisers/{shop}/signing-keys");
        let check = async |body| {
            let answer = api.post(&path, body).await;
            if answer.status.is_success() { answer.body["secret"].to_string() } else { answer.problem() }
        };
        let good = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
        let weak = format!("whpk_AQ{}=", "A".repeat(41));
        insta::assert_snapshot!(check(json!({"algorithm": "ed25519", "public_key": good})).await, @"null");
        insta::assert_snapshot!(check(json!({"algorithm": "ed25519", "public_key": weak})).await, @"422 unprocessable:  [/public_key: the bytes are not a usable Ed25519 key]");
        insta::assert_snapshot!(check(json!({"algorithm": "ed25519"})).await, @"422 unprocessable:  [/public_key: an ed25519 key needs it]");
        insta::assert_snapshot!(check(json!({"algorithm": "hmac_sha256", "public_key": good})).await, @"422 unprocessable:  [/public_key: an hmac_sha256 key has none: we make its secret]");
        insta::assert_snapshot!(check(json!({"algorithm": "none"})).await, @"422 unprocessable:  [/algorithm: unknown variant `none`, expected `hmac_sha256` or `ed25519`]");
    }
}
