//! Links: one affiliate's way into one campaign, under a code of its own.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{
    AffiliateId, CampaignId, Chance, LinkId,
    affiliate::AffiliateStatus,
    campaign::{AllowedHost, CampaignStatus, may_lead_to, page},
};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text::{self, Code, ParamName, ParamValue},
};
use crate::{
    app::App,
    store::{
        self,
        campaigns::Campaign,
        links::{Link, Wanted, impression_url, tracking_url},
        outbox::announce,
    },
};

/// At most this many parameters are hung on a landing URL.
const PARAM_LIMIT: usize = 20;
/// So many codes are tried before giving up; with 31⁸ of them the second one is already rare.
const ATTEMPTS: usize = 5;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list_of_affiliate)).routes(routes!(list)).routes(routes!(one))
}

/// A link to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    pub(crate) campaign_id: CampaignId,
    /// What follows /c/ in its URL; made up when absent.
    pub(crate) code: Option<Code>,
    /// Where visitors land, unless on the campaign's landing page: on its host or an allowed one.
    pub(crate) landing_url: Option<text::Page>,
    /// Parameters hung on the landing URL of every click.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, ParamValue>, example = json!({"sub1": "newsletter"}))]
    pub(crate) custom_params: BTreeMap<ParamName, ParamValue>,
}

/// Which links to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinkFilter {
    /// Only this affiliate's.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
    /// Only into this campaign.
    #[param(required = false, value_type = CampaignId)]
    campaign_id: Option<CampaignId>,
}

/// Make a link for an affiliate, who takes part in the campaign from then on.
#[utoipa::path(post, path = "/affiliates/{id}/links", tag = "links", params(("id" = AffiliateId, Path)),
    request_body = NewLink,
    responses((status = 201, description = "The link; clicks on it count once the affiliate is approved.", body = Link)),
    security(("key" = ["links:write"])))]
async fn create(app: State<App>, Id(id): Id<AffiliateId>, once: Once<NewLink>) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    store::affiliates::find(&mut effect, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let link = make(&app, &mut effect, (id, by.affiliate), new).await?;
    effect.answer(StatusCode::CREATED, &link).await
}

/// Makes a link for an affiliate into a campaign that may be seen, and announces it.
pub(crate) async fn make(
    app: &App,
    tx: &mut PgConnection,
    (id, seen_by): (AffiliateId, Option<AffiliateId>),
    new: NewLink,
) -> Result<Link, Failure> {
    let campaign = store::campaigns::find(tx, new.campaign_id, seen_by).await?;
    let campaign = campaign.ok_or_else(|| Failure::unprocessable("/campaign_id", "no such campaign"))?;
    check(tx, &campaign, &new).await?;
    let joined = store::campaigns::join(tx, campaign.id, id, app.clock.now()).await?;
    if joined != AffiliateStatus::Approved {
        return Err(Failure::conflict("takes_no_part", format!("{id} is {joined} in {}", campaign.id)));
    }
    let mut link = Link {
        id: LinkId::new(&app.clock, &app.chance),
        code: String::new(),
        url: String::new(),
        impression_url: String::new(),
        affiliate_id: id,
        campaign_id: campaign.id,
        landing_url: new.landing_url.map(Into::into),
        custom_params: new
            .custom_params
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        impressions: 0,
        clicks: 0,
        conversions: 0,
        created_at: app.clock.now(),
    };
    insert(app, tx, &mut link, new.code).await?;
    announce(tx, app, "link.created", link.id, &link).await?;
    Ok(link)
}

async fn check(db: &mut PgConnection, campaign: &Campaign, new: &NewLink) -> Result<(), Failure> {
    if campaign.status == CampaignStatus::Ended {
        return Err(Failure::conflict("campaign_ended", format!("{} is over", campaign.id)));
    }
    if let Some(target) = &new.landing_url {
        let hosts: Result<Vec<_>, _> =
            campaign.allowed_hosts.iter().map(|host| AllowedHost::parse(host)).collect();
        if !may_lead_to(&page(target.as_str())?, &page(&campaign.landing_url)?, &hosts?) {
            let detail =
                "it must be on the host of the campaign's landing page or on one of its allowed hosts";
            return Err(Failure::unprocessable("/landing_url", detail));
        }
    }
    if PARAM_LIMIT < new.custom_params.len() {
        return Err(Failure::unprocessable(
            "/custom_params",
            format!("at most {PARAM_LIMIT} parameters are kept"),
        ));
    }
    let advertiser = store::advertisers::find(db, campaign.advertiser_id).await?;
    let taken = advertiser.map(|advertiser| advertiser.click_param).unwrap_or_default();
    if new.custom_params.keys().any(|name| name.as_str() == taken) {
        let detail = "under this name the click id travels";
        return Err(Failure::unprocessable(format!("/custom_params/{taken}"), detail));
    }
    Ok(())
}

/// Stores the link under the code that was asked for, or under one that nobody has.
async fn insert(
    app: &App,
    tx: &mut PgConnection,
    link: &mut Link,
    asked: Option<Code>,
) -> Result<(), Failure> {
    let attempts = if asked.is_some() { 1 } else { ATTEMPTS };
    for _ in 0..attempts {
        link.code = asked.clone().map_or_else(|| new_code(&app.chance), Into::into);
        link.url = tracking_url(&app.tracker_url, &link.code);
        link.impression_url = impression_url(&app.tracker_url, &link.code);
        if store::links::insert(tx, link).await? {
            return Ok(());
        }
    }
    let taken = Failure::conflict("already_exists", format!("another link has the code {}", link.code));
    Err(taken)
}

