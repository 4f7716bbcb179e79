//! Commission plans: terms are never edited, a change is a new version that holds from a moment on.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use domain::{
    AffiliateId, CampaignId, PlanId,
    commission::{Rule, check_rules_for},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging, Unfiltered},
    once::Once,
    text,
};
use crate::{
    app::App,
    store::{self, campaigns::Plan, outbox::announce},
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list))
}

/// The next version of a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// What it pays for, each event by one rule; a rule without an event is for all that no other names.
    #[schema(min_items = 1)]
    rules: Vec<Rule>,
    /// Set: it holds for this affiliate alone, before the campaign's own plan.
    affiliate_id: Option<AffiliateId>,
    /// From when on it holds; from now on when absent. Only a campaign's very first plan may hold from earlier.
    #[serde(default, deserialize_with = "text::moment")]
    effective_from: Option<DateTime<Utc>>,
}

/// The first version of a campaign's own plan, which holds from now on.
pub(super) fn first_plan(app: &App, campaign_id: CampaignId, rules: Vec<Rule>) -> Plan {
    let (id, now) = (PlanId::new(&app.clock, &app.chance), app.clock.now());
    Plan { id, campaign_id, affiliate_id: None, version: 1, rules, effective_from: now, created_at: now }
}

/// Give a campaign new terms, for everybody or for one affiliate.
#[utoipa::path(post, path = "/campaigns/{id}/plans", tag = "plans", params(("id" = CampaignId, Path)),
    request_body = NewPlan,
    responses((status = 201, description = "The new version.", body = Plan)),
    security(("key" = ["campaigns:write"])))]
async fn create(app: State<App>, Id(id): Id<CampaignId>, once: Once<NewPlan>) -> Result<Response, Failure> {
    let Once { body: new, mut effect, .. } = once;
    let campaign = store::campaigns::lock(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    check_rules_for(&new.rules, &campaign.events)?;
    let last_version = store::campaigns::last_version(&mut effect, id, new.affiliate_id).await?;
    let now = app.clock.now();
    let effective_from = new.effective_from.unwrap_or(now);
    let replaces_terms = last_version != 0 || new.affiliate_id.is_some();
    if replaces_terms && effective_from < now {
        let detail = "terms that were in force are history: a new version holds from now on or later";
        return Err(Failure::unprocessable("/effective_from", detail));
    }
    let plan = Plan {
        affiliate_id: new.affiliate_id,
        version: last_version + 1,
        effective_from,
        ..first_plan(&app, id, new.rules)
    };
    store::campaigns::insert_plan(&mut effect, &plan).await?;
    announce(&mut effect, &app, "plan.created", plan.id, &plan).await?;
    effect.answer(StatusCode::CREATED, &plan).await
}

/// List the versions of a campaign's plans. An affiliate's own key sees the campaign's and its own.
#[utoipa::path(get, path = "/campaigns/{id}/plans", tag = "plans", params(("id" = CampaignId, Path), Paging),
    responses((status = 200, description = "One page.", body = Page<Plan>)),
    security(("key" = ["campaigns:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    Id(id): Id<CampaignId>,
    listing: Listing<Unfiltered, PlanId>,
) -> Result<Json<Page<Plan>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::campaigns::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let plans = store::campaigns::plans(&mut db, id, by.affiliate, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(plans, |plan| plan.id)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::testing::Api;

    fn percentage(rate: &str) -> Value {
        json!([{"terms": {"model": "percentage", "rate": rate}}])
    }

    #[tokio::test]
    async fn versions_are_counted_for_everybody_and_for_each_affiliate() {
        let api = Api::start().await;
        let path = format!("/api/v1/campaigns/{}/plans", api.campaign().await);
        let ana = api.affiliate("Ana").await;
        let version = async |body| api.made(&path, body).await["version"].as_i64();
        assert_eq!(version(json!({"rules": percentage("10")})).await, Some(2));
        assert_eq!(version(json!({"rules": percentage("20"), "affiliate_id": ana})).await, Some(1));
        assert_eq!(version(json!({"rules": percentage("25"), "affiliate_id": ana})).await, Some(2));
        assert_eq!(version(json!({"rules": percentage("11")})).await, Some(3));
    }

    #[tokio::test]
    async fn terms_that_were_in_force_cannot_be_changed() {
        let api = Api::start().await;
        let path = format!("/api/v1/campaigns/{}/plans", api.campaign().await);
        let check = async |from: &str| {
            let body = json!({"rules": percentage("10"), "effective_from": from});
            let answer = api.post(&path, body).await;
            answer.body["effective_from"].as_str().map_or_else(|| answer.problem(), str::to_owned)
        };
        insta::assert_snapshot!(check("2026-01-31T00:00:00Z").await, @"422 unprocessable:  [/effective_from: terms that were in force are history: a new version holds from now on or later]");
        insta::assert_snapshot!(check("2026-03-01T01:00:00+01:00").await, @"2026-03-01T00:00:00Z");
        insta::assert_snapshot!(check("+262142-01-01T00:00:00Z").await, @"422 unprocessable:  [/effective_from: it must be a moment such as 2026-02-01T12:00:00Z, in 1970 or later]");
        insta::assert_snapshot!(check("yesterday").await, @"422 unprocessable:  [/effective_from: it must be a moment such as 2026-02-01T12:00:00Z, in 1970 or later]");
    }
}
