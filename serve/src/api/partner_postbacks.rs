//! Addresses of affiliates' own systems that are told what happens to their conversions.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    AffiliateId, CampaignId, DeliveryId, PartnerPostbackId,
    postback::{Occasion, Template, Values},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::{Id, Nothing},
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
};
use crate::{
    app::App,
    store::{
        self,
        partner_deliveries::{Delivery, NewDelivery},
        partner_postbacks::{PartnerPostback, Wanted},
    },
};

/// So many addresses of one affiliate are told things.
const ADDRESSES_MAX: usize = 20;
/// So often an affiliate may try its addresses within that time.
const TRIALS_MAX: i64 = 10;
const TRIALS_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// What happened when a partner tries its address.
const TRIAL: &str = "test";

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(remove))
        .routes(routes!(test))
        .routes(routes!(deliveries))
}

/// An address to be told what happens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartnerPostback {
    /// http or https, with macros in braces: `{sub1}`, `{payout}`, `{status|default:none}`, … (docs/partner-postbacks.md).
    #[schema(example = "https://tracker.example/in?cid={sub1}&payout={payout}", max_length = 2000)]
    pub(crate) url: String,
    /// What it is told of.
    #[schema(min_items = 1, max_items = 4)]
    pub(crate) events: Vec<Occasion>,
    /// Of which campaign alone; of all when absent.
    pub(crate) campaign_id: Option<CampaignId>,
    /// Whether `wid`, `wts` and `wsig` are added, by which it can be sure that it is us.
    #[serde(default)]
    pub(crate) signed: bool,
}

/// A new address, with the secret that it can check signatures with.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadePartnerPostback {
    #[serde(flatten)]
    postback: PartnerPostback,
    /// The shared secret, where it is signed. It is shown this once: a repeat of the request gets null.
    #[schema(example = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")]
    secret: Option<String>,
}

/// Enter an address that is told what happens to an affiliate's conversions.
#[utoipa::path(post, path = "/affiliates/{id}/postbacks", tag = "partner_postbacks", params(("id" = AffiliateId, Path)),
    request_body = NewPartnerPostback,
    responses((status = 201, description = "The address; its secret is never shown again here.", body = MadePartnerPostback)),
    security(("key" = ["postbacks:write"])))]
async fn create(
    app: State<App>,
    Id(id): Id<AffiliateId>,
    once: Once<NewPartnerPostback>,
) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    store::affiliates::find(&mut effect, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let postback = make(&app, &mut effect, id, new).await?;
    let secret = postback.signed.then(|| app.courier.signing_key(postback.id).reveal());
    let mut made = MadePartnerPostback { postback, secret };
    let shown = serde_json::to_value(&made)?;
    made.secret = None;
    effect.answer_once(StatusCode::CREATED, &shown, &made).await
}

/// Keeps a new address of an affiliate, or says what does not fit.
pub(crate) async fn make(
    app: &App,
    tx: &mut PgConnection,
    affiliate: AffiliateId,
    new: NewPartnerPostback,
) -> Result<PartnerPostback, Failure> {
    // One at a time, so that nobody has more than there may be.
    store::affiliates::lock(tx, affiliate).await?;
    let template: Template = new.url.parse().map_err(|error| Failure::unprocessable("/url", error))?;
    if !app.courier.admits(template.host()) {
        let detail = "its host is of no server on the public internet";
        return Err(Failure::unprocessable("/url", detail));
    }
    if !(1..=Occasion::ALL.len()).contains(&new.events.len()) {
        return Err(Failure::unprocessable("/events", "it must name what the address is told of, each once"));
    }
    if let Some(campaign) = new.campaign_id {
        let found = store::campaigns::find(tx, campaign, Some(affiliate)).await?;
        found.ok_or_else(|| Failure::unprocessable("/campaign_id", "no such campaign"))?;
    }
    let wanted = Wanted { affiliate: Some(affiliate), ..Wanted::default() };
    let others = store::partner_postbacks::list(tx, &wanted, i64::MAX).await?;
    if ADDRESSES_MAX <= others.len() {
        let detail = format!("{affiliate} has {ADDRESSES_MAX} addresses already; remove one first");
        return Err(Failure::conflict("too_many_postbacks", detail));
    }
    let mut events = new.events;
    events.sort_unstable();
    events.dedup();
    let postback = PartnerPostback {
        id: PartnerPostbackId::new(&app.clock, &app.chance),
        affiliate_id: affiliate,
        campaign_id: new.campaign_id,
        url: new.url,
        events,
        signed: new.signed,
        created_at: app.clock.now(),
        stopped_at: None,
    };
    if postback.signed
        && let Some(url) = template.fill(&Values::sample())
    {
        let delivery = DeliveryId::new(&app.clock, &app.chance);
        let signed = app.courier.signed(&url, (postback.id, delivery), app.clock.now());
        signed.map_err(|error| Failure::unprocessable("/url", error))?;
    }
    store::partner_postbacks::insert(tx, &postback).await?;
    Ok(postback)
}

