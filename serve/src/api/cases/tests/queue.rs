//! The queue is in order, its cases are worked on, and many are decided at once or none.

use domain::AffiliateId;
use serde_json::{Value, json};

use super::{TakeUp, act, detail, lines, once};
use crate::api::testing::Api;

/// A sale that a person holds, and its case.
async fn held_by_hand(api: &Api, affiliate: AffiliateId, campaign: &str, amount: &str) -> (String, Value) {
    let click = api.click(affiliate, campaign).await;
    let sale = json!({"click_id": click, "amount": amount, "order_id": format!("{affiliate} {amount}")});
    let sale = api.made("/api/v1/conversions", sale).await["conversion_id"].as_str().unwrap().to_owned();
    api.made(&format!("/api/v1/conversions/{sale}/hold"), json!({})).await;
    assert_eq!(once(&TakeUp, &api.workbench()).await.unwrap(), 1);
    let listed = api.get(&format!("/api/v1/cases?affiliate_id={affiliate}")).await.body["data"].take();
    (sale, listed[0].clone())
}

/// Three cases about 100, 900 and 300 euros of sales, in this order.
async fn three(api: &Api) -> Vec<(String, Value)> {
    let campaign = api.campaign().await;
    let mut made = Vec::new();
    for (name, amount) in [("Ana", "100.00"), ("Bo", "900.00"), ("Cy", "300.00")] {
        let affiliate = api.affiliate(name).await;
        made.push(held_by_hand(api, affiliate, &campaign, amount).await);
    }
    made
}

#[tokio::test]
async fn what_saves_most_comes_first_and_what_is_late_before_it() {
    let api = Api::start().await;
    let made = three(&api).await;
    let id = |place: usize| made[place].1["id"].as_str().unwrap();
    assert_eq!(made[1].1["value"], 2_250, "half of the 45.00 that hang on it");
    let mut read = Vec::new();
    let mut next = String::new();
    loop {
        let page = api.get(&format!("/api/v1/cases?limit=1{next}")).await;
        read.extend(page.column("id").into_iter().map(str::to_owned));
        let Some(cursor) = page.body["next"].as_str() else { break };
        next = format!("&after={cursor}");
    }
    assert_eq!(read, [id(1), id(2), id(0)]);
    // Three days are what they have; who comes later has thirty.
    let settings = json!({"replaces": 0, "settings": {"review_days": 30}});
    api.made("/api/v1/cases/settings", settings).await;
    api.app.clock.advance(chrono::TimeDelta::days(3) + chrono::TimeDelta::hours(1));
    let campaign = api.campaign().await;
    let fresh = held_by_hand(&api, api.affiliate("Di").await, &campaign, "90000.00").await.1;
    let listed = api.get("/api/v1/cases").await;
    let late: Vec<bool> = listed.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["is_late"].as_bool().unwrap())
        .collect();
    assert_eq!(late, [true, true, true, false]);
    assert_eq!(listed.column("id"), [id(1), id(2), id(0), fresh["id"].as_str().unwrap()]);
    let found = async |query: &str| api.get(&format!("/api/v1/cases?{query}")).await.column("id").len();
    assert_eq!((found("reason=by_hand").await, found("reason=listed").await), (4, 0));
    assert_eq!((found("state=waiting").await, found(&format!("campaign_id={campaign}")).await), (0, 1));
}

