//! Rates on a real Postgres: what is paid before and after a decision, who is told what, and who sees it.

mod approved;
mod final_later;
mod program;
mod quoted;
mod refused;

use chrono::TimeDelta;
use domain::{
    AffiliateId, CampaignId, Chance, PlanId,
    commission::{
        Timeline,
        dynamic::{RateDecision, RateMode},
    },
};
use serde_json::{Value, json};

use self::program::DECISIONS;
pub use self::program::Program;
use crate::{
    api::testing::readable,
    store::{self, campaigns::Plan},
};

#[tokio::test]
async fn each_conversion_is_paid_the_rate_of_its_own_time() {
    let program = Program::new().await;
    let Program { ref api, ana, ref campaign } = program;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    program.later(13);
    let before = api.sale(ana, campaign, "A1").await;
    let click = api.click(ana, campaign).await;
    program.later(1);
    let after = api.sale(ana, campaign, "A2").await;
    let late = json!({"click_id": click, "amount": "100.00", "order_id": "A3", "ts": "2026-02-15T11:00:00Z"});
    let late = api.made("/api/v1/conversions", late).await["conversion_id"].as_str().unwrap().to_owned();
    assert_eq!(program.lines(&before).await, "5.00 accrued, waits for approval until nothing");
    assert_eq!(program.lines(&after).await, "9.90 accrued, waits for approval until nothing");
    assert_eq!(program.lines(&late).await, "5.00 accrued, waits for approval until nothing");
    let id = api.get(&format!("/api/v1/commissions?conversion_id={after}")).await.column("id")[0].to_owned();
    let trace = api.get(&format!("/api/v1/commissions/{id}")).await.body["trace"]["steps"].clone();
    insta::assert_snapshot!(trace[1]["text"].as_str().unwrap(), @"The rate goes from 5% to 9.9%: +8.3333 points for what customers are worth, −3.3334 points for how sure that is, −0.0999 points for rounding. Policy third-1 decided it on 2026-02-01 with model ltv-7.");
    program.assert_balanced().await;
}