/// Eight letters and digits that nobody reads as another: no 0 and o, no 1, i and l.
fn new_code(chance: &Chance) -> String {
    const LETTERS: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let letter = |_| {
        let position = usize::try_from(chance.below(31)).expect("less than 31 fits");
        char::from(LETTERS[position])
    };
    (0..8).map(letter).collect()
}

/// List the links of one affiliate.
#[utoipa::path(get, path = "/affiliates/{id}/links", tag = "links", params(("id" = AffiliateId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<Link>)),
    security(("key" = ["links:read"])))]
async fn list_of_affiliate(
    app: State<App>,
    by: Caller,
    Id(id): Id<AffiliateId>,
    listing: Listing<Unfiltered, LinkId>,
) -> Result<Json<Page<Link>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::affiliates::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let wanted = Wanted { affiliate: Some(id), after: listing.after, ..Wanted::default() };
    let links = store::links::list(&mut db, &wanted, &app.tracker_url, listing.reach()).await?;
    Ok(Json(listing.page(links, |link| link.id)))
}

/// List links.
#[utoipa::path(get, path = "/links", tag = "links", params(Paging, LinkFilter),
    responses((status = 200, description = "One page.", body = Page<Link>)),
    security(("key" = ["links:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<LinkFilter, LinkId>,
) -> Result<Json<Page<Link>>, Failure> {
    let mut db = app.db.acquire().await?;
    let wanted = Wanted {
        id: None,
        affiliate: listing.filter.affiliate_id,
        campaign: listing.filter.campaign_id,
        seen_by: by.affiliate,
        after: listing.after,
    };
    let links = store::links::list(&mut db, &wanted, &app.tracker_url, listing.reach()).await?;
    Ok(Json(listing.page(links, |link| link.id)))
}

/// Show one link with its counters.
#[utoipa::path(get, path = "/links/{id}", tag = "links", params(("id" = LinkId, Path)),
    responses((status = 200, description = "The link.", body = Link)),
    security(("key" = ["links:read"])))]
async fn one(app: State<App>, by: Caller, Id(id): Id<LinkId>) -> Result<Json<Link>, Failure> {
    let mut db = app.db.acquire().await?;
    let wanted = Wanted { id: Some(id), seen_by: by.affiliate, ..Wanted::default() };
    let link = store::links::list(&mut db, &wanted, &app.tracker_url, 1).await?.pop();
    link.map(Json).ok_or_else(|| Failure::not_found(id))
}

#[cfg(test)]
mod tests {
    use domain::Chance;
    use serde_json::json;

    use super::new_code;
    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_link_has_a_code_and_a_url_to_click_on() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/affiliates/{ana}/links");
        let new = json!({"campaign_id": campaign, "code": "spring", "custom_params": {"sub1": "mail"}});
        insta::assert_snapshot!(api.post(&path, new).await, @r#"
        201 {
          "affiliate_id": "aff_1",
          "campaign_id": "cmp_2",
          "clicks": 0,
          "code": "spring",
          "conversions": 0,
          "created_at": "2026-02-01T12:00:00.004Z",
          "custom_params": {
            "sub1": "mail"
          },
          "id": "lnk_3",
          "impression_url": "https://go.example/i/spring",
          "impressions": 0,
          "landing_url": null,
          "url": "https://go.example/c/spring"
        }
        "#);
        let made_up = api.made(&path, json!({"campaign_id": campaign})).await;
        assert_eq!(made_up["code"].as_str().unwrap().len(), 8);
        assert_eq!(api.get(&path).await.column("id").len(), 2);
        let id = made_up["id"].as_str().unwrap();
        assert_eq!(api.get(&format!("/api/v1/links/{id}")).await.body, made_up);
        assert_eq!(api.get(&format!("/api/v1/links?campaign_id={campaign}")).await.column("code").len(), 2);
    }

    #[tokio::test]
    async fn a_link_that_leads_astray_is_refused() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/affiliates/{ana}/links");
        api.made(&path, json!({"campaign_id": campaign, "code": "spring"})).await;
        let check = async |body| api.post(&path, body).await.problem();
        insta::assert_snapshot!(check(json!({"campaign_id": campaign, "code": "spring"})).await, @"409 already_exists: another link has the code spring");
        insta::assert_snapshot!(check(json!({"campaign_id": campaign, "code": "a/b"})).await, @"422 unprocessable:  [/code: it must be 1 to 20 of A-Z, a-z, 0-9, _ and -]");
        insta::assert_snapshot!(check(json!({"campaign_id": campaign, "landing_url": "https://evil.example/"})).await, @"422 unprocessable:  [/landing_url: it must be on the host of the campaign's landing page or on one of its allowed hosts]");
        insta::assert_snapshot!(check(json!({"campaign_id": campaign, "custom_params": {"clickid": "1"}})).await, @"422 unprocessable:  [/custom_params/clickid: under this name the click id travels]");
        insta::assert_snapshot!(check(json!({"campaign_id": campaign, "custom_params": {"a b": "1"}})).await, @"422 unprocessable:  [/custom_params/a b: it must be 1 to 64 of A-Z, a-z, 0-9, _, . and -]");
        insta::assert_snapshot!(check(json!({"campaign_id": "cmp_01JH0000000000000000000000"})).await, @"422 unprocessable:  [/campaign_id: no such campaign]");
        api.made(&format!("/api/v1/campaigns/{campaign}/end"), json!({})).await;
        insta::assert_snapshot!(check(json!({"campaign_id": campaign})).await, @"409 campaign_ended: cmp_1 is over");
    }

    #[test]
    fn made_up_codes_are_easy_to_read_out() {
        let chance = Chance::seeded(1);
        let codes: Vec<_> = (0..1_000).map(|_| new_code(&chance)).collect();
        assert!(codes.iter().all(|code| code.len() == 8 && !code.contains(['0', 'o', '1', 'i', 'l'])));
    }
}
