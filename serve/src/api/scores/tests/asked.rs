//! What forms found out reaches rules, and clicks are scored by themselves.

use domain::ClickId;
use serde_json::json;

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
