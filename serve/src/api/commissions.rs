//! Commissions: what affiliates earn, and exactly how each amount came about.

use axum::{Json, extract::State};
use domain::{AffiliateId, CommissionId, ConversionId, commission::Trace, conversion::CommissionStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::Id,
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    text::Day,
};
use crate::{
    app::App,
    store::{
        self,
        commissions::{Commission, Wanted},
    },
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// A commission with how it came about.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommissionDetail {
    #[serde(flatten)]
    commission: Commission,
    /// The computation, step by step, in words that can be checked by hand.
    trace: Trace,
}

/// Which commissions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CommissionFilter {
    /// Only this affiliate's.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
    /// Only of this conversion.
    #[param(required = false, value_type = ConversionId)]
    conversion_id: Option<ConversionId>,
    /// Only those.
    #[param(required = false, value_type = CommissionStatus)]
    status: Option<CommissionStatus>,
    /// Only what was written on this day or later.
    #[param(required = false, value_type = Day)]
    date_from: Option<Day>,
    /// Only what was written on this day or earlier.
    #[param(required = false, value_type = Day)]
    date_to: Option<Day>,
}

/// List commissions, corrections included.
#[utoipa::path(get, path = "/commissions", tag = "commissions", params(Paging, CommissionFilter),
    responses((status = 200, description = "One page.", body = Page<Commission>)),
    security(("key" = ["commissions:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<CommissionFilter, CommissionId>,
) -> Result<Json<Page<Commission>>, Failure> {
    let mut db = app.db.acquire().await?;
    let filter = &listing.filter;
    let wanted = Wanted {
        id: None,
        affiliate: filter.affiliate_id,
        conversion: filter.conversion_id,
        status: filter.status,
        from: filter.date_from.map(Day::start),
        before: filter.date_to.map(Day::end),
        seen_by: by.affiliate,
        after: listing.after,
    };
    let commissions = store::commissions::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(commissions, |commission| commission.id)))
}

/// Show one commission with how it came about: plan and version, model, base, and each step in words.
#[utoipa::path(get, path = "/commissions/{id}", tag = "commissions", params(("id" = CommissionId, Path)),
    responses((status = 200, description = "The commission.", body = CommissionDetail)),
    security(("key" = ["commissions:read"])))]
async fn one(
    app: State<App>,
    by: Caller,
    Id(id): Id<CommissionId>,
) -> Result<Json<CommissionDetail>, Failure> {
    let mut db = app.db.acquire().await?;
    let wanted = Wanted { id: Some(id), seen_by: by.affiliate, ..Wanted::default() };
    let commission = store::commissions::list(&mut db, &wanted, 1).await?.pop();
    let commission = commission.ok_or_else(|| Failure::not_found(id))?;
    let trace = store::commissions::trace(&mut db, id).await?.ok_or_else(|| Failure::not_found(id))?;
    Ok(Json(CommissionDetail { commission, trace }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_commission_says_how_it_came_about() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let sale = api.sale(ana, &campaign, "A1").await;
        let listed = api.get(&format!("/api/v1/commissions?conversion_id={sale}")).await;
        let id = listed.column("id")[0];
        insta::assert_snapshot!(api.get(&format!("/api/v1/commissions/{id}")).await, @r#"
        200 {
          "affiliate_id": "aff_1",
          "amount": {
            "currency": "EUR",
            "value": "5.00"
          },
          "campaign_id": "cmp_2",
          "conversion_id": "cnv_3",
          "corrects": null,
          "created_at": "2026-02-01T12:00:00.005Z",
          "final_at": null,
          "id": "com_4",
          "level": 0,
          "plan_id": "pln_5",
          "plan_version": 1,
          "status": "accrued",
          "trace": {
            "amount": {
              "currency": "EUR",
              "value": "5.00"
            },
            "base": {
              "currency": "EUR",
              "value": "100.00"
            },
            "format": 1,
            "model": "percentage",
            "plan": "pln_5",
            "plan_version": 1,
            "share_ppm": 1000000,
            "steps": [
              {
                "amount": {
                  "currency": "EUR",
                  "value": "100.00"
                },
                "text": "The sale is worth 100.00 EUR."
              },
              {
                "amount": {
                  "currency": "EUR",
                  "value": "5.00"
                },
                "text": "5% of 100.00 EUR is 5.00 EUR."
              },
              {
                "amount": {
                  "currency": "EUR",
                  "value": "5.00"
                },
                "text": "100% of the credit: last_click gives it for click clk_6 of 2026-02-01 12:00:00 UTC. The line is 5.00 EUR."
              }
            ]
          },
          "waits_for": "approval"
        }
        "#);
    }

    #[tokio::test]
    async fn a_reversal_is_a_negative_line_beside_the_first() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let sale = api.sale(ana, &campaign, "A1").await;
        api.made(&format!("/api/v1/conversions/{sale}/approve"), json!({})).await;
        let part = json!({"amount": {"value": "30.00", "currency": "EUR"}});
        api.made(&format!("/api/v1/conversions/{sale}/reverse"), part).await;
        let lines = async |query: &str| {
            let answer = api.get(&format!("/api/v1/commissions?{query}")).await;
            let amounts = answer.body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line["amount"]["value"].to_string());
            amounts.collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(lines(&format!("affiliate_id={ana}&status=payable")).await, @r#""-1.50" "5.00""#);
        insta::assert_snapshot!(lines("status=accrued").await, @"");
        insta::assert_snapshot!(lines("date_from=2026-02-02").await, @"");
    }
}
