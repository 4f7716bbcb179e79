//! What forms found out reaches rules, and clicks are scored by themselves.

use domain::{AffiliateId, ClickId, click::Asked, fraud::evidence::FetchDestination};
use serde_json::{Value, json};

use super::{BROWSER, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lead_that_failed_its_checks_and_was_never_on_the_site_is_told_so() {
    let world = World::new().await;
    world.catch_up().await;
    let checks = json!({"time_on_site": 0, "captcha_check": "failed", "email_check": "passed"});
    let report = |order: &str, click: ClickId| {
        let mut report = json!({"click_id": click, "amount": "10.00", "order_id": order});
        report.as_object_mut().unwrap().extend(checks.as_object().unwrap().clone());
        report
    };
    let click = world.click("192.0.2.0", BROWSER, 60).await;
    let made = world.api.made("/api/v1/conversions", report("A0", click)).await;
    let id = made["conversion_id"].as_str().unwrap();
    let sale = world.api.get(&format!("/api/v1/conversions/{id}")).await.body;
    let score = world.score_of(&sale).await;
    let evidence = &score["record"]["evidence"];
    assert_eq!(
        (&evidence["time_on_site_seconds"], &evidence["captcha_check"]),
        (&json!(0), &json!("failed"))
    );
    let codes: Vec<&str> =
        score["reasons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["validation_failed", "zero_engagement"]);
    let endless = json!({"click_id": click, "amount": "10.00", "order_id": "A9", "time_on_site": 2_592_001});
    let refused = world.api.post("/api/v1/conversions", endless).await.problem();
    insta::assert_snapshot!(refused, @"422 unprocessable:  [/time_on_site: must be seconds from 0 to 2592000, such as 75]");
    assert_eq!(score["is_reproduced"], true);
    world.catch_up().await;
    let click = world.click("192.0.2.0", BROWSER, 60).await;
    let asked = json!({"conversions": [{"report": report("A1", click)}]});
    let answer = world.api.post("/api/v1/score/conversions", asked).await;
    let detail = answer.body["scores"][0]["id"].as_str().unwrap().to_owned();
    let detail = world.api.get(&format!("/api/v1/scores/{detail}")).await.body;
    let evidence = &detail["record"]["evidence"];
    assert_eq!(evidence["affiliate_timed_conversions_7d"], 2);
    assert_eq!(evidence["affiliate_idle_conversion_share_7d"], 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_click_is_scored_by_itself_and_what_is_no_click_is_named() {
    let world = World::new().await;
    let honest = world.click("192.0.2.0", BROWSER, 5).await;
    let bot = world.click("198.51.100.0", "curl/8.5.0", 5).await;
    world.catch_up().await;
    let answer = world.api.post("/api/v1/score/clicks", json!({"clicks": [honest, bot]})).await;
    let codes = |place: usize| -> Vec<&str> {
        let reasons = answer.body["scores"][place]["reasons"].as_array().unwrap();
        reasons.iter().map(|one| one["code"].as_str().unwrap()).collect()
    };
    assert_eq!(codes(0), Vec::<&str>::new(), "{answer}");
    assert_eq!(codes(1), ["automated_agent", "anonymous_network"], "{answer}");
    let score = &answer.body["scores"][1];
    let said: f64 =
        score["reasons"].as_array().unwrap().iter().map(|one| one["log_odds"].as_f64().unwrap()).sum();
    let [base, log_odds] = ["base", "log_odds"].map(|name| score[name].as_f64().unwrap());
    assert!((base + said - log_odds).abs() < 1e-9);
    assert_eq!(world.api.get("/api/v1/scores").await.body["data"], json!([]), "nothing is kept");
    let problems = [
        world.api.post("/api/v1/score/clicks", json!({"clicks": []})).await.problem(),
        world
            .api
            .post("/api/v1/score/clicks", json!({"clicks": [honest, "clk_01JH0000000000000000000000"]}))
            .await
            .problem(),
    ];
    assert_eq!(
        problems,
        [
            "422 unprocessable:  [/clicks: there are 0; send 1 to 1000 at once]",
            "422 unprocessable:  [/clicks/1: no such click is stored]"
        ]
    );
}

/// The codes of a decision's reasons.
fn codes(score: &Value) -> Vec<&str> {
    score["reasons"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_link_that_a_page_loads_as_a_picture_is_no_visit() {
    let world = World::new().await;
    let asked = Asked { destination: Some(FetchDestination::Image), by_user: None, hints_match: Some(true) };
    let loaded = world.asked_click(("192.0.2.0", BROWSER), asked, 5).await;
    let asked = Asked { destination: Some(FetchDestination::Document), by_user: Some(true), ..asked };
    let followed = world.asked_click(("192.0.2.0", BROWSER), asked, 5).await;
    world.catch_up().await;
    let answer = world.api.post("/api/v1/score/clicks", json!({"clicks": [loaded, followed]})).await;
    assert_eq!(codes(&answer.body["scores"][0]), ["cookie_stuffing"], "{answer}");
    assert_eq!(codes(&answer.body["scores"][1]), Vec::<&str>::new(), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_pays_from_the_partners_account_is_the_partner_and_partners_paid_to_one_are_few() {
    let world = World::new().await;
    world.catch_up().await;
    let api = &world.api;
    let pay = async |id: AffiliateId, account: &str| {
        let path = format!("/api/v1/affiliates/{id}");
        let changed = api.patch(&path, json!({ "payout_account": account })).await;
        assert_eq!(changed.status, 200, "{changed}");
    };
    let order = async |order: &str, account: Option<&str>| {
        let click = world.click("192.0.2.0", BROWSER, 600).await;
        let sale =
            json!({"click_id": click, "amount": "100.00", "order_id": order, "payment_account": account});
        let made = api.made("/api/v1/conversions", sale).await;
        let path = format!("/api/v1/conversions/{}", made["conversion_id"].as_str().unwrap());
        world.score_of(&api.get(&path).await.body).await
    };
    pay(world.affiliate, "DE89 3704 0044 0532 0130 00").await;
    assert_eq!(codes(&order("A1", Some("DE02 1203 0000 0000 2020 51")).await), Vec::<&str>::new());
    let own = order("A2", Some("de89370400440532013000")).await;
    assert_eq!(codes(&own), ["self_referral"]);
    assert!(!own.to_string().contains("3704"), "{own}");
    let other = api.affiliate("Bo").await;
    pay(other, "DE89370400440532013000").await;
    let shared = order("A3", None).await;
    assert_eq!(codes(&shared), ["shared_payout_account"]);
    assert_eq!(shared["record"]["evidence"]["payout_account_affiliates"], 2);
    let below = json!({ "parent_id": world.affiliate });
    assert_eq!(api.put(&format!("/api/v1/affiliates/{other}/parent"), below).await.status, 200);
    let declared = order("A4", None).await;
    assert_eq!(codes(&declared), Vec::<&str>::new(), "it is a sub-account");
    assert_eq!(declared["record"]["evidence"]["declared_agency"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_search_for_the_name_counts_against_whoever_has_no_licence() {
    let world = World::new().await;
    let path = format!("/api/v1/affiliates/{}", world.affiliate);
    let licensed = async |change: Value| {
        assert_eq!(world.api.patch(&path, change).await.status, 200);
        let click = world.click("192.0.2.0", BROWSER, 600).await;
        let detail = world.score_of(&world.sale(click, &click.to_string()).await).await;
        detail["record"]["evidence"]["licensed_search"].clone()
    };
    assert_eq!(licensed(json!({})).await, json!(null));
    assert_eq!(licensed(json!({"traffic_source": "blog"})).await, false);
    assert_eq!(licensed(json!({"traffic_source": "Paid-Search"})).await, true);
    assert_eq!(licensed(json!({"search_licence": false})).await, false);
}
