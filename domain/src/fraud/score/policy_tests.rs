//! No segment and no affiliate has more of its honest conversions held than was promised, and the guilty are held.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{
    clock::{Chance, Clock},
    fraud::score::Scale,
};

const COSTS: Costs = Costs { loss: 10_000, harm: 10, review: 1 };

fn affiliates(count: u64) -> Vec<AffiliateId> {
    let clock = Clock::standing_at(chrono::DateTime::from_timestamp(1_769_947_200, 0).unwrap());
    (0..count).map(|seed| AffiliateId::new(&clock, &Chance::seeded(seed))).collect()
}

fn score(log_odds: f64) -> Score {
    let log_odds = LogOdds::new(log_odds).unwrap();
    Score { scale_version: 0, base: Scale::UNCALIBRATED.base, parts: Vec::new(), log_odds }
}

fn row(log_odds: f64, segment: &str, affiliate: AffiliateId) -> Calibrated<'_> {
    Calibrated { log_odds: LogOdds::new(log_odds).unwrap(), segment, affiliate, standing: Standing::Vouched }
}

fn subject(segment: &str, affiliate: AffiliateId) -> Subject<'_> {
    Subject { segment, affiliate, record: None }
}

fn check(policy: &Policy, log_odds: f64, subject: Subject<'_>, costs: Costs, bound: Bound) {
    let decision = policy.decide(&score(log_odds), &subject, costs);
    assert_eq!(decision.bound, bound, "{decision:?}");
    assert_eq!(decision.verdict == Verdict::Hold, bound == Bound::None);
}

/// Honest scores around −4, one affiliate's by three higher, and mobile ones by one.
fn window(seed: u64, ids: &[AffiliateId], each: usize) -> Vec<Calibrated<'static>> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        for _ in 0..each {
            let mobile = dice.random_bool(0.4);
            let noise: f64 = (0..6).map(|_| dice.random::<f64>() - 0.5).sum();
            let own = if place == 0 { 3.0 } else { 0.0 };
            let segment = if mobile { "mobile" } else { "desktop" };
            rows.push(row(-4.0 + noise + own + if mobile { 1.0 } else { 0.0 }, segment, *id));
        }
    }
    rows
}

#[test]
fn neither_segments_nor_affiliates_are_held_more_often_than_promised() {
    let ids = affiliates(12);
    let (mut broken, mut worst) = (0, 0.0_f64);
    for seed in 0..20 {
        let policy = Policy::fit(1, &window(seed, &ids, 500), Limits::USUAL).unwrap();
        let later = window(1_000 + seed, &ids, 2_000);
        let held = |rows: &mut dyn Iterator<Item = &Calibrated<'_>>| {
            let (mut held, mut all) = (0.0, 0.0);
            for row in rows {
                let made = Score { log_odds: row.log_odds, ..score(0.0) };
                let decision = policy.decide(
                    &made,
                    &subject(row.segment, row.affiliate),
                    Costs { harm: 0, review: 0, ..COSTS },
                );
                held += if decision.verdict == Verdict::Hold { 1.0 } else { 0.0 };
                all += 1.0;
            }
            held / all
        };
        for segment in ["mobile", "desktop"] {
            broken += i32::from(0.02 < held(&mut later.iter().filter(|row| row.segment == segment)));
        }
        for id in &ids {
            worst = worst.max(held(&mut later.iter().filter(|row| row.affiliate == *id)));
        }
    }
    assert!(
        broken <= 6,
        "{broken} of 40 segments were held more often than promised with nine chances in ten"
    );
    assert!(worst < 0.045, "an affiliate was held {worst} of the time");
}

#[test]
fn without_a_bound_of_its_own_the_odd_affiliate_would_be_held_all_the_time() {
    let ids = affiliates(12);
    let rows = window(1, &ids, 500);
    let policy = Policy::fit(1, &rows, Limits::USUAL).unwrap();
    let bare = Policy { affiliates: BTreeMap::new(), ..policy.clone() };
    let of_first = rows.iter().filter(|row| row.affiliate == ids[0]);
    let held = |policy: &Policy| {
        let free = Costs { harm: 0, review: 0, ..COSTS };
        let holds = of_first.clone().filter(|row| {
            let made = Score { log_odds: row.log_odds, ..score(0.0) };
            policy.decide(&made, &subject(row.segment, row.affiliate), free).verdict == Verdict::Hold
        });
        holds.count()
    };
    assert!(50 < held(&bare) && held(&policy) <= 10, "{} {}", held(&bare), held(&policy));
}