#[tokio::test]
async fn a_case_is_given_commented_and_its_partner_asked() {
    let api = Api::start().await;
    let case = three(&api).await.remove(0).1;
    let taken = act(&api, &case, "assign", json!({})).await.body;
    assert_eq!(
        (taken["state"].as_str(), taken["assignee"]["name"].as_str()),
        (Some("in_review"), Some("test"))
    );
    let mine = taken["assignee"]["id"].as_str().unwrap();
    assert_eq!(
        api.get(&format!("/api/v1/cases?assignee={mine}")).await.column("id"),
        [case["id"].as_str().unwrap()]
    );
    let unknown = act(&api, &case, "assign", json!({"to": "usr_1"})).await.problem();
    insta::assert_snapshot!(unknown, @r#"422 unprocessable:  [/to: nobody who looks at cases is known as "usr_1": give the id of a key with the scope fraud:read that is in use and no affiliate's own]"#);
    act(&api, &case, "comment", json!({"text": "The same blog as in May.\nSee there."})).await;
    let asked = act(&api, &case, "ask", json!({"text": "Which page was it?"})).await.body;
    assert_eq!(asked["state"], "waiting");
    let left = act(&api, &case, "assign", json!({"to": null})).await.body;
    assert_eq!((left["state"].as_str(), &left["assignee"]), (Some("waiting"), &Value::Null));
    let timeline = detail(&api, &case).await["timeline"].take();
    let told: Vec<String> = timeline
        .as_array()
        .unwrap()
        .iter()
        .map(|event| format!("{} {} {}", event["position"], event["kind"], event["note"]))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    0 "opened" ""
    1 "assigned" ""
    2 "commented" "The same blog as in May.\nSee there."
    3 "asked" "Which page was it?"
    4 "assigned" ""
    "#);
    let revoked = json!({"name": "gone", "scopes": ["fraud:read", "cases:write"]});
    let revoked = api.made("/api/v1/api-keys", revoked).await["id"].as_str().unwrap().to_owned();
    assert_eq!(act(&api, &case, "assign", json!({"to": revoked})).await.body["assignee"]["name"], "gone");
    let other = json!({"name": "other", "scopes": ["links:read"]});
    let other = api.made("/api/v1/api-keys", other).await["id"].as_str().unwrap().to_owned();
    assert_eq!(act(&api, &case, "assign", json!({"to": other})).await.status, 422);
    api.delete(&format!("/api/v1/api-keys/{revoked}")).await;
    let told = act(&api, &case, "assign", json!({"to": revoked})).await;
    assert!(told.status == 422 && told.problem().contains("in use"), "{}", told.problem());
}

#[tokio::test]
async fn a_batch_is_decided_as_a_whole_or_not_at_all() {
    let api = Api::start().await;
    let made = three(&api).await;
    let line = |place: usize, revision: i64, outcome: &str| json!({"case_id": made[place].1["id"], "revision": revision, "outcome": outcome});
    let batch =
        async |decisions: Value| api.post("/api/v1/cases/decide", json!({"decisions": decisions})).await;
    let refused = batch(json!([
        line(0, 1, "approve"),
        line(1, 7, "approve"),
        line(2, 1, "reject"),
        line(0, 1, "approve")
    ]))
    .await;
    insta::assert_snapshot!(refused.problem(), @"409 batch_refused: nothing has changed: mend what is refused, or leave it out [/decisions/1: cas_1 is at revision 1 and not 7: read it again, and decide then] [/decisions/2: a rejection has a reason, and nothing else has one] [/decisions/3: cas_2 is in the batch twice]");
    assert_eq!(lines(&api, &made[0].0).await, "5.00 accrued");
    let decided = batch(json!([line(0, 1, "approve"), line(1, 1, "release")])).await;
    assert_eq!(decided.status, 200, "{decided}");
    assert_eq!(lines(&api, &made[0].0).await, "5.00 payable");
    assert_eq!(lines(&api, &made[1].0).await, "45.00 accrued");
    let labels = api.get("/api/v1/cases/labels").await;
    assert_eq!(labels.body["data"][0]["weight"], "50%", "people look less at each of many");
    insta::assert_snapshot!(batch(json!([])).await.problem(), @"422 unprocessable:  [/decisions: there are 0; send 1 to 100 at once]");
}

#[tokio::test]
async fn what_is_held_again_while_its_case_is_open_becomes_another_case() {
    let api = Api::start().await;
    let (campaign, affiliate) = (api.campaign().await, api.affiliate("Ana").await);
    let (first, case) = held_by_hand(&api, affiliate, &campaign, "100.00").await;
    let (_, same) = held_by_hand(&api, affiliate, &campaign, "200.00").await;
    assert_eq!((&same["id"], same["waiting"].as_i64()), (&case["id"], Some(2)));
    api.made(&format!("/api/v1/conversions/{first}/release"), json!({})).await;
    api.made(&format!("/api/v1/conversions/{first}/hold"), json!({})).await;
    assert_eq!(once(&TakeUp, &api.workbench()).await.unwrap(), 1);
    let listed = api.get("/api/v1/cases").await;
    let waiting: Vec<i64> = listed.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["waiting"].as_i64().unwrap())
        .collect();
    assert_eq!(waiting, [1, 1], "{listed}");
}

#[tokio::test]
async fn another_amount_of_what_is_held_is_looked_at_before_it_is_decided() {
    let api = Api::start().await;
    let campaign = api.campaign().await;
    let path = format!("/api/v1/campaigns/{campaign}");
    let events = json!([{"name": "sale", "kind": "sale", "duplicates": "replace"}]);
    let patched = api.patch(&path, json!({"events": events})).await;
    assert_eq!(patched.status, 200, "{patched}");
    let affiliate = api.affiliate("Ana").await;
    let (_, case) = held_by_hand(&api, affiliate, &campaign, "100.00").await;
    let click = api.click(affiliate, &campaign).await;
    let order = format!("{affiliate} 100.00");
    let replaced = json!({"click_id": click, "event": "sale", "amount": "900.00", "order_id": order});
    api.made("/api/v1/conversions", replaced).await;
    let decision = json!({"revision": case["revision"], "outcome": "approve"});
    let stale = act(&api, &case, "decide", decision).await;
    assert!(stale.problem().starts_with("409 stale_case"), "{stale}");
    let now = detail(&api, &case).await;
    assert_eq!(now["stakes"], json!([{"value": "45.00", "currency": "EUR"}]), "{now}");
    assert_eq!(now["timeline"].as_array().unwrap().last().unwrap()["kind"], "changed", "{now}");
}
