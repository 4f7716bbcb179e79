//! The ledger: whether the books balance, and what stands on each account.

use axum::{Json, extract::State};
use domain::{AccountId, AdvertiserId, AffiliateId, IdError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
};
use crate::{
    app::App,
    store::{
        self,
        ledger::{Account, TrialBalance},
    },
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(trial_balance)).routes(routes!(accounts))
}

/// The trial balance in every currency that was ever posted.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialBalances {
    /// One for each currency.
    currencies: Vec<TrialBalance>,
}

/// Which accounts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountFilter {
    /// Only this advertiser's or affiliate's.
    #[param(required = false, value_type = String, pattern = "^(adv|aff)_[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
    owner_id: Option<Owner>,
}

/// An advertiser or an affiliate.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Owner(Uuid);

impl TryFrom<String> for Owner {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let advertiser = text.parse::<AdvertiserId>().map(AdvertiserId::uuid);
        advertiser.or_else(|_| text.parse::<AffiliateId>().map(AffiliateId::uuid)).map(Self)
    }
}

/// Show the trial balance: the difference is zero in every currency, always.
#[utoipa::path(get, path = "/ledger/trial-balance", tag = "ledger",
    responses((status = 200, description = "By currency.", body = TrialBalances)),
    security(("key" = ["ledger:read"])))]
async fn trial_balance(app: State<App>, by: Caller) -> Result<Json<TrialBalances>, Failure> {
    by.must_be_operator()?;
    let mut db = app.db.acquire().await?;
    Ok(Json(TrialBalances { currencies: store::ledger::trial_balance(&mut db).await? }))
}

/// List accounts with what stands on them.
#[utoipa::path(get, path = "/ledger/accounts", tag = "ledger", params(Paging, AccountFilter),
    responses((status = 200, description = "One page.", body = Page<Account>)),
    security(("key" = ["ledger:read"])))]
async fn accounts(
    app: State<App>,
    by: Caller,
    listing: Listing<AccountFilter, AccountId>,
) -> Result<Json<Page<Account>>, Failure> {
    let mut db = app.db.acquire().await?;
    let owner = listing.filter.owner_id.map(|Owner(owner)| owner);
    let accounts =
        store::ledger::accounts(&mut db, owner, by.affiliate, listing.after, listing.reach()).await?;
    Ok(Json(listing.page(accounts, |account| account.id)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn the_books_balance_and_say_what_is_owed() {
        let api = Api::start().await;
        insta::assert_snapshot!(api.get("/api/v1/ledger/trial-balance").await, @r#"
        200 {
          "currencies": []
        }
        "#);
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let sale = api.sale(ana, &campaign, "A1").await;
        api.made(&format!("/api/v1/conversions/{sale}/approve"), json!({})).await;
        api.sale(ana, &campaign, "A2").await;
        insta::assert_snapshot!(api.get("/api/v1/ledger/trial-balance").await, @r#"
        200 {
          "currencies": [
            {
              "credits": {
                "currency": "EUR",
                "value": "15.00"
              },
              "currency": "EUR",
              "debits": {
                "currency": "EUR",
                "value": "15.00"
              },
              "difference": {
                "currency": "EUR",
                "value": "0.00"
              }
            }
          ]
        }
        "#);
        let accounts = api.get(&format!("/api/v1/ledger/accounts?owner_id={ana}")).await;
        let told = accounts.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {}", row["kind"], row["balance"]["value"]));
        let mut told: Vec<_> = told.collect();
        told.sort();
        assert_eq!(told, [r#""commission_accrued" "-5.00""#, r#""commission_payable" "-5.00""#]);
        insta::assert_snapshot!(api.get("/api/v1/ledger/accounts?owner_id=cmp_1").await.problem(), @r#"400 malformed_query:  [/owner_id: "cmp_1" is no affiliate id: expected aff_ and 26 characters of Crockford base32]"#);
        insta::assert_snapshot!(api.get_as(&api.new_key(&["*"], Some(ana)).await, "/api/v1/ledger/trial-balance").await.problem(), @"403 forbidden: this key shows only what is aff_1's own");
    }
}
