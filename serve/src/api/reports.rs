//! Conversions reported with an API key: the same intake as for signed postbacks, and the same rules.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    AdvertiserId, ClickId, Currency, SessionId,
    conversion::{ConversionStatus, ReversalReason},
    fraud::evidence::CheckResult,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use tracking::{
    customer,
    intake::{
        Act, Answer, Outcome, Postback, Report, accept_decided_or_not,
        fields::{Fields, Sent, tells_who_it_was},
    },
    problem::FieldError,
    store::touches,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    failure::{Failure, unprocessable},
    once::Once,
    text::{Country, CouponCode, Email, EventName, Label, ParamName, ParamValue},
};
use crate::{app::App, store};

/// At most this many other fields are kept.
const METADATA_LIMIT: usize = 40;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// A conversion that somebody reports.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConversion {
    /// Whose customer converted; the click's advertiser when absent.
    #[serde(skip_serializing)]
    advertiser_id: Option<AdvertiserId>,
    /// The click that the landing URL carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    click_id: Option<ClickId>,
    /// The visit, when the click is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    /// What happened, as the campaign's list has it; its first event when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventName>,
    /// What the order is worth, as a plain decimal; with the status `reversed`, how much is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = r"^[0-9]{1,14}(\.[0-9]{1,4})?$", example = "49.99")]
    amount: Option<String>,
    /// The campaign's currency when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
    /// The order: a second report of the same event for it is a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<Label>,
    /// Where the conversion stands; `pending` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ConversionStatus>,
    /// Why it is rejected or reversed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReversalReason>,
    /// The promo code; without a click it credits the affiliate whose code it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<CouponCode>,
    /// The transaction: without an order, a second report of it for the same click is a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<Label>,
    /// The advertiser's name for the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<Label>,
    /// Where the customer bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Country>,
    /// The customer's address: kept are a keyed hash, its network and, where `country` is absent, its country.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
    /// The customer's e-mail address: kept are a keyed hash of the mailbox and what is behind the @.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// SHA-256 of the normalised e-mail address, where it is not sent in clear; hashed again under a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    email_hash: Option<String>,
    /// What is behind the @, beside a hashed e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "mail.example")]
    email_domain: Option<Label>,
    /// The customer's device, by any id that is always the same: a keyed hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<ParamValue>,
    /// What the customer's browser says of itself: the kind of machine is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    /// The account that paid, such as an IBAN and never a card's number: a keyed hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_account: Option<Label>,
    /// SHA-256 of that account in lower case without spaces; hashed again under a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    payment_account_hash: Option<String>,
    /// Whole seconds that the customer was on the site before; absent where your page could not tell, which is not zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 2_592_000)]
    time_on_site: Option<u32>,
    /// What your check of the customer's e-mail address said.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_check: Option<CheckResult>,
    /// What the test for people in your form said.
    #[serde(skip_serializing_if = "Option::is_none")]
    captcha_check: Option<CheckResult>,
    /// When the customer converted, as RFC 3339; now when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-02-01T12:00:00Z")]
    ts: Option<String>,
    /// What else there is to keep as it is, and so nothing that says who the customer was.
    #[serde(default, skip_serializing)]
    #[schema(value_type = BTreeMap<String, ParamValue>)]
    metadata: BTreeMap<ParamName, ParamValue>,
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reported {
    /// `recorded`: a new conversion; `changed`: one that we had; `repeated`: nothing, it was reported before;
    /// `quarantined`: it waits for its click.
    #[schema(example = "recorded")]
    outcome: &'static str,
    #[serde(flatten)]
    answer: Answer,
}

