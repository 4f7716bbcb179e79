//! Campaigns: what is advertised, where visitors land, which events pay, and whether clicks are taken.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{
    AdvertiserId, CampaignId, Currency,
    attribution::RuleName,
    campaign::{
        AllowedHost, CampaignStatus, DuplicatePolicy, EventKind, QualifyingEvent, WindowDays, check_events,
    },
    commission::{Rule, check_rules_for},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    affiliates::set,
    body::{Body, Id, Nothing},
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    plans::first_plan,
    text::{self, Name},
};
use crate::{
    app::App,
    store::{
        self,
        campaigns::{Campaign, Wanted},
        outbox::announce,
    },
};

/// At most this many hosts may be allowed.
const HOST_LIMIT: usize = 50;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(one, change))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(end))
}

/// A campaign to be begun.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    advertiser_id: AdvertiserId,
    name: Name,
    /// What its orders are counted in.
    currency: Currency,
    landing_url: text::Page,
    /// Deep links may lead to these hosts too: `shop.example`, `*.shop.example`.
    #[serde(default)]
    allowed_hosts: Vec<String>,
    /// Where visitors go while it is paused or over.
    fallback_url: Option<text::Page>,
    /// What it pays for; `sale` when absent.
    #[schema(min_items = 1, max_items = 50)]
    events: Option<Vec<QualifyingEvent>>,
    /// How many days after a click a conversion still counts; 30 when absent.
    window_days: Option<WindowDays>,
    /// How many days the first-party cookie lives; 30 when absent.
    cookie_days: Option<WindowDays>,
    /// How the credit for a conversion is divided among the clicks before it; `last_click` when absent.
    attribution: Option<RuleName>,
    /// The first version of its commission plan; it can be given later.
    #[schema(min_items = 1)]
    rules: Option<Vec<Rule>>,
}

/// What is to hold for a campaign from now on; absent fields stay, null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignChange {
    name: Option<Name>,
    landing_url: Option<text::Page>,
    allowed_hosts: Option<Vec<String>>,
    #[serde(default, deserialize_with = "text::given")]
    #[schema(value_type = Option<text::Page>)]
    fallback_url: Option<Option<text::Page>>,
    #[schema(min_items = 1, max_items = 50)]
    events: Option<Vec<QualifyingEvent>>,
    window_days: Option<WindowDays>,
    cookie_days: Option<WindowDays>,
    /// For conversions that are reported from now on; what was credited stays.
    attribution: Option<RuleName>,
}

/// Which campaigns to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CampaignFilter {
    /// Only this advertiser's.
    #[param(required = false, value_type = AdvertiserId)]
    advertiser_id: Option<AdvertiserId>,
    /// Only those.
    #[param(required = false, value_type = CampaignStatus)]
    status: Option<CampaignStatus>,
}

impl CampaignChange {
    fn apply(self, campaign: &mut Campaign) {
        set(&mut campaign.name, self.name.map(Into::into));
        set(&mut campaign.landing_url, self.landing_url.map(Into::into));
        set(&mut campaign.allowed_hosts, self.allowed_hosts);
        set(&mut campaign.fallback_url, self.fallback_url.map(|url| url.map(Into::into)));
        set(&mut campaign.events, self.events);
        set(&mut campaign.window_days, self.window_days);
        set(&mut campaign.cookie_days, self.cookie_days);
        set(&mut campaign.attribution, self.attribution);
    }
}

/// What the types of the fields cannot say.
fn check(campaign: &Campaign) -> Result<(), Failure> {
    if HOST_LIMIT < campaign.allowed_hosts.len() {
        return Err(Failure::unprocessable(
            "/allowed_hosts",
            format!("at most {HOST_LIMIT} hosts can be allowed"),
        ));
    }
    for (position, host) in campaign.allowed_hosts.iter().enumerate() {
        AllowedHost::parse(host)
            .map_err(|error| Failure::unprocessable(format!("/allowed_hosts/{position}"), error))?;
    }
    Ok(check_events(&campaign.events, campaign.currency)?)
}

fn one_sale() -> Vec<QualifyingEvent> {
    let duplicates = DuplicatePolicy::Ignore;
    vec![QualifyingEvent { name: "sale".to_owned(), kind: EventKind::Sale, min_amount: None, duplicates }]
}

