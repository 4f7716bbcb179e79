//! Who recruited whom: an affiliate's place, everybody above it and everybody below.

use axum::{Json, extract::State};
use domain::{AffiliateId, hierarchy::check_parent};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::{Body, Id},
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
};
use crate::{
    app::App,
    store::{self, affiliates::Affiliate, hierarchy::Relative, outbox::announce},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(place)).routes(routes!(upline)).routes(routes!(downline))
}

/// Where an affiliate is to stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Directly below whom; null for the top.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    parent_id: Option<AffiliateId>,
}

/// How far down to look.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DownlineFilter {
    /// Only those at most so many steps below.
    #[param(required = false, value_type = i32, minimum = 1)]
    depth: Option<Depth>,
}

/// A number of steps.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i32")]
struct Depth(i32);

impl TryFrom<i32> for Depth {
    type Error = &'static str;
    fn try_from(steps: i32) -> Result<Self, &'static str> {
        if 1 <= steps { Ok(Self(steps)) } else { Err("it must be 1 or more") }
    }
}

/// Move an affiliate, with everybody below it, under another one or to the top.
#[utoipa::path(put, path = "/affiliates/{id}/parent", tag = "affiliates", params(("id" = AffiliateId, Path)),
    request_body = Place,
    responses((status = 200, description = "The affiliate as it is now.", body = Affiliate)),
    security(("key" = ["affiliates:write"])))]
async fn place(
    app: State<App>,
    Id(id): Id<AffiliateId>,
    Body(Place { parent_id }): Body<Place>,
) -> Result<Json<Affiliate>, Failure> {
    let mut tx = app.begin().await?;
    store::hierarchy::lock(&mut tx).await?;
    let mut affiliate = store::affiliates::lock(&mut tx, id).await?.ok_or_else(|| Failure::not_found(id))?;
    if let Some(parent) = parent_id {
        let above = store::hierarchy::upline(&mut tx, parent, None, i64::MAX).await?;
        let above: Vec<_> = above.iter().map(|relative| relative.affiliate_id).collect();
        check_parent(id, parent, &above)?;
    }
    affiliate.parent_id = parent_id;
    affiliate.updated_at = app.clock.now();
    store::hierarchy::place(&mut tx, id, parent_id, affiliate.updated_at).await?;
    announce(&mut tx, &app, "affiliate.moved", id, &affiliate).await?;
    tx.commit().await?;
    Ok(Json(affiliate))
}

/// List everybody above an affiliate, nearest first.
#[utoipa::path(get, path = "/affiliates/{id}/upline", tag = "affiliates", params(("id" = AffiliateId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<Relative>)),
    security(("key" = ["affiliates:read"])))]
async fn upline(
    app: State<App>,
    by: Caller,
    Id(id): Id<AffiliateId>,
    listing: Listing<Unfiltered, i32>,
) -> Result<Json<Page<Relative>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::affiliates::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let above = store::hierarchy::upline(&mut db, id, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(above, |relative| relative.depth)))
}

/// List everybody below an affiliate, newest first.
#[utoipa::path(get, path = "/affiliates/{id}/downline", tag = "affiliates",
    params(("id" = AffiliateId, Path), Paging, DownlineFilter),
    responses((status = 200, description = "One page.", body = Page<Relative>)),
    security(("key" = ["affiliates:read"])))]
async fn downline(
    app: State<App>,
    by: Caller,
    Id(id): Id<AffiliateId>,
    listing: Listing<DownlineFilter, AffiliateId>,
) -> Result<Json<Page<Relative>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::affiliates::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let depth = listing.filter.depth.map(|Depth(steps)| steps);
    let below = store::hierarchy::downline(&mut db, id, depth, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(below, |relative| relative.affiliate_id)))
}

#[cfg(test)]
mod tests {
    use domain::{Chance, hierarchy::Hierarchy};
    use serde_json::json;

    use super::*;
    use crate::api::testing::Api;

    async fn below(api: &Api, name: &str, parent: Option<AffiliateId>) -> AffiliateId {
        let new = json!({"name": name, "email": format!("{name}@partner.example"), "parent_id": parent});
        api.made("/api/v1/affiliates", new).await["id"].as_str().unwrap().parse().unwrap()
    }

