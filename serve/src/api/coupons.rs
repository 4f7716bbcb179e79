//! Coupons: a promo code stands in for a click that was never made.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{AdvertiserId, LinkId};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::CouponCode,
};
use crate::{
    app::App,
    store::{self, links::Coupon, outbox::announce},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list))
}

/// A coupon to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCoupon {
    code: CouponCode,
    /// A click on this link it stands for.
    link_id: LinkId,
}

/// Let a promo code stand for clicks on a link.
#[utoipa::path(post, path = "/advertisers/{id}/coupons", tag = "coupons", params(("id" = AdvertiserId, Path)),
    request_body = NewCoupon,
    responses((status = 201, description = "The coupon.", body = Coupon)),
    security(("key" = ["coupons:write"])))]
async fn create(
    app: State<App>,
    Id(id): Id<AdvertiserId>,
    once: Once<NewCoupon>,
) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    store::advertisers::find(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    if store::links::advertiser(&mut effect, new.link_id).await? != Some(id) {
        return Err(Failure::unprocessable(
            "/link_id",
            format!("no link leads into a campaign of {id} under this id"),
        ));
    }
    let coupon = Coupon {
        advertiser_id: id,
        code: new.code.into(),
        link_id: new.link_id,
        created_at: app.clock.now(),
    };
    store::links::insert_coupon(&mut effect, &coupon).await?;
    announce(&mut effect, &app, "coupon.created", coupon.link_id, &coupon).await?;
    effect.answer(StatusCode::CREATED, &coupon).await
}

/// List the coupons of an advertiser, by their codes. An affiliate's own key sees those of its links.
#[utoipa::path(get, path = "/advertisers/{id}/coupons", tag = "coupons",
    params(("id" = AdvertiserId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<Coupon>)),
    security(("key" = ["coupons:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    Id(id): Id<AdvertiserId>,
    listing: Listing<Unfiltered, CouponCode>,
) -> Result<Json<Page<Coupon>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::advertisers::find(&mut db, id).await?.ok_or_else(|| Failure::not_found(id))?;
    let after = listing.after.as_ref().map(CouponCode::as_str);
    let coupons = store::links::coupons(&mut db, id, by.affiliate, after, listing.reach()).await?;
    Ok(Json(listing.page(coupons, |coupon| CouponCode::kept(&coupon.code))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_coupon_stands_for_a_link_of_the_same_advertiser() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let link =
            api.made(&format!("/api/v1/affiliates/{ana}/links"), json!({"campaign_id": campaign})).await;
        let shop = api.get("/api/v1/advertisers").await.column("id")[0].to_owned();
        let other = api.made("/api/v1/advertisers", json!({"name": "Other"})).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let new = json!({"code": "ana10", "link_id": link["id"]});
        let check = async |advertiser: &str| {
            let answer = api.post(&format!("/api/v1/advertisers/{advertiser}/coupons"), new.clone()).await;
            answer.body["code"]
                .as_str()
                .filter(|_| answer.status.is_success())
                .map_or_else(|| answer.problem(), str::to_owned)
        };
        insta::assert_snapshot!(check(&shop).await, @"ANA10");
        insta::assert_snapshot!(check(&shop).await, @"409 already_exists: this advertiser has the coupon already [/code: this advertiser has the coupon already]");
        insta::assert_snapshot!(check(&other).await, @"422 unprocessable:  [/link_id: no link leads into a campaign of adv_1 under this id]");
        api.made(
            &format!("/api/v1/advertisers/{shop}/coupons"),
            json!({"code": "ANA20", "link_id": link["id"]}),
        )
        .await;
        let first = api.get(&format!("/api/v1/advertisers/{shop}/coupons?limit=1")).await;
        assert_eq!(first.column("code"), ["ANA10"]);
        let next = first.body["next"].as_str().unwrap();
        assert_eq!(
            api.get(&format!("/api/v1/advertisers/{shop}/coupons?after={next}")).await.column("code"),
            ["ANA20"]
        );
    }
}
