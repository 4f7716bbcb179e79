//! What is broken is said to be, and what chance does is not.

use sqlx::types::Json;

use super::*;

/// A decision of this score, and what became of it.
fn decided(log_odds: f64, is_held: bool, is_fraud: Option<bool>) -> Decided {
    let (status, reason) = match is_fraud {
        None => (ConversionStatus::Pending, None),
        Some(false) => (ConversionStatus::Approved, None),
        Some(true) => (ConversionStatus::Rejected, Some(ReversalReason::Fraud)),
    };
    Decided {
        log_odds: (log_odds * 1e6) as i64,
        is_held,
        version: None,
        values: None,
        flags: Json(Vec::new()),
        is_canary: false,
        shadow: None,
        status,
        reason,
    }
}

fn health(past: &[Decided], present: &[Decided]) -> DecisionHealth {
    let at = DateTime::from_timestamp(1_769_947_200, 0).unwrap();
    let ended: Vec<Decided> =
        past.iter().chain(present).filter(|one| is_fraud(one).is_some()).cloned().collect();
    DecisionHealth::of(((at, at), at), &[], (past, present, &ended), Limits::USUAL)
}

fn crossed(health: &DecisionHealth) -> Vec<&'static str> {
    health.bounds.iter().filter(|bound| bound.is_crossed).map(|bound| bound.bound).collect()
}

/// Scores of a day, of which none is another.
fn scores(up: f64) -> Vec<Decided> {
    (0..400).map(|place| decided(f64::from(place) / 100.0 - 6.0 + up, false, None)).collect()
}

#[test]
fn intervals_are_those_of_wilsons_paper() {
    let (low, high) = wilson(10, 100, SHOWN);
    assert!((low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4, "{low} {high}");
    assert_eq!(wilson(0, 0, SHOWN), (0.0, 1.0));
}

#[test]
fn scores_that_lie_elsewhere_have_moved_and_others_have_not() {
    assert_eq!(crossed(&health(&scores(0.0), &scores(0.0))), [""; 0]);
    assert_eq!(crossed(&health(&scores(0.0), &scores(2.0))), ["score_drift"]);
    let few = scores(2.0);
    let told = health(&scores(0.0), &few[..50]);
    assert_eq!(crossed(&told), [""; 0], "fifty are too few");
    assert!(told.bounds.iter().any(|bound| bound.words.contains("too few to say")), "{:?}", told.bounds);
}

#[test]
fn the_honest_are_held_no_more_often_than_was_promised() {
    let honest = |held: usize| -> Vec<Decided> {
        (0..500).map(|place| decided(-5.0, place < held, Some(false))).collect()
    };
    assert_eq!(crossed(&health(&[], &honest(10))), [""; 0], "two in a hundred are what was promised");
    assert_eq!(crossed(&health(&[], &honest(15))), [""; 0], "and three may be chance");
    assert_eq!(crossed(&health(&[], &honest(40))), ["honest_held"]);
}

#[test]
fn probabilities_have_to_come_true() {
    let fraud = |found: usize| -> Vec<Decided> {
        (0..400).map(|place| decided(0.0, true, Some(place < found))).collect()
    };
    let told = health(&[], &fraud(200));
    assert!(!crossed(&told).contains(&"calibration"), "{:?}", told.bounds);
    assert_eq!(told.matured.expected, Some(0.5));
    assert_eq!(told.matured.fraud.share, Some(0.5));
    assert!(crossed(&health(&[], &fraud(100))).contains(&"calibration"));
}
