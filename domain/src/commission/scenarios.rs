//! Every commission model by example: one line of data a scenario, from terms to what each level earns.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::campaign::EventKind;

fn affiliate(number: u8) -> AffiliateId {
    AffiliateId::from(Uuid::from_u128(u128::from(number)))
}

fn plan(rules: &str) -> Plan {
    let rules: Vec<Rule> = serde_json::from_str(rules).unwrap();
    check_rules(&rules).unwrap();
    Plan { id: PlanId::from(Uuid::nil()), version: 1, rules }
}

fn money(text: &str) -> Money {
    let (value, currency) = text.split_once(' ').unwrap();
    Money::parse(value, currency.parse().unwrap()).unwrap()
}

/// Affiliates 1 and up stand above affiliate 0; those listed in `idle` may not earn.
fn settled(rules: &str, event: &str, amount: &str, shares: &[u32], upline: u8, idle: &[u8]) -> Vec<Line> {
    let plan = plan(rules);
    let upline: Vec<_> =
        (1..=upline).map(|n| Upline { affiliate: affiliate(n), earns: !idle.contains(&n) }).collect();
    let credits: Vec<_> = shares
        .iter()
        .map(|share_ppm| Credit {
            affiliate: affiliate(0),
            share_ppm: *share_ppm,
            because: "the last click.".to_owned(),
            plan: &plan,
            upline: upline.clone(),
        })
        .collect();
    settle(&Sale { event, kind: EventKind::Sale, amount: money(amount) }, &credits)
}

fn check(rules: &str, event: &str, amount: &str, shares: &[u32], upline: u8, idle: &[u8], earned: &str) {
    let lines = settled(rules, event, amount, shares, upline, idle);
    let told: Vec<_> = lines.iter().map(|line| format!("{}: {}", line.level, line.amount)).collect();
    assert_eq!(told.join(", "), earned);
}

const WHOLE: &[u32] = &[1_000_000];
const TEN_PERCENT: &str = r#"[{"terms": {"model": "percentage", "rate": "10%"}}]"#;
const FLAT_BY_EVENT: &str = r#"[
    {"event": "lead", "terms": {"model": "flat", "amount": {"value": "50", "currency": "USD"}}},
    {"terms": {"model": "flat", "amount": {"value": "100", "currency": "USD"}}}
]"#;
const DYNAMIC: &str = r#"[{"terms": {"model": "dynamic", "rate": "12.5%"}}]"#;
const TIERS: &str = r#"[{"terms": {"model": "two_tier", "first": {"rate": "10%"}, "second": {"amount": {"value": "5", "currency": "EUR"}}}}]"#;

#[test]
fn ten_percent_of_an_order() {
    check(TEN_PERCENT, "sale", "49.99 EUR", WHOLE, 0, &[], "0: 5.00 EUR");
}

#[test]
fn a_named_event_has_its_own_amount_and_the_rest_another() {
    check(FLAT_BY_EVENT, "lead", "0 USD", WHOLE, 0, &[], "0: 50.00 USD");
    check(FLAT_BY_EVENT, "sale", "0 USD", WHOLE, 0, &[], "0: 100.00 USD");
}

#[test]
fn an_event_without_a_rule_earns_nothing() {
    let only_leads = r#"[{"event": "lead", "terms": {"model": "percentage", "rate": "10%"}}]"#;
    check(only_leads, "sale", "100 EUR", WHOLE, 0, &[], "");
}

#[test]
fn the_affiliate_above_earns_the_second_tier() {
    check(TIERS, "sale", "80 EUR", WHOLE, 2, &[], "0: 8.00 EUR, 1: 5.00 EUR");
}

#[test]
fn a_suspended_affiliate_above_earns_nothing_and_nobody_gets_it_instead() {
    check(TIERS, "sale", "80 EUR", WHOLE, 2, &[1], "0: 8.00 EUR");
}

#[test]
fn shares_of_one_commission_sum_to_it() {
    check(
        TEN_PERCENT,
        "sale",
        "1.00 EUR",
        &[333_334, 333_333, 333_333],
        0,
        &[],
        "0: 0.04 EUR, 0: 0.03 EUR, 0: 0.03 EUR",
    );
}

