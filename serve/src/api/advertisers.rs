//! Advertisers: whose products are advertised, and how their postbacks are read.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{AdvertiserId, signature::Profile};
use serde::Deserialize;
use tracking::intake::fields::FIELDS;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::{Name, ParamName},
};
use crate::{
    app::App,
    store::{self, advertisers::Advertiser, outbox::announce},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(one))
}

/// An advertiser to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdvertiser {
    name: Name,
    /// Under this name the click id travels in the landing URL; `clickid` when absent.
    click_param: Option<ParamName>,
    /// How its postbacks are signed; `standard` when absent. The two legacy forms can be forged.
    postback_profile: Option<Profile>,
    /// Its own names for our postback fields: theirs to ours.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"saleid": "order_id"}))]
    postback_aliases: BTreeMap<ParamName, String>,
}

impl NewAdvertiser {
    /// The names in the table, each of which must be one of our fields.
    fn aliases(&self) -> Result<BTreeMap<String, String>, Failure> {
        let unknown = |(_, ours): &(&ParamName, &String)| FIELDS.iter().all(|field| field.name != *ours);
        if let Some((theirs, _)) = self.postback_aliases.iter().find(unknown) {
            let ours: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
            let detail = format!("it must be one of our fields: {}", ours.join(", "));
            return Err(Failure::unprocessable(format!("/postback_aliases/{theirs}"), detail));
        }
        if FIELDS.len() < self.postback_aliases.len() {
            return Err(Failure::unprocessable("/postback_aliases", "there are more aliases than fields"));
        }
        Ok(self.postback_aliases.iter().map(|(theirs, ours)| (theirs.to_string(), ours.clone())).collect())
    }
}

/// Add an advertiser.
#[utoipa::path(post, path = "/advertisers", tag = "advertisers", request_body = NewAdvertiser,
    responses((status = 201, description = "Added.", body = Advertiser)),
    security(("key" = ["advertisers:write"])))]
async fn create(app: State<App>, once: Once<NewAdvertiser>) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    let advertiser = Advertiser {
        id: AdvertiserId::new(&app.clock, &app.chance),
        postback_aliases: new.aliases()?,
        name: new.name.into(),
        click_param: new.click_param.map_or_else(|| "clickid".to_owned(), Into::into),
        postback_profile: new.postback_profile.unwrap_or(Profile::Standard),
        created_at: app.clock.now(),
    };
    store::advertisers::insert(&mut effect, &advertiser).await?;
    announce(&mut effect, &app, "advertiser.created", advertiser.id, &advertiser).await?;
    effect.answer(StatusCode::CREATED, &advertiser).await
}

/// List advertisers.
#[utoipa::path(get, path = "/advertisers", tag = "advertisers", params(Paging),
    responses((status = 200, description = "One page.", body = Page<Advertiser>)),
    security(("key" = ["advertisers:read"])))]
async fn list(
    app: State<App>,
    listing: Listing<Unfiltered, AdvertiserId>,
) -> Result<Json<Page<Advertiser>>, Failure> {
    let mut db = app.db.acquire().await?;
    let advertisers = store::advertisers::list(&mut db, None, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(advertisers, |advertiser| advertiser.id)))
}

/// Show one advertiser.
#[utoipa::path(get, path = "/advertisers/{id}", tag = "advertisers", params(("id" = AdvertiserId, Path)),
    responses((status = 200, description = "The advertiser.", body = Advertiser)),
    security(("key" = ["advertisers:read"])))]
async fn one(app: State<App>, Id(id): Id<AdvertiserId>) -> Result<Json<Advertiser>, Failure> {
    let mut db = app.db.acquire().await?;
    store::advertisers::find(&mut db, id).await?.map(Json).ok_or_else(|| Failure::not_found(id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn an_advertiser_has_sensible_defaults() {
        let api = Api::start().await;
        let answer = api.post("/api/v1/advertisers", json!({"name": "Shop"})).await;
        insta::assert_snapshot!(answer, @r#"
        201 {
          "click_param": "clickid",
          "created_at": "2026-02-01T12:00:00Z",
          "id": "adv_1",
          "name": "Shop",
          "postback_aliases": {},
          "postback_profile": "standard"
        }
        "#);
        let id = answer.body["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/api/v1/advertisers/{id}")).await.body, answer.body);
        assert_eq!(api.get("/api/v1/advertisers").await.column("id"), [id]);
    }

    #[tokio::test]
    async fn an_alias_names_a_field_of_ours() {
        let api = Api::start().await;
        let check = async |body| {
            let answer = api.post("/api/v1/advertisers", body).await;
            if answer.status.is_success() {
                answer.body["postback_aliases"].to_string()
            } else {
                answer.problem()
            }
        };
        insta::assert_snapshot!(check(json!({"name": "Shop", "postback_aliases": {"saleid": "order_id"}})).await, @r#"{"saleid":"order_id"}"#);
        insta::assert_snapshot!(check(json!({"name": "Shop", "postback_aliases": {"saleid": "order"}})).await, @"422 unprocessable:  [/postback_aliases/saleid: it must be one of our fields: click_id, session_id, event, amount, currency, order_id, status, reason, coupon, external_id, customer_id, country, ts, time_on_site, email_check, captcha_check, ip, email, email_hash, email_domain, device_id, user_agent, payment_account, payment_account_hash]");
        insta::assert_snapshot!(check(json!({"name": "Shop", "postback_profile": "none"})).await, @"422 unprocessable:  [/postback_profile: unknown variant `none`, expected one of `standard`, `legacy_a`, `legacy_b`]");
        insta::assert_snapshot!(check(json!({"name": "Shop", "click_param": "a b"})).await, @"422 unprocessable:  [/click_param: it must be 1 to 64 of A-Z, a-z, 0-9, _, . and -]");
    }
}
