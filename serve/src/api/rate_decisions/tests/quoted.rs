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
    let now = quote(json!({})).await.body;
    let rates = program.rates().await.body;
    assert_eq!((&now["now"], &now["contract"]), (&rates["now"], &rates["contract"]));
    assert_eq!((&now["base"], &now["reasons"]), (&json!("5%"), &rates["now"]["reasons"]));
    assert_eq!((&now["campaign_status"], &now["next"]), (&json!("active"), &Value::Null));
    assert_eq!((&now["commission"]["value"], &now["nothing_because"]), (&json!("9.90"), &Value::Null));
    let steps = now["steps"].as_array().unwrap();
    let steps: Vec<_> = steps.iter().map(|step| step["text"].as_str().unwrap()).collect();
    insta::assert_snapshot!(steps.join("\n"), @r#"
    The sale is worth 100.00 EUR.
    The rate goes from 5% to 9.9%: +8.3333 points for what customers are worth, −3.3334 points for how sure that is, −0.0999 points for rounding. Policy third-1 decided it on 2026-02-01 with model ltv-7.
    9.9% of 100.00 EUR is 9.90 EUR.
    100% of the credit: It is quoted for the whole credit. The line is 9.90 EUR.
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
