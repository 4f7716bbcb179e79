//! What a shadow decided is approved: once, by the newest decision, and with notice from then on.

use domain::AffiliateId;
use futures_util::future::join;
use serde_json::{Value, json};

use super::{DECISIONS, Program};
use crate::api::testing::Answer;

async fn approve(program: &Program, ids: &[&str]) -> Answer {
    program.api.post(&format!("{DECISIONS}/approve"), json!({"ids": ids})).await
}

async fn refused(program: &Program, ids: &[&str]) -> String {
    approve(program, ids).await.problem()
}

/// From when on which rate is announced to somebody, to the minute.
async fn announced(program: &Program, affiliate: AffiliateId) -> String {
    let told = program.rates_of(affiliate).await.body["announced"].clone();
    let change = |change: &Value| {
        let text = |field: &str| change[field].as_str().unwrap().to_owned();
        format!("{} from {}", text("rate"), &text("from")[..16])
    };
    told.as_array().unwrap().iter().map(change).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn an_approved_decision_is_live_and_keeps_its_notice_from_then_on() {
    let program = Program::new().await;
    let shadow = program.in_shadow(program.ana, ("5%", "30")).await;
    program.later(10);
    let answer = approve(&program, &[&shadow]).await;
    assert_eq!(answer.status, 201, "{answer}");
    let approved = &answer.body["approved"][0];
    assert_eq!(approved["shadow_id"], json!(shadow));
    assert!(approved["effective_at"].as_str().unwrap().starts_with("2026-02-25T12:00"), "{answer}");
    assert_eq!(announced(&program, program.ana).await, "9.9% from 2026-02-25T12:00");
    assert_eq!(program.announced("rate.changed").await, 1);
    let live = program.api.get(&format!("{DECISIONS}?mode=live")).await;
    let live = &live.body["data"][0];
    assert_eq!(live["id"], approved["decision_id"]);
    assert!(live["plan_id"].is_string() && live["actor"].as_str().unwrap().starts_with("key_"), "{live}");
    let kept = program.api.get(&format!("{DECISIONS}?mode=shadow")).await;
    let kept = &kept.body["data"][0];
    for field in ["previous", "next", "parts", "flags", "choices", "policy_version", "model_version"] {
        assert_eq!(live["decision"][field], kept["decision"][field], "{field}");
    }
    assert!(kept["plan_id"].is_null() && kept["id"] == json!(shadow), "{kept}");
    insta::assert_snapshot!(refused(&program, &[&shadow]).await, @"422 rate_decisions_refused: 1 of 1 decisions do not fit, so none is taken up [/ids/0: it was approved already]");
    assert_eq!(program.announced("rate.changed").await, 1);
    program.later(13);
    let before = program.api.sale(program.ana, &program.campaign, "A1").await;
    program.later(1);
    let after = program.api.sale(program.ana, &program.campaign, "A2").await;
    assert!(program.lines(&before).await.starts_with("5.00 "));
    assert!(program.lines(&after).await.starts_with("9.90 "));
    program.assert_balanced().await;
}

#[tokio::test]
async fn one_that_cannot_be_approved_keeps_all_out() {
    let program = Program::new().await;
    let bo = program.api.affiliate("Bo").await;
    program.agree(bo).await;
    let fine = program.in_shadow(program.ana, ("5%", "30")).await;
    let stale = program.in_shadow(bo, ("5%", "30")).await;
    program.pay(bo, "6%").await;
    insta::assert_snapshot!(refused(&program, &[&fine, &stale]).await, @"422 rate_decisions_refused: 1 of 2 decisions do not fit, so none is taken up [/ids/1: it was decided for a rate of 5%, and the rate is 6%; decide again]");
    assert_eq!(program.announced("rate.changed").await, 0);
    assert!(program.api.get(&format!("{DECISIONS}?mode=live")).await.column("id").is_empty());
    assert_eq!(approve(&program, &[&fine]).await.status, 201);
}

#[tokio::test]
async fn only_the_newest_decision_of_a_shadow_that_changes_something_is_approved() {
    let program = Program::new().await;
    let [bo, cy] = [program.api.affiliate("Bo").await, program.api.affiliate("Cy").await];
    program.agree(bo).await;
    program.agree(cy).await;
    let old = program.in_shadow(program.ana, ("5%", "30")).await;
    program.later(1);
    let new = program.in_shadow(program.ana, ("5%", "33")).await;
    let still = program.in_shadow(bo, ("5%", "15")).await;
    let row = program.row(cy, &program.decide("5%", "30", |_, _| {}));
    let live = program.send(&[row]).await.body["ids"][0].as_str().unwrap().to_owned();
    let unknown = "rdc_01JH0000000000000000000000";
    let ids = [old.as_str(), &still, &live, unknown, &new, &new];
    insta::assert_snapshot!(refused(&program, &ids).await, @"422 rate_decisions_refused: 5 of 6 decisions do not fit, so none is taken up [/ids/0: it was decided anew since; look at the newer decision] [/ids/1: it changes nothing, so that there is nothing to approve] [/ids/2: it is live already; only what was decided in the shadow is approved] [/ids/3: rdc_1 does not exist] [/ids/5: it is in the list twice]");
    insta::assert_snapshot!(refused(&program, &[]).await, @"422 unprocessable:  [/ids: there are 0; send 1 to 1000 at once]");
    insta::assert_snapshot!(refused(&program, &[unknown; 1_001]).await, @"422 unprocessable:  [/ids: there are 1001; send 1 to 1000 at once]");
    assert_eq!(approve(&program, &[&new]).await.status, 201);
    assert_eq!(announced(&program, program.ana).await, "10% from 2026-02-16T12:00");
}

#[tokio::test]
async fn of_two_who_approve_the_same_one_is_too_late() {
    let program = Program::new().await;
    let shadow = program.in_shadow(program.ana, ("5%", "30")).await;
    let ids = [shadow.as_str()];
    let (one, other) = join(approve(&program, &ids), approve(&program, &ids)).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422], "{one} {other}");
    assert_eq!(program.announced("rate.changed").await, 1);
}
