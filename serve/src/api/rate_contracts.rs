//! What affiliates agree to about their rates: bounds that no decision passes. A change is a new version, and all stay.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{AffiliateId, CampaignId, Rate, RateContractId, commission::dynamic::Contract};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    text::Note,
};
use crate::{
    app::App,
    store::{
        self,
        outbox::announce,
        rate_contracts::{RateContract, Wanted},
    },
};

/// Nobody agrees on more days than a year has.
const DAYS_MAX: u16 = 365;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create, list))
}

/// What an affiliate agreed to about its rate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRateContract {
    /// Who agreed.
    affiliate_id: AffiliateId,
    /// It is never paid less.
    floor: Rate,
    /// It is never paid more.
    cap: Rate,
    /// The rate moves at most so far in a period, unless the contract itself changes.
    step: Rate,
    /// The rate moves at most once in so many days.
    #[schema(maximum = 365)]
    period_days: u16,
    /// The affiliate is told so many days before its rate changes.
    #[schema(minimum = 1, maximum = 365)]
    notice_days: u16,
    /// Chance may move the rate so far to either side; not at all when absent.
    exploring: Option<Rate>,
    /// For the record; the affiliate sees it.
    note: Option<Note>,
}

impl NewRateContract {
    fn terms(&self) -> Result<Contract, Failure> {
        let Self { floor, cap, step, period_days, notice_days, exploring, .. } = *self;
        let exploring = exploring.unwrap_or(Rate { ppm: 0 });
        let terms = Contract { floor, cap, step, period_days, notice_days, exploring };
        if DAYS_MAX < period_days {
            return Err(Failure::unprocessable("/period_days", "it must be 0 to 365 days"));
        }
        if !(1..=DAYS_MAX).contains(&notice_days) {
            return Err(Failure::unprocessable("/notice_days", "it must be 1 to 365 days"));
        }
        let rates = [("/floor", floor), ("/cap", cap), ("/step", step), ("/exploring", exploring)];
        if let Some((pointer, _)) = rates.into_iter().find(|(_, rate)| Rate::ONE < *rate) {
            return Err(Failure::unprocessable(pointer, "it must be at most 100%, the whole order"));
        }
        terms.check().map_err(|error| Failure::unprocessable("/floor", error))?;
        Ok(terms)
    }
}

/// Which contracts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RateContractFilter {
    /// Only this affiliate's.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
}

/// Enter what an affiliate agreed to about its rate in a campaign: bounds, the longest step in a period, and notice.
#[utoipa::path(post, path = "/campaigns/{id}/rate-contracts", tag = "rate_contracts",
    params(("id" = CampaignId, Path)), request_body = NewRateContract,
    responses((status = 201, description = "The new version.", body = RateContract)),
    security(("key" = ["rates:write"])))]
async fn create(
    app: State<App>,
    Id(id): Id<CampaignId>,
    once: Once<NewRateContract>,
) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    let Contract { floor, cap, step, period_days, notice_days, exploring } = new.terms()?;
    store::campaigns::lock(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    let last = store::rate_contracts::in_force(&mut effect, &[new.affiliate_id], &[id]).await?.pop();
    let contract = RateContract {
        id: RateContractId::new(&app.clock, &app.chance),
        affiliate_id: new.affiliate_id,
        campaign_id: id,
        version: last.map_or(0, |last| last.version) + 1,
        floor,
        cap,
        step,
        period_days,
        notice_days,
        exploring,
        note: new.note.map(String::from).unwrap_or_default(),
        actor: by.key.to_string(),
        created_at: app.clock.now(),
    };
    store::rate_contracts::insert(&mut effect, &contract).await?;
    announce(&mut effect, &app, "contract.created", contract.id, &contract).await?;
    effect.answer(StatusCode::CREATED, &contract).await
}

/// List every version of what affiliates agreed to about their rates. An affiliate's own key sees its own.
#[utoipa::path(get, path = "/campaigns/{id}/rate-contracts", tag = "rate_contracts",
    params(("id" = CampaignId, Path), Paging, RateContractFilter),
    responses((status = 200, description = "One page.", body = Page<RateContract>)),
    security(("key" = ["rates:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    Id(id): Id<CampaignId>,
    listing: Listing<RateContractFilter, RateContractId>,
) -> Result<Json<Page<RateContract>>, Failure> {
    let mut db = app.db.acquire().await?;
    store::campaigns::find(&mut db, id, by.affiliate).await?.ok_or_else(|| Failure::not_found(id))?;
    let wanted = Wanted {
        campaign: Some(id),
        affiliate: listing.filter.affiliate_id,
        seen_by: by.affiliate,
        after: listing.after,
    };
    let contracts = store::rate_contracts::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(contracts, |contract| contract.id)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_contract_changes_by_a_new_version_and_all_are_kept() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/campaigns/{campaign}/rate-contracts");
        let contract = |cap: &str| {
            json!({"affiliate_id": ana, "floor": "4%", "cap": cap, "step": "2%", "period_days": 30, "notice_days": 14,
                   "note": "Signed on paper."})
        };
        assert_eq!(api.made(&path, contract("10%")).await["version"], 1);
        insta::assert_snapshot!(api.post(&path, contract("12%")).await, @r#"
        201 {
          "actor": "key_1",
          "affiliate_id": "aff_2",
          "campaign_id": "cmp_3",
          "cap": "12%",
          "created_at": "2026-02-01T12:00:00.005Z",
          "exploring": "0%",
          "floor": "4%",
          "id": "rct_4",
          "note": "Signed on paper.",
          "notice_days": 14,
          "period_days": 30,
          "step": "2%",
          "version": 2
        }
        "#);
        let listed = api.get(&format!("{path}?affiliate_id={ana}")).await;
        let caps: Vec<_> =
            listed.body["data"].as_array().unwrap().iter().map(|row| row["cap"].clone()).collect();
        assert_eq!(caps, ["12%", "10%"]);
        assert!(
            api.announced().await.ends_with(&["contract.created".to_owned(), "contract.created".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_contract_that_no_rate_can_keep_is_refused() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/campaigns/{campaign}/rate-contracts");
        let check = async |change: Value| {
            let mut contract = json!({"affiliate_id": ana, "floor": "4%", "cap": "10%", "step": "2%", "period_days": 30,
                                      "notice_days": 14});
            contract.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            api.post(&path, contract).await.problem()
        };
        insta::assert_snapshot!(check(json!({"floor": "11%"})).await, @"422 unprocessable:  [/floor: the contract's floor of 11% is above its cap of 10%; exchange them]");
        insta::assert_snapshot!(check(json!({"cap": "101%"})).await, @"422 unprocessable:  [/cap: it must be at most 100%, the whole order]");
        insta::assert_snapshot!(check(json!({"notice_days": 0})).await, @"422 unprocessable:  [/notice_days: it must be 1 to 365 days]");
        insta::assert_snapshot!(check(json!({"period_days": 400})).await, @"422 unprocessable:  [/period_days: it must be 0 to 365 days]");
        insta::assert_snapshot!(check(json!({"affiliate_id": "aff_01JH0000000000000000000000"})).await, @"422 unknown_reference: no such affiliate [/affiliate_id: no such affiliate]");
        let nowhere = "/api/v1/campaigns/cmp_01JH0000000000000000000000/rate-contracts";
        insta::assert_snapshot!(api.get(nowhere).await.problem(), @"404 not_found: cmp_1 does not exist, or this key may not see it");
    }
}
