//! What is held becomes a case, people decide about it, and money, history and labels say so.

mod appeals;
mod queue;

use domain::event::{Event, Kind, Verdict};
use features::lake::Lake;
use futures_util::future::join;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    api::{
        scores::tests::World,
        testing::{Answer, Api, readable},
    },
    jobs::{Choices, Workbench, cases::TakeUp, lake::Export, once},
};

/// A server's program that orders two seconds after its click.
async fn held(world: &World, order: &str) -> String {
    let click = world.click("198.51.100.0", "curl/8.5.0", 2).await;
    let sale = world.sale(click, order).await;
    assert_eq!(sale["status"], "on_hold");
    sale["id"].as_str().unwrap().to_owned()
}

/// A world that holds.
async fn live() -> World {
    let world = World::new().await;
    world.go_live(0).await;
    world
}

async fn only_case(api: &Api) -> Value {
    let listed = api.get("/api/v1/cases").await.body["data"].take();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    listed[0].clone()
}

async fn detail(api: &Api, case: &Value) -> Value {
    api.get(&format!("/api/v1/cases/{}", case["id"].as_str().unwrap())).await.body
}

async fn act(api: &Api, case: &Value, what: &str, body: Value) -> Answer {
    api.post(&format!("/api/v1/cases/{}/{what}", case["id"].as_str().unwrap()), body).await
}

/// What everybody of a conversion earns, line by line.
async fn lines(api: &Api, conversion: &str) -> String {
    let listed = api.get(&format!("/api/v1/commissions?conversion_id={conversion}")).await;
    let line = |line: &Value| {
        format!("{} {}", line["amount"]["value"].as_str().unwrap(), line["status"].as_str().unwrap())
    };
    let mut lines: Vec<String> = listed.body["data"].as_array().unwrap().iter().map(line).collect();
    lines.reverse();
    lines.join(", ")
}

async fn assert_balanced(api: &Api) {
    let trial = api.get("/api/v1/ledger/trial-balance").await;
    let is_zero = |one: &Value| one["difference"]["value"] == "0.00";
    assert!(trial.body["currencies"].as_array().unwrap().iter().all(is_zero), "{trial}");
}