#[test]
fn a_trace_can_be_followed_by_hand() {
    let lines = settled(TEN_PERCENT, "sale", "49.99 EUR", WHOLE, 0, &[]);
    let words: Vec<_> = lines[0].trace.steps.iter().map(|step| step.text.as_str()).collect();
    insta::assert_debug_snapshot!(words, @r#"
    [
        "The sale is worth 49.99 EUR.",
        "10% of 49.99 EUR is 5.00 EUR.",
        "100% of the credit: the last click. The line is 5.00 EUR.",
    ]
    "#);
}

#[test]
fn a_dynamic_rate_pays_its_part_of_an_order() {
    check(DYNAMIC, "sale", "80 EUR", WHOLE, 1, &[], "0: 10.00 EUR");
    check(DYNAMIC, "sale", "1.00 EUR", &[500_000, 500_000], 0, &[], "0: 0.07 EUR, 0: 0.06 EUR");
}

/// The terms of a decision, as a plan keeps them.
fn decided() -> String {
    let decision: serde_json::Value = serde_json::from_str(include_str!("dynamic/decision-1.json")).unwrap();
    let terms = serde_json::json!({"model": "dynamic", "rate": decision["next"], "decision": decision});
    serde_json::json!([{ "terms": terms }]).to_string()
}

#[test]
fn a_dynamic_rate_says_by_which_decision_it_came_about() {
    let lines = settled(&decided(), "sale", "49.99 EUR", WHOLE, 0, &[]);
    let words: Vec<_> = lines[0].trace.steps.iter().map(|step| step.text.as_str()).collect();
    insta::assert_debug_snapshot!(words, @r#"
    [
        "The sale is worth 49.99 EUR.",
        "The rate goes from 10% to 8.9%: +4.9999 points for what customers are worth, −3 points for how sure that is, −3 points for risk of fraud, −0.0999 points for rounding. Policy third-1 decided it on 2026-02-01 with model ltv-7.",
        "8.9% of 49.99 EUR is 4.45 EUR.",
        "100% of the credit: the last click. The line is 4.45 EUR.",
    ]
    "#);
}

#[test]
fn a_rate_that_its_decision_does_not_explain_is_refused() {
    let refused = |from: &str, to: &str| {
        let rules = decided().replacen(from, to, 1);
        check_rules(&serde_json::from_str::<Vec<Rule>>(&rules).unwrap()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(r#""ppm":-999"#, r#""ppm":-998"#), @"the rate of 8.9% is not what its decision says; take the terms as the decision gives them");
    insta::assert_snapshot!(refused(r#""mode":"live""#, r#""mode":"shadow""#), @"the rate of 8.9% is not what its decision says; take the terms as the decision gives them");
}

#[test]
fn every_model_has_a_name_of_its_own_a_sentence_and_a_scenario() {
    let scenarios = [TEN_PERCENT, FLAT_BY_EVENT, TIERS, DYNAMIC];
    for (position, (name, doc)) in Terms::MODELS.iter().enumerate() {
        assert!(Terms::MODELS[..position].iter().all(|(other, _)| other != name), "{name} is used twice");
        assert!(doc.ends_with('.') && 20 < doc.len(), "{name} says too little");
        assert!(
            scenarios.iter().any(|rules| rules.contains(&format!("\"{name}\""))),
            "{name} has no scenario"
        );
    }
}

#[test]
fn terms_that_cannot_be_meant_are_refused_in_a_sentence() {
    let refused = |rules: &str| {
        check_rules(&serde_json::from_str::<Vec<Rule>>(rules).unwrap()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused("[]"), @"a plan needs at least one rule");
    insta::assert_snapshot!(refused(r#"[{"terms": {"model": "percentage", "rate": "130%"}}]"#), @"a rate of 130% is more than the whole order");
    insta::assert_snapshot!(
        refused(r#"[{"terms": {"model": "flat", "amount": {"value": "-1", "currency": "EUR"}}}]"#),
        @"a commission of -1.00 EUR is negative; commissions are what an affiliate earns"
    );
}

proptest! {
    #[test]
    fn under_one_plan_shares_never_change_what_is_paid_in_all(
        minor in 0..1_000_000_000_i64,
        cuts in prop::collection::vec(0..=1_000_000_u32, 0..6),
    ) {
        let mut cuts = cuts;
        cuts.extend([0, 1_000_000]);
        cuts.sort_unstable();
        let shares: Vec<u32> = cuts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let amount = format!("{} EUR", Money::new(minor, "EUR".parse().unwrap()).to_string().trim_end_matches(" EUR"));
        let total = |shares: &[u32]| -> i64 {
            settled(TIERS, "sale", &amount, shares, 1, &[]).iter().map(|line| line.amount.minor).sum()
        };
        prop_assert_eq!(total(&shares), total(WHOLE));
    }
}