#[tokio::test]
async fn an_affiliate_sees_its_rate_why_since_when_and_what_is_announced() {
    let program = Program::new().await;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    insta::assert_snapshot!(program.rates().await, @r#"
    200 {
      "affiliate_id": "aff_1",
      "announced": [
        {
          "decided_at": "2026-02-01T12:00:00.005Z",
          "final_after_days": null,
          "from": "2026-02-15T12:00:00.005Z",
          "is_own": true,
          "model_version": "ltv-7",
          "plan_id": "pln_2",
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
        }
      ],
      "campaign_id": "cmp_3",
      "contract": {
        "actor": "key_4",
        "affiliate_id": "aff_1",
        "campaign_id": "cmp_3",
        "cap": "15%",
        "created_at": "2026-02-01T12:00:00.004Z",
        "exploring": "1%",
        "floor": "3%",
        "id": "rct_5",
        "note": "",
        "notice_days": 14,
        "period_days": 30,
        "step": "5%",
        "version": 1
      },
      "history": {
        "data": [
          {
            "decided_at": null,
            "final_after_days": null,
            "from": "2026-02-01T12:00:00.003Z",
            "is_own": false,
            "model_version": null,
            "plan_id": "pln_6",
            "plan_version": 1,
            "policy_version": null,
            "rate": "5%",
            "reasons": [],
            "until": "2026-02-15T12:00:00.005Z",
            "why": "People agreed on 5% in the campaign's plan."
          }
        ],
        "has_more": false,
        "next": null
      },
      "now": {
        "decided_at": null,
        "final_after_days": null,
        "from": "2026-02-01T12:00:00.003Z",
        "is_own": false,
        "model_version": null,
        "plan_id": "pln_6",
        "plan_version": 1,
        "policy_version": null,
        "rate": "5%",
        "reasons": [],
        "until": "2026-02-15T12:00:00.005Z",
        "why": "People agreed on 5% in the campaign's plan."
      }
    }
    "#);
    program.later(15);
    program.take_up(&program.decide("9.9%", "30", |_, _| {})).await;
    let told = program.rates().await.body;
    assert_eq!(
        (&told["now"]["rate"], &told["announced"]),
        (&json!("9.9%"), &json!([])),
        "a rate that stays is none to tell"
    );
    let first = program
        .api
        .get(&format!("/api/v1/affiliates/{}/rates?campaign_id={}&limit=1", program.ana, program.campaign))
        .await;
    let history = &first.body["history"];
    assert_eq!((&history["data"][0]["rate"], &history["has_more"]), (&json!("9.9%"), &json!(true)));
    let next = history["next"].as_str().unwrap();
    let path = format!(
        "/api/v1/affiliates/{}/rates?campaign_id={}&limit=1&after={next}",
        program.ana, program.campaign
    );
    let history = program.api.get(&path).await.body["history"].clone();
    assert_eq!((&history["data"][0]["rate"], &history["has_more"]), (&json!("5%"), &json!(false)));
}

#[tokio::test]
async fn what_is_announced_is_the_change_with_its_reasons_once() {
    let program = Program::new().await;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    let payloads =
        store::outbox::payloads(&mut program.api.app.db.acquire().await.unwrap(), "rate.changed").await;
    let payloads = payloads.unwrap();
    assert_eq!(payloads.len(), 1);
    let text = serde_json::to_string_pretty(&payloads[0]).unwrap();
    insta::assert_snapshot!(readable(&text), @r#"
    {
      "affiliate_id": "aff_1",
      "campaign_id": "cmp_2",
      "contract_id": "rct_3",
      "decided_at": "2026-02-01T12:00:00.005Z",
      "decision_id": "rdc_4",
      "effective_at": "2026-02-15T12:00:00.005Z",
      "final_after_days": null,
      "model_version": "ltv-7",
      "next": "9.9%",
      "notice_days": 14,
      "plan_id": "pln_5",
      "plan_version": 1,
      "policy_version": "third-1",
      "previous": "5%",
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
      "why": "The rate goes from 5% to 9.9%: +8.3333 points for what customers are worth, −3.3334 points for how sure that is, −0.0999 points for rounding."
    }
    "#);
}

#[tokio::test]
async fn a_shadow_is_recorded_and_changes_nothing() {
    let program = Program::new().await;
    let before = program.rates().await.body;
    let shadow = program.decide("5%", "30", |policy, _| policy.mode = RateMode::Shadow);
    assert_eq!(program.take_up(&shadow).await["changes"], 0);
    assert_eq!(program.rates().await.body, before);
    assert_eq!(program.announced("rate.changed").await, 0);
    program.later(20);
    let sale = program.api.sale(program.ana, &program.campaign, "A1").await;
    assert!(program.lines(&sale).await.starts_with("5.00 "));
    let listed = program.api.get(&format!("{DECISIONS}?mode=shadow&affiliate_id={}", program.ana)).await;
    let recorded = &listed.body["data"][0];
    assert_eq!(serde_json::from_value::<RateDecision>(recorded["decision"].clone()).unwrap(), shadow);
    assert_eq!(recorded["plan_id"], json!(null));
    assert!(program.api.get(&format!("{DECISIONS}?mode=live")).await.column("id").is_empty());
    assert!(program.api.get(&format!("{DECISIONS}?since=2026-02-02")).await.column("id").is_empty());
    assert_eq!(program.api.get(&format!("{DECISIONS}?since=2026-02-01")).await.column("id").len(), 1);
}

/// Each with four decisions in the shadow before the live one: as many rows as may come at once.
#[tokio::test]
async fn two_hundred_partners_are_decided_at_once() {
    let program = Program::new().await;
    let mut affiliates = vec![program.ana];
    for number in 1..200 {
        let affiliate = program.api.affiliate(&format!("partner-{number}")).await;
        program.agree(affiliate).await;
        affiliates.push(affiliate);
    }
    let live = program.decide("5%", "30", |_, _| {});
    let shadow = |number: i32| {
        program.decide("5%", "30", |policy, _| {
            (policy.mode, policy.version) = (RateMode::Shadow, format!("third-1-{number}"));
        })
    };
    let decisions: Vec<_> = (0..4).map(shadow).chain([live]).collect();
    let everyone = affiliates.iter().flat_map(|affiliate| decisions.iter().map(|it| (*affiliate, it)));
    let rows: Vec<_> = everyone.map(|(affiliate, decision)| program.row(affiliate, decision)).collect();
    assert_eq!(rows.len(), 1_000);
    let answer = program.send(&rows).await;
    assert_eq!((answer.status.as_u16(), &answer.body["changes"]), (201, &json!(200)), "{answer}");
    assert_eq!(answer.body["ids"].as_array().unwrap().len(), 1_000);
    assert_eq!(program.announced("rate.changed").await, 200);
    for affiliate in affiliates {
        let told = program.rates_of(affiliate).await.body;
        assert_eq!(told["announced"][0]["rate"], "9.9%", "{told}");
    }
}

/// The manual's command puts the affiliate and the campaign in place of the partner and leaves all else as it is.
#[tokio::test]
async fn lines_that_the_policy_job_writes_are_taken_up() {
    let program = Program::new().await;
    let bo = program.api.affiliate("Bo").await;
    program.agree(bo).await;
    let row = |(line, affiliate): (&str, AffiliateId)| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let partner = row.as_object_mut().unwrap().remove("partner_id").unwrap();
        assert!(partner.as_str().unwrap().parse::<AffiliateId>().is_ok(), "{partner}");
        (row["affiliate_id"], row["campaign_id"]) = (json!(affiliate), json!(program.campaign));
        row
    };
    let lines = include_str!("tests/decisions.jsonl").lines();
    let answer = program.send(&lines.zip([program.ana, bo]).map(row).collect::<Vec<_>>()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["changes"]), (201, &json!(2)), "{answer}");
    program.later(14);
    let sale = program.api.sale(program.ana, &program.campaign, "A1").await;
    assert!(program.lines(&sale).await.starts_with("9.70 accrued, waits for approval until nothing"));
    let verified = program.api.sale(bo, &program.campaign, "B1").await;
    assert!(program.lines(&verified).await.starts_with("10.00 accrued, waits for approval until 2026-03-17"));
}

