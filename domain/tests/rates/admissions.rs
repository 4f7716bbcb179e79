//! Decisions that are not taken up, each with its reason: one line of data each.

use chrono::{DateTime, TimeDelta, Utc};
use domain::commission::dynamic::{Direction, Pending, RateChoice, RateDecision, RateMode, Standing};

use crate::{
    decisions::{evidence, policy, rate, standing},
    histories::noon,
};

/// Paid 10 %; what the evidence makes of that, from 2026-02-15 on.
fn decided() -> (Standing, RateDecision) {
    let standing = standing();
    let decision = policy().decide(&standing, &evidence(), 0, noon()).unwrap();
    (standing, decision)
}

/// Another rate for a decision, with a reason that sums to the change.
fn to(decision: &mut RateDecision, next: &str) {
    decision.next = rate(next);
    decision.choices = vec![RateChoice { rate: decision.next, propensity_ppm: 1_000_000 }];
    let change = decision.change_ppm();
    decision.parts.truncate(1);
    decision.parts[0].ppm = change;
}

#[track_caller]
fn check(later: TimeDelta, changed: impl Fn(&mut Standing, &mut RateDecision), expected: &str) {
    let (mut standing, mut decision) = decided();
    changed(&mut standing, &mut decision);
    let refusal = standing.admit(&decision, noon() + later).map_err(|refusal| (refusal.field(), refusal));
    let told =
        refusal.map_or_else(|(field, refusal)| format!("{field}: {refusal}"), |()| "taken up".to_owned());
    assert_eq!(told, expected);
}

const AT_ONCE: TimeDelta = TimeDelta::zero();

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn a_contract_is_kept() {
    check(AT_ONCE, |_, _| {}, "taken up");
    check(
        AT_ONCE,
        |_, decision| to(decision, "4.9"),
        "next: a rate of 4.9% is below the contract's floor of 5%",
    );
    check(
        AT_ONCE,
        |standing, decision| {
            standing.contract.cap = rate("14");
            to(decision, "14.1");
        },
        "next: a rate of 14.1% is above the contract's cap of 14%",
    );
    check(
        AT_ONCE,
        |_, decision| to(decision, "15.0001"),
        "next: from 10% to 15.0001% is more than the contract's step of 5%",
    );
    check(AT_ONCE, |_, decision| to(decision, "15"), "taken up");
    check(
        AT_ONCE,
        |_, decision| {
            decision.choices = vec![
                RateChoice { rate: rate("7.8"), propensity_ppm: 50_000 },
                RateChoice { rate: rate("11.9"), propensity_ppm: 950_000 },
            ];
        },
        "choices: the choices lie 4.1% apart; the contract agrees to 2% to either side",
    );
}

#[test]
fn a_contract_that_changed_is_kept_at_once() {
    check(
        AT_ONCE,
        |standing, decision| {
            (standing.contract.floor, standing.contract.step) = (rate("18"), rate("1"));
            to(decision, "18");
        },
        "taken up",
    );
    check(
        AT_ONCE,
        |standing, decision| {
            (standing.contract.floor, standing.contract.step) = (rate("18"), rate("1"));
            to(decision, "18.5");
        },
        "next: from 10% to 18.5% is more than the contract's step of 1%",
    );
}

#[test]
fn notice_and_period_are_kept() {
    let early = "effective_at: it would hold from 2026-02-15 11:59:59 UTC; notice and period of the contract admit 2026-02-15 12:00:00 UTC or up to a year later";
    check(AT_ONCE, |_, decision| decision.effective_at = Some(moment("2026-02-15T11:59:59Z")), early);
    check(AT_ONCE, |_, decision| decision.effective_at = Some(moment("2026-03-15T12:00:00Z")), "taken up");
    check(
        AT_ONCE,
        |standing, decision| {
            standing.changed = Some((noon() - TimeDelta::days(10), Direction::Up));
            decision.effective_at = Some(moment("2026-02-16T12:00:00Z"));
        },
        "effective_at: it would hold from 2026-02-16 12:00:00 UTC; notice and period of the contract admit 2026-02-21 12:00:00 UTC or up to a year later",
    );
    check(TimeDelta::hours(11), |_, _| {}, "taken up");
    check(
        TimeDelta::hours(12),
        |_, _| {},
        "effective_at: told on 2026-02-02, a change on 2026-02-15 does not keep 14 days of notice; decide again",
    );
    check(TimeDelta::hours(12), |_, decision| decision.mode = RateMode::Shadow, "taken up");
    check(
        -TimeDelta::hours(1),
        |_, _| {},
        "decided_at: it was decided at 2026-02-01 12:00:00 UTC, and now it is 2026-02-01 11:00:00 UTC; decisions are taken up after they were made",
    );
    check(
        AT_ONCE,
        |_, decision| decision.effective_at = None,
        "effective_at: a change, and nothing else, has a date from which on it holds",
    );
    check(
        AT_ONCE,
        |_, decision| to(decision, "10"),
        "effective_at: a change, and nothing else, has a date from which on it holds",
    );
}

