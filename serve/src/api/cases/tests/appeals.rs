//! Partners hear a true sentence after a while, answer once, and somebody decides about it by the deadline.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{act, assert_balanced, held, lines, live, only_case};
use crate::{
    api::{scores::tests::World, testing::Answer},
    jobs::{cases::TakeUp, once},
    store,
};

async fn answer(world: &World, key: &str, conversion: &str) -> Answer {
    let mut api = world.api.again(world.api.app.clone());
    key.clone_into(&mut api.key);
    let said = json!({"evidence": "It is our newsletter of May:\nthree readers ordered.", "links": ["https://ana.example/may"]});
    api.post(&format!("/api/v1/conversions/{conversion}/appeal"), said).await
}

/// A day and the midnight after it have passed.
fn let_it_be_told(world: &World) {
    world.api.app.clock.advance(TimeDelta::days(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partner_hears_of_a_hold_after_a_while_and_answers_once() {
    let world = live().await;
    let id = held(&world, "A1").await;
    let own = world.api.new_key(&["appeals:read", "appeals:write"], Some(world.affiliate)).await;
    let bo = world.api.affiliate("Bo").await;
    let foreign = world.api.new_key(&["appeals:read", "appeals:write"], Some(bo)).await;
    let path = format!("/api/v1/conversions/{id}/appeal");
    let early = world.api.get_as(&own, &path).await.problem();
    insta::assert_snapshot!(early, @"404 not_found: cnv_1 has no hold or rejection to be answered, or this key may not see it");
    assert_eq!(answer(&world, &own, &id).await.problem(), early, "nor can it be answered");
    let_it_be_told(&world);
    // What is foreign looks like what is unknown and like what is not told yet.
    assert_eq!(world.api.get_as(&foreign, &path).await.problem(), early);
    assert_eq!(answer(&world, &foreign, &id).await.problem(), early);
    let nobody = "cnv_01JH0000000000000000000000";
    assert_eq!(answer(&world, &own, nobody).await.problem(), early);
    assert!(world.api.get_as(&foreign, "/api/v1/appeals").await.column("conversion_id").is_empty());
    let told = world.api.get_as(&own, &path).await;
    insta::assert_snapshot!(told, @r#"
    200 {
      "affiliate_id": "aff_1",
      "answer_until": null,
      "appeal": null,
      "campaign_id": "cmp_2",
      "conversion_id": "cnv_3",
      "order_id": "A1",
      "question": null,
      "reason": "The clicks or conversions form a pattern that visitors do not usually make.",
      "status": "on_hold"
    }
    "#);
    let answered = answer(&world, &own, &id).await;
    assert_eq!(answered.status, 201, "{answered}");
    let appeal = &answered.body["appeal"];
    assert_eq!(appeal["made_at"].as_str().map(|at| &at[..10]), Some("2026-02-03"));
    assert_eq!(appeal["due_at"].as_str().map(|at| &at[..10]), Some("2026-02-10"));
    let twice = answer(&world, &own, &id).await.problem();
    insta::assert_snapshot!(twice, @"409 already_answered: cnv_1 was answered before, and is answered once");
    let operator = world.api.post(&path, json!({"evidence": "x"})).await.problem();
    insta::assert_snapshot!(operator, @"403 forbidden: a partner answers with a key of its own");
    let case = only_case(&world.api).await;
    let decision = json!({"revision": case["revision"], "outcome": "approve"});
    act(&world.api, &case, "decide", decision).await;
    let told = world.api.get_as(&own, &path).await.body;
    assert_eq!(
        (told["status"].as_str(), told["appeal"]["outcome"].as_str()),
        (Some("approved"), Some("granted"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rejection_that_was_wrong_is_taken_back_and_paid() {
    let world = live().await;
    let ids = [held(&world, "A1").await, held(&world, "A2").await];
    let case = only_case(&world.api).await;
    let reject = |case: &Value| json!({"revision": case["revision"], "outcome": "reject", "reason": "fraud"});
    act(&world.api, &case, "decide", reject(&case)).await;
    let_it_be_told(&world);
    let own = world.api.new_key(&["appeals:read", "appeals:write"], Some(world.affiliate)).await;
    assert_eq!(world.api.get_as(&own, "/api/v1/appeals").await.column("status"), ["rejected", "rejected"]);
    answer(&world, &own, &ids[0]).await;
    let again = only_case(&world.api).await;
    assert_eq!(
        (&again["id"], again["state"].as_str(), again["waiting"].as_i64()),
        (&case["id"], Some("open"), Some(1))
    );
    assert_eq!(again["stakes"], json!([{"value": "5.00", "currency": "EUR"}]), "what would be paid");
    // Nobody looks, and its deadline passes.
    world.api.app.clock.advance(TimeDelta::days(8));
    assert_eq!(only_case(&world.api).await["is_late"], true);
    once(&TakeUp, &world.api.workbench()).await.unwrap();
    let (now, mut db) = (world.api.app.clock.now(), world.api.app.db.acquire().await.unwrap());
    let numbers = store::case_numbers::count(&mut db, now).await.unwrap();
    assert_eq!((numbers.appeals_overdue, numbers.open), (1, 1), "{numbers:?}");
    drop(db);
    let granted =
        act(&world.api, &again, "decide", json!({"revision": again["revision"], "outcome": "approve"})).await;
    assert_eq!(granted.status, 200, "{granted}");
    assert_eq!(lines(&world.api, &ids[0]).await, "5.00 payable, -5.00 payable, 5.00 payable");
    assert_eq!(lines(&world.api, &ids[1]).await, "5.00 accrued, -5.00 accrued", "nobody answered about it");
    assert_balanced(&world.api).await;
    let labels = world.api.get(&format!("/api/v1/cases/labels?conversion_id={}", ids[0])).await;
    assert_eq!(labels.column("verdict"), ["honest", "fraud"], "the newest counts");
    let told = world.api.get_as(&own, &format!("/api/v1/conversions/{}/appeal", ids[0])).await.body;
    assert_eq!(
        (told["status"].as_str(), told["appeal"]["outcome"].as_str()),
        (Some("approved"), Some("granted"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_does_not_convince_leaves_the_rejection_as_it_is() {
    let world = live().await;
    let id = held(&world, "A1").await;
    let case = only_case(&world.api).await;
    let own = world.api.new_key(&["appeals:read", "appeals:write"], Some(world.affiliate)).await;
    // Who is asked hears of the hold at once.
    act(&world.api, &case, "ask", json!({"text": "Where did the visitor come from?"})).await;
    let told = world.api.get_as(&own, &format!("/api/v1/conversions/{id}/appeal")).await.body;
    assert_eq!(told["question"], "Where did the visitor come from?");
    answer(&world, &own, &id).await;
    let answered = only_case(&world.api).await;
    assert_eq!(answered["state"], "open", "it waits for the partner no more");
    let reject = json!({"revision": answered["revision"], "outcome": "reject", "reason": "fraud"});
    act(&world.api, &answered, "decide", reject).await;
    let told = world.api.get_as(&own, &format!("/api/v1/conversions/{id}/appeal")).await.body;
    assert_eq!(
        (told["status"].as_str(), told["appeal"]["outcome"].as_str()),
        (Some("rejected"), Some("declined"))
    );
    assert_eq!(lines(&world.api, &id).await, "5.00 accrued, -5.00 accrued");
    assert_eq!(answer(&world, &own, &id).await.problem().split(':').next(), Some("409 already_answered"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_partner_answers_twenty_times_a_day_at_most_and_only_for_a_month() {
    let world = live().await;
    let mut ids = Vec::new();
    for order in 0..22 {
        ids.push(held(&world, &format!("A{order}")).await);
    }
    let_it_be_told(&world);
    let own = world.api.new_key(&["appeals:write"], Some(world.affiliate)).await;
    for id in &ids[..20] {
        assert_eq!(answer(&world, &own, id).await.status, 201);
    }
    let refused = answer(&world, &own, &ids[20]).await;
    insta::assert_snapshot!(refused.problem(), @"429 too_many_requests: 20 answers are taken in a day: try again later");
    assert_eq!(refused.header("retry-after"), "3600");
    world.api.app.clock.advance(TimeDelta::days(1));
    assert_eq!(answer(&world, &own, &ids[20]).await.status, 201);
    let case = only_case(&world.api).await;
    let reject = json!({"revision": case["revision"], "outcome": "reject", "reason": "terms"});
    act(&world.api, &case, "decide", reject).await;
    world.api.app.clock.advance(TimeDelta::days(30));
    let late = answer(&world, &own, &ids[21]).await.problem();
    insta::assert_snapshot!(late, @"409 illegal_move: cnv_1 can be answered no more");
    assert!(world.api.get("/api/v1/cases/labels").await.column("id").is_empty(), "terms are not fraud");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rejection_that_is_released_is_not_learned_as_fraud() {
    let world = live().await;
    let id = held(&world, "A1").await;
    let case = only_case(&world.api).await;
    let reject = json!({"revision": case["revision"], "outcome": "reject", "reason": "fraud"});
    act(&world.api, &case, "decide", reject).await;
    let_it_be_told(&world);
    let own = world.api.new_key(&["appeals:read", "appeals:write"], Some(world.affiliate)).await;
    answer(&world, &own, &id).await;
    let again = only_case(&world.api).await;
    let release = json!({"revision": again["revision"], "outcome": "release"});
    let released = act(&world.api, &again, "decide", release).await;
    assert_eq!(released.status, 200, "{released}");
    let labels = world.api.get(&format!("/api/v1/cases/labels?conversion_id={id}")).await;
    assert_eq!(labels.column("verdict"), ["honest", "fraud"], "the newest counts");
    let conversion = world.api.get(&format!("/api/v1/conversions/{id}")).await.body;
    assert_eq!(conversion["status"], "pending", "the advertiser approves it, or not");
}
