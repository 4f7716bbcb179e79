//! Decisions that can be followed by hand: one line of data each.

use chrono::TimeDelta;
use domain::{
    Money, Rate,
    commission::dynamic::{
        Churn, ChurnAction, Contract, Direction, Evidence, Exploring, Policy, RateDecision, RateMode,
        Standing,
    },
};

use crate::histories::noon;

pub(crate) fn rate(percent: &str) -> Rate {
    percent.parse().unwrap()
}

pub(crate) fn eur(value: &str) -> Money {
    Money::parse(value, "EUR".parse().unwrap()).unwrap()
}

/// A third of a customer's value at most, rates in tenths of a percent, changes of half a percent or more.
pub(crate) fn policy() -> Policy {
    Policy {
        version: "third-1".to_owned(),
        target: rate("33.3333"),
        best_share: rate("100"),
        grain: rate("0.1"),
        dead_band: rate("0.5"),
        reversal_band: rate("1"),
        calm_days: 90,
        quality_weight: rate("20"),
        churn: Churn { from_ppm: 2_000_000, then: ChurnAction::Flag },
        exploring: Exploring::NEVER,
        mode: RateMode::Live,
    }
}

/// Paid 10 % now, between 5 % and 20 %, at most 5 points a month with 14 days of notice.
pub(crate) fn standing() -> Standing {
    let contract = Contract {
        floor: rate("5"),
        cap: rate("20"),
        step: rate("5"),
        period_days: 30,
        notice_days: 14,
        exploring: rate("2"),
    };
    Standing::new(contract, rate("10"))
}

/// A customer worth 45.00 EUR, 36.00 at least, on orders of 100.00: 12 % at a third.
pub(crate) fn evidence() -> Evidence {
    Evidence {
        model_version: "ltv-7".to_owned(),
        value: eur("45"),
        value_lower: eur("36"),
        base: eur("100"),
        conversions: 50.0,
        churn_ratio: 1.0,
        fraud_risk: 0.0,
        quality: 0.5,
        elasticity: None,
    }
}

fn told(decision: &RateDecision) -> String {
    let part = |part: &domain::commission::dynamic::RatePart| format!("{} {:+}", part.reason, part.ppm);
    let parts: Vec<_> = decision.parts.iter().map(part).collect();
    let flags: Vec<_> = decision.flags.iter().map(|flag| format!(" !{flag}")).collect();
    format!("{} → {}: {}{}", decision.previous, decision.next, parts.join(", "), flags.concat())
}

#[track_caller]
fn check(changed: impl Fn(&mut Policy, &mut Standing, &mut Evidence), expected: &str) {
    let (mut policy, mut standing, mut evidence) = (policy(), standing(), evidence());
    changed(&mut policy, &mut standing, &mut evidence);
    assert_eq!(told(&policy.decide(&standing, &evidence, 0, noon()).unwrap()), expected);
}

#[test]
fn the_rate_is_a_third_of_what_a_customer_is_surely_worth() {
    check(|_, _, _| {}, "10% → 11.9%: value +49999, uncertainty -30000, rounding -999");
}

#[test]
fn the_highest_step_is_the_contracts() {
    check(
        |_, _, evidence| (evidence.value, evidence.value_lower) = (eur("90"), eur("90")),
        "10% → 15%: value +199999, rounding -999, step -149000",
    );
}

#[test]
fn floor_and_cap_hold() {
    check(
        |_, standing, evidence| {
            standing.contract.cap = rate("11");
            evidence.value_lower = evidence.value;
        },
        "10% → 11%: value +49999, rounding -999, cap -39000",
    );
    check(
        |_, standing, evidence| {
            standing.contract.floor = rate("9");
            evidence.value_lower = eur("0");
        },
        "10% → 9%: value +49999, uncertainty -149999, step +50000, floor +40000",
    );
}

#[test]
fn a_contract_that_changed_is_kept_at_once_and_told() {
    check(
        |_, standing, _| (standing.contract.floor, standing.contract.step) = (rate("18"), rate("1")),
        "10% → 18%: value +49999, uncertainty -30000, rounding -999, step -9000, floor +70000 !contract",
    );
}

#[test]
fn a_small_change_is_none() {
    check(
        |_, _, evidence| evidence.value_lower = eur("31"),
        "10% → 10%: value +49999, uncertainty -46666, rounding -333, hysteresis -3000",
    );
}

#[test]
fn a_change_back_needs_the_wider_band() {
    let raised = |days: i64| {
        move |_: &mut Policy, standing: &mut Standing, evidence: &mut Evidence| {
            standing.changed = Some((noon() - TimeDelta::days(days), Direction::Up));
            evidence.value_lower = eur("28");
        }
    };
    check(raised(40), "10% → 10%: value +49999, uncertainty -56666, rounding -333, hysteresis +7000");
    check(raised(100), "10% → 9.3%: value +49999, uncertainty -56666, rounding -333");
}