/// List the addresses that are told what happens to an affiliate's conversions.
#[utoipa::path(get, path = "/affiliates/{id}/postbacks", tag = "partner_postbacks", params(("id" = AffiliateId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<PartnerPostback>)),
    security(("key" = ["postbacks:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    Id(id): Id<AffiliateId>,
    listing: Listing<Unfiltered, PartnerPostbackId>,
) -> Result<Json<Page<PartnerPostback>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::affiliates::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let wanted = Wanted { affiliate: Some(id), after: listing.after, ..Wanted::default() };
    let found = store::partner_postbacks::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(found, |one| one.id)))
}

/// One address, where somebody may see it.
pub(crate) async fn find(
    db: &mut PgConnection,
    id: PartnerPostbackId,
    seen_by: Option<AffiliateId>,
) -> Result<PartnerPostback, Failure> {
    let wanted = Wanted { id: Some(id), affiliate: seen_by, ..Wanted::default() };
    let found = store::partner_postbacks::list(db, &wanted, 1).await?.pop();
    found.ok_or_else(|| Failure::not_found(id))
}

/// Remove an address: it is told nothing more, not even what it was to be told.
#[utoipa::path(delete, path = "/postbacks/{id}", tag = "partner_postbacks", params(("id" = PartnerPostbackId, Path)),
    responses((status = 200, description = "The address as it was.", body = PartnerPostback)),
    security(("key" = ["postbacks:write"])))]
async fn remove(
    app: State<App>,
    by: Caller,
    Id(id): Id<PartnerPostbackId>,
) -> Result<Json<PartnerPostback>, Failure> {
    let mut tx = app.begin().await?;
    let postback = find(&mut tx, id, by.affiliate).await?;
    no_more(&mut tx, id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(postback))
}

/// Tells an address nothing more from a moment on.
pub(crate) async fn no_more(
    tx: &mut PgConnection,
    id: PartnerPostbackId,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    store::partner_postbacks::remove(tx, id, at).await?;
    store::partner_deliveries::give_up(tx, id, "The address was removed.", at).await
}

/// Tell an address something made up, to try it: a worker does within seconds, once. What comes of it is among its deliveries.
#[utoipa::path(post, path = "/postbacks/{id}/test", tag = "partner_postbacks", params(("id" = PartnerPostbackId, Path)),
    responses((status = 202, description = "It is going to be told.", body = TrialBegun)),
    security(("key" = ["postbacks:write"])))]
async fn test(
    app: State<App>,
    Id(id): Id<PartnerPostbackId>,
    once: Once<Nothing>,
) -> Result<Response, Failure> {
    let Once { by, mut effect, .. } = once;
    let postback = find(&mut effect, id, by.affiliate).await?;
    let trial = trial(&app, &mut effect, &postback).await?;
    store::partner_deliveries::insert(&mut effect, std::slice::from_ref(&trial), app.clock.now()).await?;
    let begun = TrialBegun { delivery_id: trial.id, url: trial.url };
    effect.answer(StatusCode::ACCEPTED, &begun).await
}

/// What an address is going to be told to try it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialBegun {
    /// The delivery, to look for among the address's.
    delivery_id: DeliveryId,
    /// The address with made-up values in it.
    url: String,
}

/// What an address is told to try it, unless its affiliate tried too often lately.
pub(crate) async fn trial(
    app: &App,
    tx: &mut PgConnection,
    postback: &PartnerPostback,
) -> Result<NewDelivery, Failure> {
    let (affiliate, since) = (postback.affiliate_id, app.clock.now() - TRIALS_WITHIN);
    store::affiliates::lock(tx, affiliate).await?;
    if TRIALS_MAX <= store::partner_deliveries::trials(tx, affiliate, since).await? {
        let detail =
            format!("{affiliate} tried its addresses {TRIALS_MAX} times in ten minutes; wait a little");
        return Err(Failure::conflict("too_many_tests", detail));
    }
    if !store::partner_postbacks::hold(tx, postback.id).await? {
        return Err(Failure::not_found(postback.id));
    }
    let filled = postback.url.parse::<Template>().ok().and_then(|template| template.fill(&Values::sample()));
    let broken = || {
        Failure::conflict(
            "no_address",
            format!("what {} says is no address when it is filled in", postback.id),
        )
    };
    Ok(NewDelivery {
        id: DeliveryId::new(&app.clock, &app.chance),
        postback: postback.id,
        event: None,
        kind: TRIAL.to_owned(),
        conversion: None,
        url: filled.ok_or_else(broken)?.into(),
        due_at: Ok(app.clock.now()),
    })
}

/// List what an address was told in the last thirty days, and what it is still to be told.
#[utoipa::path(get, path = "/postbacks/{id}/deliveries", tag = "partner_postbacks",
    params(("id" = PartnerPostbackId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<Delivery>)),
    security(("key" = ["postbacks:read"])))]
async fn deliveries(
    app: State<App>,
    by: Caller,
    Id(id): Id<PartnerPostbackId>,
    listing: Listing<Unfiltered, DeliveryId>,
) -> Result<Json<Page<Delivery>>, Failure> {
    let mut db = app.db.acquire().await?;
    find(&mut db, id, by.affiliate).await?;
    let found = store::partner_deliveries::list(&mut db, id, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(found, |one| one.id)))
}

#[cfg(test)]
mod tests;