#[test]
fn what_bounds_a_decision_is_told() {
    let ids = affiliates(3);
    let policy = Policy::fit(1, &window(3, &ids, 1_000), Limits::USUAL).unwrap();
    let calm = subject("desktop", ids[1]);
    check(&policy, 4.0, calm, COSTS, Bound::None);
    check(&policy, 4.0, calm, Costs { loss: 1, ..COSTS }, Bound::Cost);
    check(&policy, -4.0, calm, Costs { harm: 0, review: 0, ..COSTS }, Bound::Segment);
    let record = |honest, held| Subject { record: Some(Record { honest, held }), ..calm };
    check(&policy, 4.0, record(0, 0), COSTS, Bound::None);
    check(&policy, 4.0, record(99, 1), COSTS, Bound::None);
    check(&policy, 4.0, record(99, 2), COSTS, Bound::Record);
    check(&policy, 4.0, subject("unheard of", ids[1]), COSTS, Bound::None);
    let odd = Policy::fit(1, &window(3, &affiliates(12), 500), Limits::USUAL).unwrap();
    check(&odd, 0.5, subject("desktop", ids[0]), Costs { harm: 0, ..COSTS }, Bound::Affiliate);
}

#[test]
fn a_fraudster_cannot_raise_the_own_threshold_by_what_nobody_looked_at() {
    let ids = affiliates(10);
    let mut rows = window(5, &ids, 500);
    let fraud = rows.iter_mut().filter(|row| row.affiliate == ids[9]).take(100);
    for row in fraud {
        *row = Calibrated { log_odds: LogOdds(5_000_000), standing: Standing::Unreviewed, ..row.clone() };
    }
    let policy = Policy::fit(1, &rows, Limits::USUAL).unwrap();
    assert!(!policy.affiliates.contains_key(&ids[9]));
}

#[test]
fn a_policy_is_refused_when_it_could_promise_nothing() {
    let ids = affiliates(1);
    let rows = |count| (0..count).map(|_| row(-4.0, "all", ids[0])).collect::<Vec<_>>();
    let error = Policy::fit(1, &rows(113), Limits::USUAL).unwrap_err();
    assert_eq!(error, PolicyError::Few { rows: 113, rate: 0.02, needed: 114 });
    assert!(Policy::fit(1, &rows(114), Limits::USUAL).is_ok());
    let error = Policy::fit(1, &rows(200), Limits { rate: 1.5, ..Limits::USUAL }).unwrap_err();
    insta::assert_snapshot!(error, @"the rate is 1.5; it has to be from 0.000001 to below 1");
}

#[test]
fn a_small_segment_is_held_no_sooner_than_all_and_than_its_own_highest() {
    let ids = affiliates(3);
    let mut rows = window(6, &ids, 1_000);
    rows.push(row(2.0, "tablet", ids[1]));
    rows.push(row(-6.0, "console", ids[1]));
    let policy = Policy::fit(1, &rows, Limits::USUAL).unwrap();
    assert_eq!(policy.segments["tablet"], LogOdds(2_000_000));
    assert_eq!(policy.segments["console"], policy.threshold);
}

#[test]
fn a_policy_and_its_decisions_are_the_same_after_they_were_stored() {
    let ids = affiliates(12);
    let policy = Policy::fit(9, &window(7, &ids, 500), Limits::USUAL).unwrap();
    let stored: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
    assert_eq!(stored, policy);
    assert!(!policy.affiliates.is_empty());
}

proptest! {
    #[test]
    fn a_threshold_leaves_no_more_above_than_it_may(
        scores in proptest::collection::vec(-500_i64..500, 114..600), rate in 0.02..0.3_f64
    ) {
        let mut sorted: Vec<LogOdds> = scores.into_iter().map(LogOdds).collect();
        sorted.sort_unstable();
        let lowest = lowest(&sorted, rate, 0.9).unwrap();
        let above = sorted.iter().filter(|score| lowest < **score).count() as f64;
        prop_assert!(above < rate * (sorted.len() as f64 + 1.0));
    }
}