#[test]
fn probable_fraud_is_not_paid_for() {
    check(
        |_, _, evidence| evidence.fraud_risk = 0.25,
        "10% → 8.9%: value +49999, uncertainty -30000, fraud_risk -30000, rounding -999",
    );
}

#[test]
fn quality_raises_and_lowers() {
    check(
        |_, _, evidence| evidence.quality = 1.0,
        "10% → 14.3%: value +49999, uncertainty -30000, quality +23999, rounding -998",
    );
    check(
        |_, _, evidence| evidence.quality = 0.0,
        "10% → 9.5%: value +49999, uncertainty -30000, quality -24000, rounding -999",
    );
}

#[test]
fn who_brings_no_more_for_more_is_not_paid_more() {
    // A fifth of the value is worth paying at an elasticity of a quarter: 36.00 / 100.00 / 5.
    check(
        |_, _, evidence| evidence.elasticity = Some(0.25),
        "10% → 7.1%: value +49999, uncertainty -30000, elasticity -48000, rounding -999",
    );
    check(
        |_, _, evidence| evidence.elasticity = Some(0.5),
        "10% → 11.9%: value +49999, uncertainty -30000, rounding -999",
    );
    // At most three quarters of the best rate, where a budget binds: 36.00 / 100.00 / 3 · 3 / 4.
    check(
        |policy, _, evidence| (policy.best_share, evidence.elasticity) = (rate("75"), Some(0.5)),
        "10% → 8.9%: value +49999, uncertainty -30000, elasticity -30001, rounding -998",
    );
}

#[test]
fn churn_twice_the_mean_does_what_the_policy_says() {
    check(
        |_, _, evidence| evidence.churn_ratio = 2.0,
        "10% → 11.9%: value +49999, uncertainty -30000, rounding -999 !churn",
    );
    check(
        |policy, _, evidence| {
            (policy.churn.then, evidence.churn_ratio) = (ChurnAction::Lower(rate("50")), 2.0);
        },
        "10% → 5.9%: value +49999, uncertainty -30000, churn -60000, rounding -999 !churn",
    );
    check(
        |_, _, evidence| evidence.churn_ratio = 1.999_999,
        "10% → 11.9%: value +49999, uncertainty -30000, rounding -999",
    );
}

#[test]
fn commissions_wait_for_thirty_days_where_customers_leave() {
    let mut policy = policy();
    policy.churn.then = ChurnAction::Verify(30);
    let leaving = Evidence { churn_ratio: 3.0, value_lower: eur("30"), ..evidence() };
    let decision = policy.decide(&standing(), &leaving, 0, noon()).unwrap();
    assert_eq!((decision.change_ppm(), decision.final_after_days), (0, Some(30)));
    let due = noon() + TimeDelta::days(14);
    assert_eq!(decision.effective_at, Some(due));
    let standing = standing().after(&decision).at(due);
    assert_eq!(standing.final_after_days, Some(30));
    let again = policy.decide(&standing, &leaving, 0, due).unwrap();
    assert_eq!((again.final_after_days, again.effective_at), (Some(30), None));
    let stays = policy.decide(&standing, &Evidence { churn_ratio: 1.0, ..leaving }, 0, due).unwrap();
    assert_eq!((stays.final_after_days, stays.effective_at), (None, Some(due + TimeDelta::days(14))));
}

#[test]
fn a_budget_caps_the_rate_and_says_when_even_the_lowest_is_too_much() {
    // Fifty orders of 100.00 at 11 % cost 550.00.
    check(
        |_, standing, _| standing.budget_left = Some(eur("550")),
        "10% → 11%: value +49999, uncertainty -30000, rounding -999, budget -9000",
    );
    check(
        |_, standing, _| standing.budget_left = Some(eur("100")),
        "10% → 5%: value +49999, uncertainty -30000, rounding -999, budget -69000 !budget",
    );
    // With an elasticity of one, a rate 1.05 times as high costs 1.1025 times as much.
    check(
        |_, standing, evidence| {
            (standing.budget_left, evidence.elasticity) = (Some(eur("551.25")), Some(1.0));
        },
        "10% → 10.5%: value +49999, uncertainty -30000, rounding -999, budget -14000",
    );
}