/// Begin a campaign.
#[utoipa::path(post, path = "/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, description = "Begun; it takes clicks from now on.", body = Campaign)),
    security(("key" = ["campaigns:write"])))]
async fn create(app: State<App>, once: Once<NewCampaign>) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    let now = app.clock.now();
    let campaign = Campaign {
        id: CampaignId::new(&app.clock, &app.chance),
        advertiser_id: new.advertiser_id,
        name: new.name.into(),
        status: CampaignStatus::Active,
        currency: new.currency,
        landing_url: new.landing_url.into(),
        allowed_hosts: new.allowed_hosts,
        fallback_url: new.fallback_url.map(Into::into),
        events: new.events.unwrap_or_else(one_sale),
        window_days: new.window_days.unwrap_or(WindowDays::DEFAULT),
        cookie_days: new.cookie_days.unwrap_or(WindowDays::DEFAULT),
        attribution: new.attribution.unwrap_or(RuleName::LastClick),
        created_at: now,
        updated_at: now,
    };
    check(&campaign)?;
    store::campaigns::insert(&mut effect, &campaign).await?;
    announce(&mut effect, &app, "campaign.created", campaign.id, &campaign).await?;
    if let Some(rules) = new.rules {
        check_rules_for(&rules, &campaign.events)?;
        let plan = first_plan(&app, campaign.id, rules);
        store::campaigns::insert_plan(&mut effect, &plan).await?;
        announce(&mut effect, &app, "plan.created", plan.id, &plan).await?;
    }
    effect.answer(StatusCode::CREATED, &campaign).await
}

/// List campaigns. An affiliate's own key sees the active ones and those that it takes part in.
#[utoipa::path(get, path = "/campaigns", tag = "campaigns", params(Paging, CampaignFilter),
    responses((status = 200, description = "One page.", body = Page<Campaign>)),
    security(("key" = ["campaigns:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<CampaignFilter, CampaignId>,
) -> Result<Json<Page<Campaign>>, Failure> {
    let mut db = app.db.acquire().await?;
    let wanted = Wanted {
        id: None,
        advertiser: listing.filter.advertiser_id,
        status: listing.filter.status,
        seen_by: by.affiliate,
        after: listing.after,
    };
    let campaigns = store::campaigns::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(campaigns, |campaign| campaign.id)))
}

/// Show one campaign.
#[utoipa::path(get, path = "/campaigns/{id}", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The campaign.", body = Campaign)),
    security(("key" = ["campaigns:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<CampaignId>) -> Result<Json<Campaign>, Failure> {
    let mut db = app.db.acquire().await?;
    let campaign = store::campaigns::find(&mut db, id, by.affiliate).await?;
    campaign.map(Json).ok_or_else(|| Failure::not_found(id))
}

/// Change a campaign; its advertiser and currency stay.
#[utoipa::path(patch, path = "/campaigns/{id}", tag = "campaigns", params(("id" = CampaignId, Path)),
    request_body = CampaignChange,
    responses((status = 200, description = "The campaign as it is now.", body = Campaign)),
    security(("key" = ["campaigns:write"])))]
async fn change(
    app: State<App>,
    Id(id): Id<CampaignId>,
    Body(change): Body<CampaignChange>,
) -> Result<Json<Campaign>, Failure> {
    let mut tx = app.begin().await?;
    let mut campaign = store::campaigns::lock(&mut tx, id).await?.ok_or_else(|| Failure::not_found(id))?;
    change.apply(&mut campaign);
    check(&campaign)?;
    campaign.updated_at = app.clock.now();
    store::campaigns::update(&mut tx, &campaign).await?;
    announce(&mut tx, &app, "campaign.changed", id, &campaign).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// Pause a campaign: it takes no clicks; conversions of earlier clicks still count.
#[utoipa::path(post, path = "/campaigns/{id}/pause", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The campaign as it is now.", body = Campaign)),
    security(("key" = ["campaigns:write"])))]
async fn pause(app: State<App>, Id(id): Id<CampaignId>, once: Once<Nothing>) -> Result<Response, Failure> {
    move_to(&app, id, once, CampaignStatus::Paused, "campaign.paused").await
}