async fn events(api: &Api, case: &Value) -> Vec<String> {
    let timeline = detail(api, case).await["timeline"].take();
    timeline.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_held_for_one_reason_is_one_case_that_says_why() {
    let world = live().await;
    let api = &world.api;
    let (first, second) = (held(&world, "A1").await, held(&world, "A2").await);
    let case = only_case(api).await;
    assert_eq!((case["conversions"].as_i64(), case["waiting"].as_i64()), (Some(2), Some(2)));
    assert_eq!(case["reason"], "quick_conversion");
    assert_eq!(case["stakes"], json!([{"value": "10.00", "currency": "EUR"}]));
    assert_eq!(events(api, &case).await, ["opened", "joined"]);
    let detail = detail(api, &case).await;
    let members = detail["members"].as_array().unwrap();
    let ids: Vec<&str> = members.iter().map(|member| member["conversion_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&first, &second]);
    insta::assert_snapshot!(members[0]["score"]["reasons"][0]["words"].as_str().unwrap(), @"The conversion came too soon after its click: 2, and the limit is 10.");
    assert_eq!(members[0]["evidence"]["click_to_conversion_seconds"], 2);
    // The conversion's own history names the decision.
    let history = api.get(&format!("/api/v1/conversions/{first}")).await.body["history"].take();
    let note = readable(history[2]["note"].as_str().unwrap());
    assert!(note.starts_with("scr_1 has a score of "), "{note}");
    assert_eq!(members[0]["score_id"].as_str(), history[2]["note"].as_str().unwrap().split(' ').next());
    // Who is held learns neither the score nor what people wrote.
    let own = api.new_key(&["conversions:read"], Some(world.affiliate)).await;
    let seen = api.get_as(&own, &format!("/api/v1/conversions/{first}")).await.body["history"].take();
    let said = |step: &Value| step["note"] == "" && step["actor"] == "";
    assert!(seen.as_array().unwrap().iter().all(said), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_approved_becomes_payable_once_and_is_a_label() {
    let world = live().await;
    let api = &world.api;
    let ids = [held(&world, "A1").await, held(&world, "A2").await];
    assert_eq!(lines(api, &ids[0]).await, "5.00 accrued");
    let case = only_case(api).await;
    let decision =
        json!({"revision": case["revision"], "outcome": "approve", "note": "A test of the shop's."});
    let decided = act(api, &case, "decide", decision.clone()).await;
    assert_eq!(
        (decided.status.as_u16(), decided.body["state"].as_str()),
        (200, Some("decided")),
        "{decided}"
    );
    for id in &ids {
        assert_eq!(lines(api, id).await, "5.00 payable");
        let history = api.get(&format!("/api/v1/conversions/{id}")).await.body["history"].take();
        let note = readable(history[3]["note"].as_str().unwrap());
        assert_eq!(note, "cas_1: A test of the shop's.");
    }
    assert_balanced(api).await;
    let again = act(api, &case, "decide", decision).await.problem();
    insta::assert_snapshot!(again, @"409 illegal_move: cas_1 is decided already");
    let labels = api.get("/api/v1/cases/labels").await;
    let told: Vec<String> = labels.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| {
            format!("{} {} {} {}", label["verdict"], label["reason"], label["weight"], label["actor"]["name"])
        })
        .collect();
    assert_eq!(told, vec![r#""honest" "quick_conversion" "100%" "test""#; 2]);
    assert_eq!(api.get("/api/v1/cases").await.column("id"), Vec::<&str>::new());
    assert_eq!(api.announced().await.iter().filter(|kind| *kind == "case.decided").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_rejected_is_taken_back_and_reaches_training_as_a_review() {
    let world = live().await;
    let api = &world.api;
    let id = held(&world, "A1").await;
    let case = only_case(api).await;
    let decide = async |body: Value| act(api, &case, "decide", body).await;
    let without = decide(json!({"revision": case["revision"], "outcome": "reject"})).await;
    insta::assert_snapshot!(without.problem(), @"422 unprocessable:  [/reason: a rejection has a reason, and nothing else has one]");
    let rejected =
        decide(json!({"revision": case["revision"], "outcome": "reject", "reason": "fraud"})).await;
    assert_eq!(rejected.status, 200, "{rejected}");
    assert_eq!(lines(api, &id).await, "5.00 accrued, -5.00 accrued");
    assert_balanced(api).await;
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::at(folder.path().join("lake"));
    let bench = api.workbench();
    let choices = Choices { lake: Some(lake.root().to_owned()), ..bench.choices };
    let bench = Workbench { choices, ..bench };
    for _ in 0..2_000 {
        once(&Export, &bench).await.unwrap();
        let reviews = lake.events(&[Kind::Review], i64::MIN..i64::MAX).unwrap();
        let reviews: Vec<Event> = reviews.map(|known| known.unwrap().event).collect();
        if let [Event::Review(review)] = &*reviews {
            assert_eq!((review.conversion.to_string(), review.verdict), (id, Verdict::Fraud));
            assert_eq!(review.affiliate, Some(world.affiliate));
            return;
        }
        sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a transaction has been open for twenty seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn above_the_limit_two_people_decide() {
    let world = live().await;
    let mut api = world.api.again(world.api.app.clone());
    let limit = json!({"four_eyes_above": {"EUR": {"value": "4.99", "currency": "EUR"}}});
    api.made("/api/v1/cases/settings", json!({"replaces": 0, "settings": limit})).await;
    let id = held(&world, "A1").await;
    let case = only_case(&api).await;
    let reject = |case: &Value| json!({"revision": case["revision"], "outcome": "reject", "reason": "fraud"});
    let proposed = act(&api, &case, "decide", reject(&case)).await;
    assert_eq!(
        (proposed.status.as_u16(), proposed.body["state"].as_str()),
        (202, Some("open")),
        "{proposed}"
    );
    assert_eq!(proposed.body["proposal"]["outcome"], "reject");
    assert_eq!(lines(&api, &id).await, "5.00 accrued", "nothing has moved");
    let seen = json!({"revision": proposed.body["revision"]});
    let own = act(&api, &case, "confirm", seen.clone()).await.problem();
    insta::assert_snapshot!(own, @"409 four_eyes: key_1 proposed it; somebody else has to confirm it");
    let twice = act(&api, &case, "decide", reject(&proposed.body)).await.problem();
    insta::assert_snapshot!(twice, @"409 illegal_move: a decision about cas_1 waits for a second person: confirm or refuse it");
    let refused = act(&api, &case, "refuse", seen.clone()).await.body;
    assert!(refused["proposal"].is_null() && refused["state"] == "open", "{refused}");
    let stale = act(&api, &case, "confirm", seen).await.problem();
    assert!(stale.starts_with("409 stale_case"), "{stale}");
    let proposed = act(&api, &case, "decide", reject(&refused)).await.body;
    api.key = api.new_key(&["cases:write", "fraud:read"], None).await;
    let confirmed = act(&api, &case, "confirm", json!({"revision": proposed["revision"]})).await;
    assert_eq!(confirmed.body["outcome"], "reject", "{confirmed}");
    assert_eq!(lines(&world.api, &id).await, "5.00 accrued, -5.00 accrued");
    let kinds = events(&api, &case).await;
    assert_eq!(kinds, ["opened", "proposed", "refused", "proposed", "decided"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_decide_at_once_one_is_told_to_look_again() {
    let world = live().await;
    let api = &world.api;
    let ids = [held(&world, "A1").await, held(&world, "A2").await];
    let case = only_case(api).await;
    let decide = |outcome: &str, reason: Value| {
        act(api, &case, "decide", json!({"revision": case["revision"], "outcome": outcome, "reason": reason}))
    };
    let (one, other) = join(decide("approve", Value::Null), decide("reject", json!("fraud"))).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one}\n{other}");
    let expected = if one.status == 200 { "5.00 payable" } else { "5.00 accrued, -5.00 accrued" };
    for id in &ids {
        assert_eq!(lines(api, id).await, expected);
    }
    assert_balanced(api).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_conversion_that_joins_is_looked_at_before_it_is_decided() {
    let world = live().await;
    let api = &world.api;
    held(&world, "A1").await;
    let seen = only_case(api).await;
    let second = held(&world, "A2").await;
    let decision = json!({"revision": seen["revision"], "outcome": "approve"});
    let stale = act(api, &seen, "decide", decision).await.problem();
    insta::assert_snapshot!(stale, @"409 stale_case: cas_1 is at revision 2 and not 1: read it again, and decide then");
    assert_eq!(lines(api, &second).await, "5.00 accrued");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_decided_elsewhere_leaves_its_case() {
    let world = live().await;
    let api = &world.api;
    let ids = [held(&world, "A1").await, held(&world, "A2").await];
    let case = only_case(api).await;
    api.made(&format!("/api/v1/conversions/{}/approve", ids[0]), json!({})).await;
    let open = only_case(api).await;
    assert_eq!((open["waiting"].as_i64(), open["state"].as_str()), (Some(1), Some("open")));
    assert!(open["value"].as_i64() < case["value"].as_i64());
    api.made(&format!("/api/v1/conversions/{}/release", ids[1]), json!({})).await;
    let over = detail(api, &case).await;
    assert_eq!((over["state"].as_str(), &over["outcome"]), (Some("decided"), &Value::Null));
    assert_eq!(events(api, &case).await, ["opened", "joined", "elsewhere", "elsewhere"]);
    let released = api.get(&format!("/api/v1/conversions/{}", ids[1])).await.body;
    assert_eq!(released["status"], "pending");
    // Held again, it is another case's, also when nobody scored it.
    api.made(&format!("/api/v1/conversions/{}/hold", ids[1]), json!({})).await;
    assert_eq!(once(&TakeUp, &api.workbench()).await.unwrap(), 1);
    let again = only_case(api).await;
    assert_ne!(again["id"], case["id"]);
    let decision = json!({"revision": again["revision"], "outcome": "release"});
    assert_eq!(act(api, &again, "decide", decision).await.body["outcome"], "release");
    assert_eq!(lines(api, &ids[1]).await, "5.00 accrued");
    assert!(api.get("/api/v1/cases/labels").await.column("id").is_empty(), "letting go is no verdict");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_whose_conversions_leave_at_once_is_over() {
    let world = live().await;
    let api = &world.api;
    let ids = [held(&world, "A1").await, held(&world, "A2").await];
    let case = only_case(api).await;
    let leave = |id: &str| {
        let path = format!("/api/v1/conversions/{id}/approve");
        async move { api.post(&path, json!({})).await.status.as_u16() }
    };
    assert_eq!(join(leave(&ids[0]), leave(&ids[1])).await, (200, 200));
    assert_eq!(detail(api, &case).await["state"], "decided");
    assert_eq!(events(api, &case).await, ["opened", "joined", "elsewhere", "elsewhere"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_said_and_done_is_never_edited() {
    let world = live().await;
    held(&world, "A1").await;
    let case = only_case(&world.api).await;
    act(&world.api, &case, "decide", json!({"revision": 1, "outcome": "approve"})).await;
    for statement in [
        "UPDATE case_events SET note = 'nothing happened'",
        "DELETE FROM case_events",
        "UPDATE case_labels SET verdict = 'fraud'",
        "TRUNCATE case_labels",
    ] {
        let error = sqlx::query(statement).execute(&world.api.app.db).await.unwrap_err().to_string();
        assert!(error.contains("is never edited"), "{statement}: {error}");
    }
}
