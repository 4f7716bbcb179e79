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