#[tokio::test]
async fn terms_for_other_events_stay_and_two_tiers_have_no_one_rate() {
    let program = Program::new().await;
    let path = format!("/api/v1/campaigns/{}/plans", program.campaign);
    let rules = json!([
        {"event": "sale", "terms": {"model": "percentage", "rate": "6%"}},
        {"terms": {"model": "flat", "amount": {"value": "2.00", "currency": "EUR"}}},
    ]);
    program.api.made(&path, json!({"rules": rules, "affiliate_id": program.ana})).await;
    program.later(30);
    program.take_up(&program.decide("6%", "30", |_, _| {})).await;
    let plans = program.api.get(&path).await;
    let newest = &plans.body["data"][0];
    assert_eq!((&newest["version"], &newest["affiliate_id"]), (&json!(2), &json!(program.ana)));
    assert_eq!(newest["rules"][0]["terms"]["model"], "dynamic");
    assert_eq!(newest["rules"][1], rules[1]);
    let bo = program.api.affiliate("Bo").await;
    program.agree(bo).await;
    let two_tier =
        json!([{"terms": {"model": "two_tier", "first": {"rate": "5%"}, "second": {"rate": "1%"}}}]);
    program.api.made(&path, json!({"rules": two_tier, "affiliate_id": bo})).await;
    let row = program.row(bo, &program.decide("5%", "30", |_, _| {}));
    insta::assert_snapshot!(program.send(&[row]).await.problem(), @"422 rate_decisions_refused: 1 of 1 decisions do not fit, so none is taken up [/decisions/0/campaign_id: the plan in force pays no single rate of the order, which a decision could move]");
}

