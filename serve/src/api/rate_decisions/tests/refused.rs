//! What is refused, with a pointer to each row and field, and why; all of a batch or nothing is taken up.

use chrono::TimeDelta;
use domain::commission::dynamic::RateMode;
use futures_util::future::join;
use serde_json::{Value, json};

use super::{DECISIONS, Program};
use crate::api::testing::Answer;

#[tokio::test]
async fn one_that_does_not_fit_keeps_all_out() {
    let program = Program::new().await;
    let bo = program.api.affiliate("Bo").await;
    let fine = program.decide("5%", "30", |_, _| {});
    let stale = program.decide("6%", "30", |policy, _| policy.version = "third-0".to_owned());
    let mut broken = fine.clone();
    (broken.next, broken.policy_version) = ("16%".parse().unwrap(), "third-2".to_owned());
    (broken.choices[0].rate, broken.parts[0].ppm) = (broken.next, broken.parts[0].ppm + 61_000);
    let mut hasty = fine.clone();
    (hasty.effective_at, hasty.policy_version) =
        (Some(program.now() + TimeDelta::days(3)), "third-3".to_owned());
    let row = |decision| program.row(program.ana, decision);
    let rows = [row(&stale), row(&broken), row(&hasty), program.row(bo, &fine), row(&fine), row(&fine)];
    insta::assert_snapshot!(program.send(&rows).await.problem(), @"422 rate_decisions_refused: 5 of 6 decisions do not fit, so none is taken up [/decisions/0/previous: it was decided for a rate of 6%, and the rate is 5%; decide again] [/decisions/1/next: a rate of 16% is above the contract's cap of 15%] [/decisions/2/effective_at: it would hold from 2026-02-04 12:00:00.007 UTC; notice and period of the contract admit 2026-02-15 12:00:00.007 UTC or up to a year later] [/decisions/3/affiliate_id: aff_1 has no contract about its rate in cmp_2; enter one under /campaigns/{id}/rate-contracts] [/decisions/5/decided_at: what this policy decided then is recorded already, or comes twice]");
    assert!(program.api.get(DECISIONS).await.column("id").is_empty());
    assert_eq!(program.announced("rate.changed").await, 0);
    assert_eq!(program.rates().await.body["announced"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_read_is_pointed_at() {
    let program = Program::new().await;
    let fine = program.row(program.ana, &program.decide("5%", "30", |_, _| {}));
    let shadow = program.row(
        program.ana,
        &program.decide("5%", "30", |policy, _| {
            (policy.mode, policy.version) = (RateMode::Shadow, "third-0".to_owned());
        }),
    );
    let check = async |change: &dyn Fn(&mut Value)| {
        let mut row = fine.clone();
        change(&mut row);
        program.send(&[shadow.clone(), row]).await.problem()
    };
    insta::assert_snapshot!(check(&|row| row["next"] = json!("ten")).await, @r#"422 unprocessable:  [/decisions/1: "ten" is not a percentage with at most four digits after the point, such as 12.5]"#);
    insta::assert_snapshot!(check(&|row| drop(row.as_object_mut().unwrap().remove("parts"))).await, @"422 unprocessable:  [/decisions/1/parts: missing field `parts`]");
    insta::assert_snapshot!(check(&|row| row["final_after_day"] = json!(30)).await, @"422 rate_decisions_refused: 1 of 2 decisions do not fit, so none is taken up [/decisions/1: a decision has no field final_after_day]");
    insta::assert_snapshot!(check(&|row| row["mode"] = json!("loud")).await, @"422 unprocessable:  [/decisions/1: unknown variant `loud`, expected `shadow` or `live`]");
    insta::assert_snapshot!(check(&|row| row["decided_at"] = json!("+262142-01-01T00:00:00Z")).await, @"422 rate_decisions_refused: 1 of 2 decisions do not fit, so none is taken up [/decisions/1/decided_at: it was decided at +262142-01-01 00:00:00 UTC, and now it is 2026-02-01 12:00:00.009 UTC; decisions are taken up after they were made]");
    insta::assert_snapshot!(check(&|row| row["decided_at"] = json!("-262142-01-01T00:00:00Z")).await, @"422 rate_decisions_refused: 1 of 2 decisions do not fit, so none is taken up [/decisions/1/decided_at: it was decided at -262142-01-01 00:00:00 UTC, and now it is 2026-02-01 12:00:00.010 UTC; decisions are taken up after they were made]");
    insta::assert_snapshot!(check(&|row| row["effective_at"] = json!("+262142-01-01T00:00:00Z")).await, @"422 rate_decisions_refused: 1 of 2 decisions do not fit, so none is taken up [/decisions/1/effective_at: it would hold from +262142-01-01 00:00:00 UTC; notice and period of the contract admit 2026-02-15 12:00:00.005 UTC or up to a year later]");
    insta::assert_snapshot!(program.send(&[]).await.problem(), @"422 unprocessable:  [/decisions: there are 0; send 1 to 1000 at once]");
    insta::assert_snapshot!(program.send(&vec![fine.clone(); 1_001]).await.problem(), @"422 unprocessable:  [/decisions: there are 1001; send 1 to 1000 at once]");
}

#[tokio::test]
async fn a_change_that_is_announced_is_not_changed_again() {
    let program = Program::new().await;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    program.later(1);
    let problem = |answer: Answer| answer.problem();
    let stale = program.row(program.ana, &program.decide("5%", "36", |_, _| {}));
    insta::assert_snapshot!(problem(program.send(&[stale]).await), @"422 rate_decisions_refused: 1 of 1 decisions do not fit, so none is taken up [/decisions/0/previous: it was decided for a rate of 5%, and the rate is 9.9%; decide again]");
    let hasty = program.row(program.ana, &program.decide("9.9%", "36", |_, _| {}));
    insta::assert_snapshot!(problem(program.send(&[hasty]).await), @"422 rate_decisions_refused: 1 of 1 decisions do not fit, so none is taken up [/decisions/0/next: a change is announced for 2026-02-15 12:00:00.005 UTC already; decide again after that]");
}

#[tokio::test]
async fn of_two_batches_at_the_same_time_one_is_too_late() {
    let program = Program::new().await;
    let (one, other) = (
        program.decide("5%", "30", |_, _| {}),
        program.decide("5%", "33", |policy, _| {
            policy.version = "third-2".to_owned();
        }),
    );
    let (one, other) = ([program.row(program.ana, &one)], [program.row(program.ana, &other)]);
    let (one, other) = join(program.send(&one), program.send(&other)).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422], "{one} {other}");
    assert_eq!(program.announced("rate.changed").await, 1);
    assert_eq!(program.rates().await.body["announced"].as_array().unwrap().len(), 1);
}

/// The rate stays when other events become dearer, so that it tells of no change.
#[tokio::test]
async fn a_decision_does_not_keep_out_what_the_campaign_has_announced() {
    let program = Program::new().await;
    let path = format!("/api/v1/campaigns/{}/plans", program.campaign);
    let terms = |rate: &str, other: &str| {
        json!([
            {"event": "sale", "terms": {"model": "percentage", "rate": rate}},
            {"terms": {"model": "flat", "amount": {"value": other, "currency": "EUR"}}},
        ])
    };
    let announce = async |rate: &str, other: &str, from: &str| {
        program.api.made(&path, json!({"rules": terms(rate, other), "effective_from": from})).await;
    };
    announce("5%", "2.00", "2026-02-02T00:00:00Z").await;
    announce("5%", "2.00", "2026-02-20T00:00:00Z").await;
    announce("5%", "5.00", "2026-03-01T00:00:00Z").await;
    program.later(2);
    let mut decision = program.decide("5%", "30", |_, _| {});
    let early = program.row(program.ana, &decision);
    insta::assert_snapshot!(program.send(&[early.clone(), early]).await.problem(), @"422 rate_decisions_refused: 2 of 2 decisions do not fit, so none is taken up [/decisions/0/effective_at: the campaign's plan changes more than the rate on 2026-03-01 00:00:00 UTC, which the affiliate's own plan would keep out; let the decision take effect then or later] [/decisions/1/decided_at: what this policy decided then is recorded already, or comes twice]");
    let shadow = program.decide("5%", "30", |policy, _| policy.mode = RateMode::Shadow);
    assert_eq!(program.take_up(&shadow).await["changes"], 0);
    decision.effective_at = Some("2026-03-01T00:00:00Z".parse().unwrap());
    program.take_up(&decision).await;
    let newest = program.api.get(&path).await.body["data"][0].clone();
    assert_eq!(
        (&newest["affiliate_id"], &newest["rules"][1]),
        (&json!(program.ana), &terms("5%", "5.00")[1])
    );
}

/// Terms that differ in nothing but how the rate is written are the same under a decision.
#[tokio::test]
async fn a_decision_goes_beside_campaign_terms_that_change_nothing() {
    let program = Program::new().await;
    let path = format!("/api/v1/campaigns/{}/plans", program.campaign);
    let same = json!([{"terms": {"model": "dynamic", "rate": "5%"}}]);
    program.api.made(&path, json!({"rules": same, "effective_from": "2026-03-01T00:00:00Z"})).await;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
}