impl NewConversion {
    /// The report in the intake's own terms, so that it is read by the intake's own rules.
    pub(super) fn postback(&self, app: &App) -> Result<Postback, Failure> {
        if METADATA_LIMIT < self.metadata.len() {
            return Err(Failure::unprocessable(
                "/metadata",
                format!("at most {METADATA_LIMIT} other fields are kept"),
            ));
        }
        if let Some(name) = self.metadata.keys().map(ToString::to_string).find(|name| tells_who_it_was(name))
        {
            let detail = "is kept as it is: say who the customer was in the report's own fields, of which hashes are kept";
            return Err(Failure::unprocessable(format!("/metadata/{name}"), detail));
        }
        if let Some(Err(why)) = self.time_on_site.map(|seconds| customer::time_on_site(&seconds.to_string()))
        {
            return Err(Failure::unprocessable("/time_on_site", why));
        }
        let Value::Object(given) = serde_json::to_value(self)? else {
            return Err(Failure::unprocessable("", ""));
        };
        let texts = given.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, Sent::Text(text))),
            Value::Number(number) => Some((name, Sent::Text(number.to_string()))),
            _ => None,
        });
        let fields = Fields::sort(texts.collect(), &BTreeMap::new()).map_err(misfit)?;
        let mut postback = Postback::read(fields, app.clock.now(), &app.customers).map_err(misfit)?;
        let metadata =
            self.metadata.iter().map(|(name, value)| (name.to_string(), Value::String(value.to_string())));
        postback.metadata = metadata.collect();
        Ok(postback)
    }

    /// Whose customer it was: as said, or as the click knows.
    async fn advertiser(&self, db: &mut PgConnection) -> Result<AdvertiserId, Failure> {
        if let Some(id) = self.advertiser_id {
            let known = store::advertisers::find(db, id).await?;
            return known
                .map(|_| id)
                .ok_or_else(|| Failure::unprocessable("/advertiser_id", "no such advertiser"));
        }
        let Some(click) = self.click_id else {
            return Err(Failure::unprocessable("/advertiser_id", "it is needed when no click is named"));
        };
        let click = touches::click(db, click).await?;
        let unknown =
            || Failure::unprocessable("/advertiser_id", "it is needed as long as the click is not known");
        click.map(|click| click.advertiser).ok_or_else(unknown)
    }
}

fn misfit(errors: Vec<FieldError>) -> Failure {
    errors
        .into_iter()
        .fold(unprocessable(), |problem, error| problem.error(error.pointer, error.detail))
        .into()
}

/// Report a conversion, or what became of one.
#[utoipa::path(post, path = "/conversions", tag = "conversions", request_body = NewConversion,
    responses(
        (status = 200, description = "We had it: it has moved, has another amount, or nothing changed.", body = Reported),
        (status = 201, description = "A new conversion.", body = Reported),
        (status = 202, description = "Its click is not known yet: it waits for it.", body = Reported),
    ),
    security(("key" = ["conversions:write"])))]