#[tokio::test]
async fn nobody_sees_anothers_rates() {
    let program = Program::new().await;
    let bo = program.api.affiliate("Bo").await;
    program.agree(bo).await;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    let key = program.api.new_key(&["rates:read"], Some(bo)).await;
    let get = async |path: &str| program.api.get_as(&key, path).await;
    let of = |affiliate| format!("/api/v1/affiliates/{affiliate}/rates?campaign_id={}", program.campaign);
    insta::assert_snapshot!(get(&of(program.ana)).await.problem(), @"404 not_found: aff_1 does not exist, or this key may not see it");
    assert_eq!(get(&of(bo)).await.body["contract"]["affiliate_id"], json!(bo));
    insta::assert_snapshot!(get(DECISIONS).await.problem(), @"403 forbidden: this key shows only what is aff_1's own");
    let contracts = get(&format!("/api/v1/campaigns/{}/rate-contracts", program.campaign)).await;
    assert_eq!(contracts.column("affiliate_id"), [bo.to_string()]);
    insta::assert_snapshot!(get(&format!("/api/v1/affiliates/{bo}/rates")).await.problem(), @"400 malformed_query:  [/campaign_id: missing field `campaign_id`]");
}

#[tokio::test]
async fn what_was_decided_or_agreed_is_never_edited() {
    let program = Program::new().await;
    program.take_up(&program.decide("5%", "30", |_, _| {})).await;
    for table in ["rate_approvals", "rate_contracts", "rate_decisions"] {
        for edit in ["UPDATE {} SET actor = 'nobody'", "DELETE FROM {}", "TRUNCATE {} CASCADE"] {
            let edit = sqlx::AssertSqlSafe(edit.replace("{}", table));
            let refused = sqlx::raw_sql(edit).execute(&program.api.app.db).await.unwrap_err();
            assert!(refused.to_string().contains("is never edited"), "{refused}");
        }
    }
}

/// Versions come in any order of their dates, some for Ana alone.
#[tokio::test]
async fn rates_are_told_by_the_terms_that_conversions_are_paid_by() {
    let Program { api, ana, campaign } = Program::new().await;
    let campaign: CampaignId = campaign.parse().unwrap();
    let mut db = api.app.db.acquire().await.unwrap();
    let (start, chance) = (api.app.clock.now(), Chance::seeded(7));
    let day = || start + TimeDelta::days(i64::try_from(chance.below(30)).unwrap());
    let mut last = [0, 1];
    for _ in 0..24 {
        let owner = usize::from(chance.below(2) == 0);
        last[owner] += 1;
        let plan = Plan {
            id: PlanId::new(&api.app.clock, &chance),
            campaign_id: campaign,
            affiliate_id: (owner == 0).then_some(ana),
            version: last[owner],
            rules: serde_json::from_value(json!([{"terms": {"model": "percentage", "rate": "1%"}}])).unwrap(),
            effective_from: day(),
            created_at: start,
        };
        store::campaigns::insert_plan(&mut db, &plan).await.unwrap();
        let plans = store::campaigns::plans_for(&mut db, &[campaign], &[ana]).await.unwrap();
        let timeline = Timeline::new(plans.into_iter().map(Plan::into_version).collect());
        for at in (0..12).map(|_| day() - TimeDelta::days(3)) {
            let standing = tracking::store::plans::standing(&mut db, campaign, ana, at).await.unwrap();
            let held = timeline.at(at).map(|version| version.id);
            assert_eq!(held, Some(standing.plan.unwrap().id), "at {at} of {timeline:?}");
        }
    }
}
