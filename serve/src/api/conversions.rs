//! Conversions: reported with a key instead of a signature, listed, and moved through their lives.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use domain::{
    AffiliateId, CampaignId, ConversionId, Money,
    conversion::{ConversionStatus, ReversalReason},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracking::{
    customer::Customer,
    intake::{Act, Claim, life},
    store::conversions::{customer, lock},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::{Id, Nothing},
    failure::Failure,
    gate::Caller,
    listing::{Listing, Page, Paging},
    once::Once,
    text::Day,
};
use crate::{
    app::App,
    store::{
        self,
        conversions::{Conversion, Move, Share, Wanted},
    },
};

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(hold))
        .routes(routes!(release))
        .routes(routes!(reverse))
}

/// A conversion with all that is kept of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversionDetail {
    #[serde(flatten)]
    conversion: Conversion,
    /// Fields of the report that are not ours; shown to the operator only.
    #[schema(value_type = Object)]
    metadata: Value,
    /// What the report says of the customer, hidden; shown to the operator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<Customer>,
    /// Every move it made, in order.
    history: Vec<Move>,
    /// How the credit was divided.
    shares: Vec<Share>,
}

/// Which conversions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConversionFilter {
    /// Only those for which this affiliate has credit.
    #[param(required = false, value_type = AffiliateId)]
    affiliate_id: Option<AffiliateId>,
    /// Only this campaign's.
    #[param(required = false, value_type = CampaignId)]
    campaign_id: Option<CampaignId>,
    /// Only those.
    #[param(required = false, value_type = ConversionStatus)]
    status: Option<ConversionStatus>,
    /// Only what happened on this day or later.
    #[param(required = false, value_type = Day)]
    date_from: Option<Day>,
    /// Only what happened on this day or earlier.
    #[param(required = false, value_type = Day)]
    date_to: Option<Day>,
}

/// Why a conversion is turned down.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// `other` when absent.
    reason: Option<ReversalReason>,
}

/// How much of an approved conversion is taken back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReversalRequest {
    /// `other` when absent.
    reason: Option<ReversalReason>,
    /// How much of the order's amount; all that is left of it when absent.
    amount: Option<Money>,
}

/// List conversions. An affiliate's own key sees those for which it has credit.
#[utoipa::path(get, path = "/conversions", tag = "conversions", params(Paging, ConversionFilter),
    responses((status = 200, description = "One page.", body = Page<Conversion>)),
    security(("key" = ["conversions:read"])))]
async fn list(
    app: State<App>,
    by: Caller,
    listing: Listing<ConversionFilter, ConversionId>,
) -> Result<Json<Page<Conversion>>, Failure> {
    let mut db = app.db.acquire().await?;
    let filter = &listing.filter;
    let wanted = Wanted {
        id: None,
        affiliate: filter.affiliate_id,
        campaign: filter.campaign_id,
        status: filter.status,
        from: filter.date_from.map(Day::start),
        before: filter.date_to.map(Day::end),
        seen_by: by.affiliate,
        after: listing.after,
    };
    let conversions = store::conversions::list(&mut db, &wanted, listing.reach()).await?;
    Ok(Json(listing.page(conversions, |conversion| conversion.id)))
}

/// Show one conversion with its history and who shares the credit.
#[utoipa::path(get, path = "/conversions/{id}", tag = "conversions", params(("id" = ConversionId, Path)),
    responses((status = 200, description = "The conversion.", body = ConversionDetail)),
    security(("key" = ["conversions:read"])))]
async fn one(
    app: State<App>,
    by: Caller,
    Id(id): Id<ConversionId>,
) -> Result<Json<ConversionDetail>, Failure> {
    let mut db = app.db.acquire().await?;
    let conversion = store::conversions::find(&mut db, id, by.affiliate).await?;
    let conversion = conversion.ok_or_else(|| Failure::not_found(id))?;
    let (metadata, customer) = match by.affiliate {
        None => (store::conversions::metadata(&mut db, id).await?, customer(&mut db, id).await?),
        Some(_) => (None, None),
    };
    Ok(Json(ConversionDetail {
        conversion,
        metadata: metadata.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        customer,
        history: store::conversions::history(&mut db, id, by.affiliate).await?,
        shares: store::conversions::shares(&mut db, id, by.affiliate).await?,
    }))
}

/// Confirm a conversion: its commissions become payable.
#[utoipa::path(post, path = "/conversions/{id}/approve", tag = "conversions", params(("id" = ConversionId, Path)),
    responses((status = 200, description = "The conversion as it is now.", body = Conversion)),
    security(("key" = ["conversions:write"])))]