    async fn place(api: &Api, id: AffiliateId, parent: Option<AffiliateId>) -> Result<(), String> {
        let answer = api.put(&format!("/api/v1/affiliates/{id}/parent"), json!({"parent_id": parent})).await;
        if answer.status.is_success() { Ok(()) } else { Err(answer.problem()) }
    }

    #[tokio::test]
    async fn everybody_above_and_below_is_known() {
        let api = Api::start().await;
        let ana = below(&api, "Ana", None).await;
        let bo = below(&api, "Bo", Some(ana)).await;
        let cy = below(&api, "Cy", Some(bo)).await;
        let names = async |path: String| {
            let answer = api.get(&path).await;
            answer.column("name").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(format!("/api/v1/affiliates/{cy}/upline")).await, ["Bo", "Ana"]);
        assert_eq!(names(format!("/api/v1/affiliates/{ana}/downline")).await, ["Cy", "Bo"]);
        assert_eq!(names(format!("/api/v1/affiliates/{ana}/downline?depth=1")).await, ["Bo"]);
        insta::assert_snapshot!(api.get(&format!("/api/v1/affiliates/{cy}/upline?limit=1")).await, @r#"
        200 {
          "data": [
            {
              "affiliate_id": "aff_1",
              "depth": 1,
              "name": "Bo",
              "status": "pending"
            }
          ],
          "has_more": true,
          "next": "gXKI6jE"
        }
        "#);
        insta::assert_snapshot!(api.get(&format!("/api/v1/affiliates/{ana}/downline?depth=0")).await.problem(), @"400 malformed_query:  [/depth: it must be 1 or more]");
    }

    #[tokio::test]
    async fn a_cycle_is_refused_and_moving_to_the_top_is_said_outright() {
        let api = Api::start().await;
        let ana = below(&api, "Ana", None).await;
        let bo = below(&api, "Bo", Some(ana)).await;
        insta::assert_snapshot!(place(&api, ana, Some(bo)).await.unwrap_err(), @"409 hierarchy_cycle: affiliate aff_1 cannot be placed below aff_2, because aff_2 is aff_1 or stands below it");
        insta::assert_snapshot!(place(&api, ana, Some("aff_01JH0000000000000000000000".parse().unwrap())).await.unwrap_err(), @"422 unknown_reference: no such affiliate [/parent_id: no such affiliate]");
        insta::assert_snapshot!(api.put(&format!("/api/v1/affiliates/{bo}/parent"), json!({})).await.problem(), @"422 unprocessable:  [/parent_id: missing field `parent_id`]");
        assert_eq!(place(&api, bo, None).await, Ok(()));
        assert_eq!(place(&api, ana, Some(bo)).await, Ok(()));
    }

    #[tokio::test]
    async fn two_moves_at_once_make_no_cycle() {
        let api = Api::start().await;
        for round in 0..10 {
            let ana = below(&api, &format!("Ana{round}"), None).await;
            let bo = below(&api, &format!("Bo{round}"), None).await;
            let (one, other) = tokio::join!(place(&api, ana, Some(bo)), place(&api, bo, Some(ana)));
            assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1, "{one:?} {other:?}");
        }
    }

    #[tokio::test]
    async fn the_closure_is_that_of_the_domain_after_any_history() {
        let api = Api::start().await;
        let chance = Chance::seeded(7);
        let (mut model, mut ids) = (Hierarchy::default(), Vec::<AffiliateId>::new());
        let pick = |ids: &[AffiliateId]| {
            ids.get(usize::try_from(chance.below(ids.len() as u64 + 1)).unwrap()).copied()
        };
        for step in 0..150 {
            let parent = pick(&ids);
            match pick(&ids) {
                Some(id) => {
                    assert_eq!(place(&api, id, parent).await.is_ok(), model.place(id, parent).is_ok());
                }
                None if ids.len() < 20 => {
                    let id = below(&api, &format!("A{step}"), parent).await;
                    model.add(id, parent).unwrap();
                    ids.push(id);
                }
                None => {}
            }
            let mut db = api.app.db.acquire().await.unwrap();
            assert_eq!(
                store::hierarchy::closure(&mut db).await.unwrap(),
                model.closure(),
                "after step {step}"
            );
        }
    }
}