#[test]
fn a_decision_is_about_the_rate_in_force() {
    check(
        AT_ONCE,
        |standing, _| standing.rate = rate("11"),
        "previous: it was decided for a rate of 10%, and the rate is 11%; decide again",
    );
    let pending =
        Pending { rate: rate("10"), final_after_days: None, effective_at: moment("2026-02-05T00:00:00Z") };
    check(
        AT_ONCE,
        |standing, _| standing.pending = Some(pending),
        "next: a change is announced for 2026-02-05 00:00:00 UTC already; decide again after that",
    );
    check(
        AT_ONCE,
        |standing, decision| {
            standing.pending = Some(pending);
            to(decision, "10");
            decision.effective_at = None;
        },
        "taken up",
    );
}

#[test]
fn what_does_not_add_up_is_refused() {
    check(
        AT_ONCE,
        |_, decision| decision.format = 2,
        "format: format 2 is not known here; this release reads format 1",
    );
    check(
        AT_ONCE,
        |_, decision| decision.parts[0].ppm += 1,
        "parts: the parts sum to 19001 millionths and the rate changes by 19000; give every reason",
    );
    check(
        AT_ONCE,
        |_, decision| decision.policy_version.clear(),
        "policy_version: policy_version must have 1 to 200 characters, because every decision names it",
    );
    check(
        AT_ONCE,
        |_, decision| decision.final_after_days = Some(0),
        "final_after_days: a commission can be final after 1 to 365 days, and not after 0",
    );
    let choices = "choices: the choices must be different rates, lowest first, the next one among them, with propensities that sum to 1000000";
    check(AT_ONCE, |_, decision| decision.choices.clear(), choices);
    check(AT_ONCE, |_, decision| decision.choices[0].propensity_ppm -= 1, choices);
    check(AT_ONCE, |_, decision| decision.choices[0].rate = rate("12"), choices);
}

/// What becomes of the same decision when a shadow made it and somebody approves it so much later.
#[track_caller]
fn check_approved(later: TimeDelta, changed: impl Fn(&mut Standing, &mut RateDecision), expected: &str) {
    let (mut standing, mut shadow) = decided();
    shadow.mode = RateMode::Shadow;
    changed(&mut standing, &mut shadow);
    let now = noon() + later;
    let told = match standing.taken_up(&shadow, now) {
        Ok(live) => {
            let same = RateDecision { effective_at: live.effective_at, decided_at: now, ..shadow };
            assert_eq!(live, RateDecision { mode: RateMode::Live, ..same });
            live.effective_at.map_or_else(|| "never".to_owned(), |at| at.to_string())
        }
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(told, expected);
}

#[test]
fn what_a_shadow_decided_holds_when_it_said_or_after_the_notice_from_its_approval_on() {
    check_approved(AT_ONCE, |_, _| {}, "2026-02-15 12:00:00 UTC");
    check_approved(TimeDelta::days(100), |_, _| {}, "2026-05-26 12:00:00 UTC");
    check_approved(
        TimeDelta::days(9),
        |_, shadow| shadow.effective_at = Some(moment("2026-03-15T12:00:00Z")),
        "2026-03-15 12:00:00 UTC",
    );
    check_approved(
        TimeDelta::days(9),
        |standing, _| standing.changed = Some((noon(), Direction::Up)),
        "2026-03-03 12:00:00 UTC",
    );
}

#[test]
fn what_a_shadow_decided_is_refused_when_the_rate_or_the_contract_has_moved_since() {
    check_approved(
        TimeDelta::days(9),
        |standing, _| standing.rate = rate("11"),
        "it was decided for a rate of 10%, and the rate is 11%; decide again",
    );
    check_approved(
        TimeDelta::days(9),
        |standing, _| standing.contract.cap = rate("11"),
        "a rate of 11.9% is above the contract's cap of 11%",
    );
    check_approved(
        TimeDelta::days(9),
        |standing, _| {
            let effective_at = moment("2026-02-20T00:00:00Z");
            standing.pending = Some(Pending { rate: rate("10"), final_after_days: None, effective_at });
        },
        "a change is announced for 2026-02-20 00:00:00 UTC already; decide again after that",
    );
}