async fn create(app: State<App>, once: Once<NewConversion>) -> Result<Response, Failure> {
    let Once { by, body: new, mut effect } = once;
    let postback = new.postback(&app)?;
    let advertiser = new.advertiser(&mut effect).await?;
    let report = Report { advertiser, postback, received_at: app.clock.now() };
    let actor = by.key.to_string();
    let act = Act::now(&actor, &app.clock, &app.chance).report_before(Some(&*app.scorer));
    let accepted = accept_decided_or_not(&mut effect, act, &report).await?;
    let (status, outcome) = match accepted.outcome {
        Outcome::Recorded => (StatusCode::CREATED, "recorded"),
        Outcome::Changed => (StatusCode::OK, "changed"),
        Outcome::Repeated => (StatusCode::OK, "repeated"),
        Outcome::Quarantined => (StatusCode::ACCEPTED, "quarantined"),
    };
    effect.answer(status, &Reported { outcome, answer: accepted.answer }).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::testing::Api;

    #[tokio::test]
    async fn a_conversion_needs_only_its_click_and_its_amount() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let click = api.click(ana, &campaign).await;
        let sale = json!({"click_id": click, "amount": "49.99", "currency": "EUR", "order_id": "A1"});
        insta::assert_snapshot!(api.post("/api/v1/conversions", sale.clone()).await, @r#"
        201 {
          "amount": {
            "currency": "EUR",
            "value": "49.99"
          },
          "conversion_id": "cnv_1",
          "event": "sale",
          "outcome": "recorded",
          "status": "pending"
        }
        "#);
        insta::assert_snapshot!(api.post("/api/v1/conversions", sale).await, @r#"
        200 {
          "amount": {
            "currency": "EUR",
            "value": "49.99"
          },
          "conversion_id": "cnv_1",
          "event": "sale",
          "outcome": "repeated",
          "status": "pending"
        }
        "#);
        let approved = json!({"click_id": click, "order_id": "A1", "status": "approved"});
        insta::assert_snapshot!(api.post("/api/v1/conversions", approved).await, @r#"
        200 {
          "amount": {
            "currency": "EUR",
            "value": "49.99"
          },
          "conversion_id": "cnv_1",
          "event": "sale",
          "outcome": "changed",
          "status": "approved"
        }
        "#);
        let announced = api.announced().await;
        assert!(announced.ends_with(&["conversion.approved".to_owned()]), "{announced:?}");
    }

    #[tokio::test]
    async fn a_conversion_without_its_click_waits() {
        let api = Api::start().await;
        api.campaign().await;
        let shop = api.get("/api/v1/advertisers").await.column("id")[0].to_owned();
        let unknown =
            json!({"click_id": "clk_01JH0000000000000000000000", "amount": "1", "advertiser_id": shop});
        insta::assert_snapshot!(api.post("/api/v1/conversions", unknown).await, @r#"
        202 {
          "outcome": "quarantined",
          "status": "quarantined"
        }
        "#);
    }

    #[tokio::test]
    async fn whom_a_report_names_is_shown_hidden_to_the_operator_alone() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let sale = json!({"click_id": api.click(ana, &campaign).await, "amount": "49.99", "ip": "2001:db8::7",
            "email": "A.b+tag@gmail.com", "device_id": "one", "user_agent": "curl/8.5.0", "payment_account": "DE 1"});
        let made = api.made("/api/v1/conversions", sale).await;
        let path = format!("/api/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
        insta::assert_json_snapshot!(api.get(&path).await.body["customer"], @r#"
        {
          "account_hash": "6a08e0c13ba4364ad833b507c85928da",
          "address_hash": "707fc19fa152b307d7f1793cef304b1f",
          "device": "unknown",
          "device_hash": "f88b6d8a6f5a29c10f178caac7ebad4e",
          "email_domain": "gmail.com",
          "email_hash": "eef87315d02ddad1a791758ecb3abbdb",
          "network": "2001:db8::"
        }
        "#);
        let hers = api.new_key(&["conversions:read"], Some(ana)).await;
        let seen = api.get_as(&hers, &path).await;
        assert!(seen.status.is_success() && seen.body.get("customer").is_none(), "{seen}");
    }

    #[tokio::test]
    async fn what_the_intake_refuses_is_pointed_at() {
        let api = Api::start().await;
        let (ana, campaign) = (api.affiliate("Ana").await, api.campaign().await);
        let click = api.click(ana, &campaign).await;
        let check = async |body| api.post("/api/v1/conversions", body).await.problem();
        insta::assert_snapshot!(check(json!({})).await, @"422 unprocessable:  [/advertiser_id: it is needed when no click is named]");
        insta::assert_snapshot!(check(json!({"click_id": "clk_01JH0000000000000000000000"})).await, @"422 unprocessable:  [/advertiser_id: it is needed as long as the click is not known]");
        insta::assert_snapshot!(check(json!({"click_id": click, "amount": "49,99"})).await, @r#"422 unprocessable:  [/amount: "49,99" is not a decimal amount such as 49.99]"#);
        insta::assert_snapshot!(check(json!({"click_id": click, "amount": "1.005"})).await, @r#"422 unprocessable:  [/amount: "1.005" has more than 2 digits after the point, which is all that EUR has]"#);
        insta::assert_snapshot!(check(json!({"click_id": click, "event": "lead"})).await, @"422 unprocessable:  [/event: is not one of the campaign's: sale]");
        insta::assert_snapshot!(check(json!({"click_id": click, "ts": "2026-02-01T13:00:00Z", "status": "received"})).await, @"422 unprocessable:  [/status: a conversion that is reported has been received already] [/ts: must not be in the future]");
        insta::assert_snapshot!(check(json!({"click_id": click, "amount": "99999999999999999999"})).await, @"422 unprocessable:  [/amount: the amount is too large to be counted exactly]");
        insta::assert_snapshot!(check(json!({"click_id": click, "ip": "here", "email": "ana@home", "device_id": "{id}", "email_hash": "x"})).await, @"422 unprocessable:  [/ip: must be the customer's IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7] [/email: must be an e-mail address such as ana@mail.example] [/email_hash: must be the SHA-256 of the normalised e-mail address, as 64 hexadecimal digits] [/device_id: is a placeholder that was not filled in]");
        insta::assert_snapshot!(check(json!({"click_id": click, "metadata": {"E-Mail": "x", "Email": "ana@mail.example"}})).await, @"422 unprocessable:  [/metadata/Email: is kept as it is: say who the customer was in the report's own fields, of which hashes are kept]");
        insta::assert_snapshot!(check(json!({"coupon": "NONE", "advertiser_id": "adv_01JH0000000000000000000000"})).await, @"422 unprocessable:  [/advertiser_id: no such advertiser]");
    }
}