async fn approve(
    app: State<App>,
    Id(id): Id<ConversionId>,
    once: Once<Nothing>,
) -> Result<Response, Failure> {
    let claim = Claim { status: ConversionStatus::Approved, reason: None };
    advance(&app, id, once, claim, None).await
}

/// Turn a conversion down: its commissions are taken back.
#[utoipa::path(post, path = "/conversions/{id}/reject", tag = "conversions", params(("id" = ConversionId, Path)),
    request_body(content = Option<Rejection>, description = "May be left out."),
    responses((status = 200, description = "The conversion as it is now.", body = Conversion)),
    security(("key" = ["conversions:write"])))]
async fn reject(
    app: State<App>,
    Id(id): Id<ConversionId>,
    once: Once<Option<Rejection>>,
) -> Result<Response, Failure> {
    let reason = once.body.as_ref().and_then(|rejection| rejection.reason);
    let claim = Claim { status: ConversionStatus::Rejected, reason };
    advance(&app, id, once, claim, None).await
}

/// Hold a conversion until somebody has looked at it.
#[utoipa::path(post, path = "/conversions/{id}/hold", tag = "conversions", params(("id" = ConversionId, Path)),
    responses((status = 200, description = "The conversion as it is now.", body = Conversion)),
    security(("key" = ["conversions:write"])))]
async fn hold(app: State<App>, Id(id): Id<ConversionId>, once: Once<Nothing>) -> Result<Response, Failure> {
    let claim = Claim { status: ConversionStatus::OnHold, reason: None };
    advance(&app, id, once, claim, None).await
}

/// Hold a conversion no more: it goes on waiting for its approval.
#[utoipa::path(post, path = "/conversions/{id}/release", tag = "conversions", params(("id" = ConversionId, Path)),
    responses((status = 200, description = "The conversion as it is now.", body = Conversion)),
    security(("key" = ["conversions:write"])))]
async fn release(
    app: State<App>,
    Id(id): Id<ConversionId>,
    once: Once<Nothing>,
) -> Result<Response, Failure> {
    let claim = Claim { status: ConversionStatus::Pending, reason: None };
    advance(&app, id, once, claim, None).await
}

/// Take back an approved conversion, in part or whole: so are its commissions, by new negative lines.
#[utoipa::path(post, path = "/conversions/{id}/reverse", tag = "conversions", params(("id" = ConversionId, Path)),
    request_body(content = Option<ReversalRequest>, description = "May be left out: then all that is left is taken back."),
    responses((status = 200, description = "The conversion as it is now.", body = Conversion)),
    security(("key" = ["conversions:write"])))]
async fn reverse(
    app: State<App>,
    Id(id): Id<ConversionId>,
    once: Once<Option<ReversalRequest>>,
) -> Result<Response, Failure> {
    let asked = once.body.as_ref();
    let (reason, amount) = asked.map_or((None, None), |asked| (asked.reason, asked.amount));
    let claim = Claim { status: ConversionStatus::Reversed, reason };
    advance(&app, id, once, claim, amount).await
}