/// Let a paused campaign take clicks again.
#[utoipa::path(post, path = "/campaigns/{id}/resume", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The campaign as it is now.", body = Campaign)),
    security(("key" = ["campaigns:write"])))]
async fn resume(app: State<App>, Id(id): Id<CampaignId>, once: Once<Nothing>) -> Result<Response, Failure> {
    move_to(&app, id, once, CampaignStatus::Active, "campaign.resumed").await
}

/// End a campaign for good.
#[utoipa::path(post, path = "/campaigns/{id}/end", tag = "campaigns", params(("id" = CampaignId, Path)),
    responses((status = 200, description = "The campaign as it is now.", body = Campaign)),
    security(("key" = ["campaigns:write"])))]
async fn end(app: State<App>, Id(id): Id<CampaignId>, once: Once<Nothing>) -> Result<Response, Failure> {
    move_to(&app, id, once, CampaignStatus::Ended, "campaign.ended").await
}

async fn move_to(
    app: &App,
    id: CampaignId,
    once: Once<Nothing>,
    to: CampaignStatus,
    event: &str,
) -> Result<Response, Failure> {
    let mut effect = once.effect;
    let mut campaign =
        store::campaigns::lock(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    campaign.status = campaign.status.to(to)?;
    campaign.updated_at = app.clock.now();
    store::campaigns::update(&mut effect, &campaign).await?;
    announce(&mut effect, app, event, id, &campaign).await?;
    effect.answer(StatusCode::OK, &campaign).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::testing::Api;

    async fn shop(api: &Api) -> Value {
        api.made("/api/v1/advertisers", json!({"name": "Shop"})).await["id"].clone()
    }

    #[tokio::test]
    async fn a_campaign_begins_with_its_plan() {
        let api = Api::start().await;
        let new = json!({
            "advertiser_id": shop(&api).await, "name": "Spring", "currency": "EUR",
            "landing_url": "https://shop.example/spring", "allowed_hosts": ["*.shop.example"],
            "events": [{"name": "sale", "kind": "sale", "min_amount": {"value": "5.00", "currency": "EUR"}}],
            "rules": [{"event": "sale", "terms": {"model": "percentage", "rate": "12.5%"}}],
        });
        let answer = api.post("/api/v1/campaigns", new).await;
        insta::assert_snapshot!(answer, @r#"
        201 {
          "advertiser_id": "adv_1",
          "allowed_hosts": [
            "*.shop.example"
          ],
          "attribution": "last_click",
          "cookie_days": 30,
          "created_at": "2026-02-01T12:00:00.001Z",
          "currency": "EUR",
          "events": [
            {
              "duplicates": "ignore",
              "kind": "sale",
              "min_amount": {
                "currency": "EUR",
                "value": "5.00"
              },
              "name": "sale"
            }
          ],
          "fallback_url": null,
          "id": "cmp_2",
          "landing_url": "https://shop.example/spring",
          "name": "Spring",
          "status": "active",
          "updated_at": "2026-02-01T12:00:00.001Z",
          "window_days": 30
        }
        "#);
        let id = answer.body["id"].as_str().unwrap();
        insta::assert_snapshot!(api.get(&format!("/api/v1/campaigns/{id}/plans")).await, @r#"
        200 {
          "data": [
            {
              "affiliate_id": null,
              "campaign_id": "cmp_1",
              "created_at": "2026-02-01T12:00:00.001Z",
              "effective_from": "2026-02-01T12:00:00.001Z",
              "id": "pln_2",
              "rules": [
                {
                  "event": "sale",
                  "terms": {
                    "model": "percentage",
                    "rate": "12.5%"
                  }
                }
              ],
              "version": 1
            }
          ],
          "has_more": false,
          "next": null
        }
        "#);
        assert_eq!(api.announced().await, ["advertiser.created", "campaign.created", "plan.created"]);
    }

    #[tokio::test]
    async fn what_cannot_be_advertised_is_refused() {
        let api = Api::start().await;
        let shop = shop(&api).await;
        let check = async |changed: Value| {
            let mut body = json!({
                "advertiser_id": shop, "name": "Spring", "currency": "EUR", "landing_url": "https://shop.example/",
            });
            body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            api.post("/api/v1/campaigns", body).await.problem()
        };
        insta::assert_snapshot!(check(json!({"landing_url": "javascript:alert(1)"})).await, @r#"422 unprocessable:  [/landing_url: "javascript:alert(1)" is not an http or https address of at most 500 characters, with a host and without a password]"#);
        insta::assert_snapshot!(check(json!({"allowed_hosts": ["shop.example", "*"]})).await, @r#"422 unprocessable:  [/allowed_hosts/1: "*" is not a host such as shop.example or *.shop.example]"#);
        insta::assert_snapshot!(check(json!({"events": []})).await, @"422 unprocessable:  [/events: a campaign needs at least one event]");
        insta::assert_snapshot!(check(json!({"currency": "XAU"})).await, @r#"422 unprocessable:  [/currency: "XAU" is not an ISO 4217 currency code such as EUR or USD]"#);
        let told = check(json!({"attribution": "coin_toss"})).await;
        assert!(told.contains("/attribution") && told.contains("u_shaped"), "{told}");
        insta::assert_snapshot!(check(json!({"window_days": 91})).await, @"422 unprocessable:  [/window_days: a window of 91 days is outside 1 to 90 days]");
        insta::assert_snapshot!(check(json!({"advertiser_id": "adv_01JH0000000000000000000000"})).await, @"422 unknown_reference: no such advertiser [/advertiser_id: no such advertiser]");
        insta::assert_snapshot!(check(json!({"rules": [{"event": "lead", "terms": {"model": "percentage", "rate": "5"}}]})).await, @r#"422 unprocessable:  [/rules: the campaign has no event "lead"]"#);
        insta::assert_snapshot!(check(json!({"rules": [{"terms": {"model": "percentage", "rate": "101"}}]})).await, @"422 unprocessable:  [/rules: a rate of 101% is more than the whole order]");
        insta::assert_snapshot!(check(json!({"rules": [{"terms": {"model": "lottery"}}]})).await, @"422 unprocessable:  [/rules/0/terms/model: unknown variant `lottery`, expected one of `flat`, `percentage`, `two_tier`, `dynamic`]");
        assert_eq!(api.get("/api/v1/campaigns").await.column("id"), [""; 0]);
    }

    #[tokio::test]
    async fn a_campaign_pauses_resumes_and_ends_for_good() {
        let api = Api::start().await;
        let id = api.campaign().await;
        let status = async |verb: &str| {
            let answer = api.post(&format!("/api/v1/campaigns/{id}/{verb}"), json!({})).await;
            answer.body["status"].as_str().map_or_else(|| answer.problem(), str::to_owned)
        };
        insta::assert_snapshot!(status("resume").await, @"409 illegal_move: this campaign is active and cannot become active");
        insta::assert_snapshot!(status("pause").await, @"paused");
        insta::assert_snapshot!(status("resume").await, @"active");
        insta::assert_snapshot!(status("end").await, @"ended");
        insta::assert_snapshot!(status("resume").await, @"409 illegal_move: this campaign is ended and cannot become active");
    }

    #[tokio::test]
    async fn a_change_is_checked_as_a_whole() {
        let api = Api::start().await;
        let path = format!("/api/v1/campaigns/{}", api.campaign().await);
        let changed =
            api.patch(&path, json!({"name": "Summer", "fallback_url": "https://shop.example/late"})).await;
        assert_eq!(
            (&changed.body["name"], &changed.body["fallback_url"]),
            (&json!("Summer"), &json!("https://shop.example/late"))
        );
        assert_eq!(api.patch(&path, json!({"fallback_url": null})).await.body["fallback_url"], Value::Null);
        let events =
            json!([{"name": "sale", "kind": "sale", "min_amount": {"value": "5.00", "currency": "USD"}}]);
        insta::assert_snapshot!(api.patch(&path, json!({"events": events})).await.problem(), @r#"422 unprocessable:  [/events: the smallest amount of "sale" is 5.00 USD, which must be zero or more in EUR]"#);
        insta::assert_snapshot!(api.patch(&path, json!({"currency": "USD"})).await.problem(), @"422 unprocessable:  [/currency: unknown field `currency`, expected one of `name`, `landing_url`, `allowed_hosts`, `fallback_url`, `events`, `window_days`, `cookie_days`, `attribution`]");
    }
}