#[test]
fn a_change_is_announced_and_the_next_one_waits_for_it() {
    let (policy, standing) = (policy(), standing());
    let first = policy.decide(&standing, &evidence(), 0, noon()).unwrap();
    let due = noon() + TimeDelta::days(14);
    assert_eq!(first.effective_at, Some(due));
    let standing = standing.after(&first);
    let worse = Evidence { value_lower: eur("0"), ..evidence() };
    let early = policy.decide(&standing, &worse, 0, noon() + TimeDelta::days(13)).unwrap();
    assert_eq!(told(&early), "11.9% → 11.9%: value +30999, uncertainty -149999, notice +119000");
    let late = policy.decide(&standing, &worse, 0, due + TimeDelta::days(1)).unwrap();
    assert_eq!(told(&late), "11.9% → 6.9%: value +30999, uncertainty -149999, step +69000");
    assert_eq!(late.effective_at, Some(due + TimeDelta::days(30)));
}

#[test]
fn what_is_decided_in_the_shadow_changes_nothing() {
    let policy = Policy { mode: RateMode::Shadow, ..policy() };
    let decision = policy.decide(&standing(), &evidence(), 0, noon()).unwrap();
    assert_eq!((decision.mode, decision.next), (RateMode::Shadow, rate("11.9")));
    assert_eq!(standing().after(&decision), standing());
    assert_eq!(decision.terms(), None);
}

#[test]
fn a_partner_reads_the_largest_reason_first() {
    let mut evidence = evidence();
    evidence.fraud_risk = 0.25;
    let decision = policy().decide(&standing(), &evidence, 0, noon()).unwrap();
    insta::assert_snapshot!(decision.words(), @"The rate goes from 10% to 8.9%: +4.9999 points for what customers are worth, −3 points for how sure that is, −3 points for risk of fraud, −0.0999 points for rounding.");
}

#[test]
fn what_cannot_be_meant_is_refused_in_a_sentence() {
    let refused = |changed: &dyn Fn(&mut Policy, &mut Standing, &mut Evidence)| {
        let (mut policy, mut standing, mut evidence) = (policy(), standing(), evidence());
        changed(&mut policy, &mut standing, &mut evidence);
        policy.decide(&standing, &evidence, 0, noon()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.fraud_risk = f64::NAN), @"the fraud risk is NaN; give a number from 0 to 1");
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.elasticity = Some(-1.0)), @"the elasticity is -1; give a number from 0 to 100");
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.conversions = f64::INFINITY), @"the number of expected conversions is inf; give a number from 0 to 1000000000000");
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.value_lower = eur("50")), @"the lower bound of the value, 50.00 EUR, is above the value, 45.00 EUR");
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.base = eur("0")), @"the mean order is 0.00 EUR; a rate can only be set for orders of more than zero");
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.base.currency = "USD".parse().unwrap()), @"USD and EUR cannot be compared; give all amounts in one currency");
    insta::assert_snapshot!(refused(&|_, _, evidence| evidence.model_version.clear()), @"the evidence needs the version of its model, because every decision names it");
    insta::assert_snapshot!(refused(&|_, standing, _| standing.contract.floor = rate("30")), @"the contract's floor of 30% is above its cap of 20%; exchange them");
    insta::assert_snapshot!(refused(&|_, standing, _| standing.contract.cap = rate("130")), @"a cap of 130% is more than the whole order; give at most 100%");
    insta::assert_snapshot!(refused(&|_, standing, _| standing.changed = Some((noon() + TimeDelta::days(1), Direction::Up))), @"the rate changed at 2026-02-02 12:00:00 UTC, which is after 2026-02-01 12:00:00 UTC; give the time of the decision");
    insta::assert_snapshot!(refused(&|_, standing, _| standing.budget_left = Some(eur("-1"))), @"the budget left is -1.00 EUR; give zero when it is spent");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.version.clear()), @"a policy needs a version, because every decision names it");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.target = rate("101")), @"the target of CAC:LTV is 101%, which is more than the whole; give at most 100%");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.grain = rate("0")), @"rates cannot be rounded to multiples of zero; give a grain such as 0.1%");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.reversal_band = rate("0.1")), @"the band for a change back, 0.1%, is narrower than that for any change, 0.5%; widen it");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.churn.from_ppm = 1_000_000), @"churn alarms from 1000000 millionths of the program's mean on; give more than the mean, 1000000");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.churn.then = ChurnAction::Verify(0)), @"a commission that is final after 0 days verifies nothing; give 1 to 365 days");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.churn.then = ChurnAction::Lower(rate("120"))), @"what churn leaves of the rate is 120%, which is more than the whole; give at most 100%");
    insta::assert_snapshot!(refused(&|policy, _, _| policy.exploring = Exploring { width: rate("0.1"), share: rate("10") }), @"exploring by 0.1% never passes the dead band of 0.5%; explore by at least that or not at all");
    let thrown = policy().decide(&standing(), &evidence(), 1_000_000, noon()).unwrap_err().to_string();
    insta::assert_snapshot!(thrown, @"chance threw 1000000; give a number below 1000000, such as `Chance::below(1_000_000)`");
}