async fn advance<T>(
    app: &App,
    id: ConversionId,
    once: Once<T>,
    claim: Claim,
    amount: Option<Money>,
) -> Result<Response, Failure> {
    let Once { by, mut effect, .. } = once;
    let mut conversion = lock(&mut effect, id).await?.ok_or_else(|| Failure::not_found(id))?;
    let actor = by.key.to_string();
    let act = Act::now(&actor, &app.clock, &app.chance);
    life::advance(&mut effect, act, &mut conversion, claim, amount).await?;
    let conversion =
        store::conversions::find(&mut effect, id, None).await?.ok_or_else(|| Failure::not_found(id))?;
    effect.answer(StatusCode::OK, &conversion).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_conversion_is_shown_with_all_its_moves() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/conversions/{}", api.sale(ana, &campaign, "A1").await);
        api.made(&format!("{path}/hold"), json!({})).await;
        api.made(&format!("{path}/approve"), json!({})).await;
        let half = json!({"amount": {"value": "50.00", "currency": "EUR"}, "reason": "refund"});
        api.made(&format!("{path}/reverse"), half).await;
        insta::assert_snapshot!(api.get(&path).await, @r#"
        200 {
          "advertiser_id": "adv_1",
          "affiliate_id": "aff_2",
          "amount": {
            "currency": "EUR",
            "value": "100.00"
          },
          "campaign_id": "cmp_3",
          "click_id": "clk_4",
          "country": null,
          "coupon": null,
          "customer": {},
          "customer_id": null,
          "event": "sale",
          "event_kind": "sale",
          "external_id": null,
          "history": [
            {
              "actor": "key_5",
              "at": "2026-02-01T12:00:00.005Z",
              "from": null,
              "note": "",
              "reason": null,
              "to": "received"
            },
            {
              "actor": "key_5",
              "at": "2026-02-01T12:00:00.005Z",
              "from": "received",
              "note": "",
              "reason": null,
              "to": "pending"
            },
            {
              "actor": "key_5",
              "at": "2026-02-01T12:00:00.006Z",
              "from": "pending",
              "note": "",
              "reason": null,
              "to": "on_hold"
            },
            {
              "actor": "key_5",
              "at": "2026-02-01T12:00:00.007Z",
              "from": "on_hold",
              "note": "",
              "reason": null,
              "to": "approved"
            },
            {
              "actor": "key_5",
              "at": "2026-02-01T12:00:00.008Z",
              "from": "approved",
              "note": "50.00 EUR reversed in all",
              "reason": "refund",
              "to": "reversed"
            }
          ],
          "id": "cnv_6",
          "link_id": "lnk_7",
          "metadata": {},
          "occurred_at": "2026-02-01T12:00:00.005Z",
          "order_id": "A1",
          "reason": "refund",
          "received_at": "2026-02-01T12:00:00.005Z",
          "reversed": {
            "currency": "EUR",
            "value": "50.00"
          },
          "shares": [
            {
              "affiliate_id": "aff_2",
              "click_id": "clk_4",
              "link_id": "lnk_7",
              "model": "last_click",
              "share": "100%",
              "touched_at": "2026-02-01T12:00:00.005Z"
            }
          ],
          "status": "reversed",
          "updated_at": "2026-02-01T12:00:00.008Z"
        }
        "#);
    }

    #[tokio::test]
    async fn only_legal_moves_are_made() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let path = format!("/api/v1/conversions/{}", api.sale(ana, &campaign, "A1").await);
        let check = async |verb: &str, body| {
            let answer = api.post(&format!("{path}/{verb}"), body).await;
            if answer.status.is_success() { answer.body["status"].to_string() } else { answer.problem() }
        };
        insta::assert_snapshot!(check("reverse", json!({})).await, @"409 illegal_move: this conversion is pending and cannot become reversed");
        insta::assert_snapshot!(check("approve", json!({})).await, @r#""approved""#);
        insta::assert_snapshot!(check("reject", json!({"reason": "fraud"})).await, @"409 illegal_move: this conversion is approved and cannot become rejected");
        insta::assert_snapshot!(check("reverse", json!({"amount": {"value": "100.01", "currency": "EUR"}})).await, @"422 unprocessable:  [/amount: only 100.00 EUR of the order is left to be reversed]");
        insta::assert_snapshot!(check("reverse", json!({"amount": {"value": "1.00", "currency": "USD"}})).await, @"422 unprocessable:  [/amount: must be more than nothing, in EUR]");
        insta::assert_snapshot!(check("reverse", json!({"reason": "mood"})).await, @"422 unprocessable:  [/reason: unknown variant `mood`, expected one of `refund`, `chargeback`, `duplicate`, `fraud`, `terms`, `tracking_error`, `test`, `other`]");
        insta::assert_snapshot!(check("reverse", json!({"reason": "chargeback"})).await, @r#""reversed""#);
        insta::assert_snapshot!(check("reverse", json!({})).await, @"409 illegal_move: this conversion is reversed as a whole and cannot become reversed");
    }

    #[tokio::test]
    async fn conversions_are_found_by_affiliate_campaign_status_and_day() {
        let api = Api::start().await;
        let (ana, bo, campaign) =
            (api.affiliate("Ana").await, api.affiliate("Bo").await, api.campaign().await);
        let first = api.sale(ana, &campaign, "A1").await;
        api.app.clock.advance(chrono::TimeDelta::days(1));
        let second = api.sale(bo, &campaign, "B1").await;
        api.made(&format!("/api/v1/conversions/{second}/approve"), json!({})).await;
        let found = async |query: &str| {
            let answer = api.get(&format!("/api/v1/conversions?{query}")).await;
            answer.column("id").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("").await, [&*second, &*first]);
        assert_eq!(found(&format!("affiliate_id={ana}")).await, [&*first]);
        assert_eq!(found(&format!("campaign_id={campaign}&status=approved")).await, [&*second]);
        assert_eq!(found("date_to=2026-02-01").await, [&*first]);
        assert_eq!(found("date_from=2026-02-02&date_to=2026-02-02").await, [&*second]);
        insta::assert_snapshot!(api.get("/api/v1/conversions?date_from=2026-02-30").await.problem(), @"400 malformed_query:  [/date_from: it must be a day from 1970-01-01 to 9999-12-31]");
    }
}
