//! A quote before the sale, and the sale after it.

use axum::http::{Method, Request};
use domain::Rate;
use serde_json::{Value, json};

use super::Program;

#[tokio::test]
async fn a_quote_says_what_a_sale_would_earn_and_why_and_the_ledger_agrees() {
    let program = Program::new().await;
    let Program { ref api, ana, ref campaign } = program;
    let quote = async |change: Value| {
        let mut asked = json!({"affiliate_id": ana, "campaign_id": campaign,
                               "amount": {"value": "100.00", "currency": "EUR"}});
        asked.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        api.post("/api/v1/commissions/quote", asked).await
    };
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    let before = quote(json!({})).await;
    assert_eq!(before.body["commission"]["value"], "5.00");
    assert_eq!((&before.body["base"], &before.body["reasons"]), (&json!("5%"), &json!([])));
    assert_eq!(before.body["next"]["rate"], "9.9%");
    program.later(14);
    insta::assert_snapshot!(quote(json!({})).await, @r#"
    200 {
      "affiliate_id": "aff_1",
      "at": "2026-02-15T12:00:00.007Z",
      "base": "5%",
      "campaign_id": "cmp_2",
      "campaign_status": "active",
      "commission": {
        "currency": "EUR",
        "value": "9.90"
      },
      "contract": {
        "actor": "key_3",
        "affiliate_id": "aff_1",
        "campaign_id": "cmp_2",
        "cap": "15%",
        "created_at": "2026-02-01T12:00:00.004Z",
        "exploring": "1%",
        "floor": "3%",
        "id": "rct_4",
        "note": "",
        "notice_days": 14,
        "period_days": 30,
        "step": "5%",
        "version": 1
      },
      "event": "sale",
      "next": null,
      "nothing_because": null,
      "now": {
        "decided_at": "2026-02-01T12:00:00.005Z",
        "final_after_days": null,
        "from": "2026-02-15T12:00:00.005Z",
        "is_own": true,
        "model_version": "ltv-7",
        "plan_id": "pln_5",
        "plan_version": 1,
        "policy_version": "third-1",
        "rate": "9.9%",
        "reasons": [
          {
            "ppm": 83333,
            "reason": "value",
            "words": "what customers are worth"
          },
          {
            "ppm": -33334,
            "reason": "uncertainty",
            "words": "how sure that is"
          },
          {
            "ppm": -999,
            "reason": "rounding",
            "words": "rounding"
          }
        ],
        "until": null,
        "why": "The rate goes from 5% to 9.9%: +8.3333 points for what customers are worth, −3.3334 points for how sure that is, −0.0999 points for rounding."
      },
      "reasons": [
        {
          "ppm": 83333,
          "reason": "value",
          "words": "what customers are worth"
        },
        {
          "ppm": -33334,
          "reason": "uncertainty",
          "words": "how sure that is"
        },
        {
          "ppm": -999,
          "reason": "rounding",
          "words": "rounding"
        }
      ],
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
            "value": "100.00"
          },
          "text": "The rate goes from 5% to 9.9%: +8.3333 points for what customers are worth, −3.3334 points for how sure that is, −0.0999 points for rounding. Policy third-1 decided it on 2026-02-01 with model ltv-7."
        },
        {
          "amount": {
            "currency": "EUR",
            "value": "9.90"
          },
          "text": "9.9% of 100.00 EUR is 9.90 EUR."
        },
        {
          "amount": {
            "currency": "EUR",
            "value": "9.90"
          },
          "text": "100% of the credit: It is quoted for the whole credit. The line is 9.90 EUR."
        }
      ]
    }
    "#);
    let sale = api.sale(ana, campaign, "A1").await;
    assert_eq!(program.lines(&sale).await, "9.90 accrued, waits for approval until nothing");
    // A second decision: reasons since people agreed on a rate are told together, and still sum.
    program.later(31);
    program.take_up(&program.decide("9.9%", "39", |_, _| {})).await;
    program.later(14);
    let after = quote(json!({})).await.body;
    let ppm = |rate: &Value| i64::from(rate.as_str().unwrap().parse::<Rate>().unwrap().ppm);
    let moved: i64 = after["reasons"].as_array().unwrap().iter().map(|it| it["ppm"].as_i64().unwrap()).sum();
    assert_eq!(after["base"], "5%");
    assert_ne!(after["now"]["rate"], "9.9%");
    assert_eq!(moved, ppm(&after["now"]["rate"]) - ppm(&after["base"]));
    let check = async |change| quote(change).await.problem();
    insta::assert_snapshot!(check(json!({"amount": {"value": "1.00", "currency": "USD"}})).await, @"422 unprocessable:  [/amount/currency: the campaign counts in EUR]");
    insta::assert_snapshot!(check(json!({"amount": {"value": "-1.00", "currency": "EUR"}})).await, @"422 unprocessable:  [/amount/value: a sale is worth nothing less than nothing]");
    insta::assert_snapshot!(check(json!({"event": "party"})).await, @"422 unprocessable:  [/event: the campaign pays for sale]");
    insta::assert_snapshot!(check(json!({"campaign_id": "cmp_01JH0000000000000000000000"})).await, @"422 unprocessable:  [/campaign_id: cmp_1 does not exist, or this key may not see it]");
    let bo = api.affiliate("Bo").await;
    let key = api.new_key(&["rates:read"], Some(bo)).await;
    let request = api.json(
        Method::POST,
        "/api/v1/commissions/quote",
        &json!({"affiliate_id": ana,
        "campaign_id": campaign, "amount": {"value": "1.00", "currency": "EUR"}}),
    );
    let (mut parts, body) = request.into_parts();
    parts.headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
    let theirs = api.send(Request::from_parts(parts, body)).await;
    insta::assert_snapshot!(theirs.problem(), @"422 unprocessable:  [/affiliate_id: aff_1 does not exist, or this key may not see it]");
    let new = json!({"name": "Cy", "email": "cy@partner.example"});
    let waiting = api.made("/api/v1/affiliates", new).await["id"].clone();
    let nothing = quote(json!({"affiliate_id": waiting})).await.body;
    assert_eq!(
        (&nothing["commission"]["value"], &nothing["nothing_because"]),
        (&json!("0.00"), &json!("the affiliate is not approved"))
    );
}
