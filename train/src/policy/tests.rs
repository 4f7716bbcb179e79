//! Estimators beside the truth: how often intervals hold it, and what is refused.

use proptest::prelude::*;

use super::{
    logs::{GRID, Made, dice, make, truth, wanted},
    *,
};
use crate::linear::SingularError;

const LOGS: u64 = 400;

fn predicted(made: &Made) -> Vec<f64> {
    let contexts = Contexts { rows: &made.contexts, width: 2 };
    cross_fitted(&made.log(), contexts, &GRID, 5, 1e-3).unwrap()
}

/// In which share of the logs the interval holds the truth.
fn covered(estimator: &Estimator) -> f64 {
    let truth = truth(wanted);
    let holds = |seed: u64| {
        let made = make(300, 6, &mut dice(seed));
        let predicted = predicted(&made);
        let candidate = Candidate { probabilities: &made.judged, predicted: &predicted };
        judge(&Settings::default(), &made.log(), &candidate, estimator).unwrap().value.holds(truth)
    };
    (0..LOGS).filter(|seed| holds(*seed)).count() as f64 / LOGS as f64
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for estimator in ESTIMATORS {
        let share = covered(estimator);
        println!("{}: {share} of the intervals hold the truth", estimator.name);
        assert!((0.90..=0.97).contains(&share), "{}: {share}", estimator.name);
    }
}

#[test]
fn the_logging_policy_is_not_called_better_than_itself() {
    for estimator in ESTIMATORS {
        let is_better = |seed: u64| {
            let made = make(300, 6, &mut dice(1_000 + seed));
            let predicted = predicted(&made);
            let candidate = Candidate { probabilities: &made.logging, predicted: &predicted };
            judge(&Settings::default(), &made.log(), &candidate, estimator).unwrap().uplift.is_above_zero()
        };
        let share = (0..LOGS).filter(|seed| is_better(*seed)).count() as f64 / LOGS as f64;
        println!("{}: the logging policy is called better than itself in {share}", estimator.name);
        assert!(share <= 0.05);
    }
}

fn judged(settings: &Settings, made: &Made, probabilities: &[f64]) -> Result<Judgement, LogError> {
    let predicted = vec![0.0; probabilities.len()];
    judge(settings, &made.log(), &Candidate { probabilities, predicted: &predicted }, &estimate::IPS)
}

#[test]
fn what_the_log_cannot_say_is_refused_in_a_sentence() {
    let settings = Settings::default();
    let made = make(60, 6, &mut dice(1));
    let refused = |settings: &Settings, probabilities: &[f64]| {
        judged(settings, &made, probabilities).unwrap_err().to_string()
    };
    let always_first: Vec<f64> = made.partners.iter().flat_map(|_| [1.0, 0.0, 0.0, 0.0]).collect();
    assert!(refused(&settings, &always_first).contains("and 50 are needed"));
    let clipped = Settings { small: Small::Refuse(0.2), ..settings };
    assert!(refused(&clipped, &made.judged).contains("below the floor of 0.2"));
    assert!(refused(&settings, &made.judged[4..]).contains("has 1436 entries where 1440 are needed"));
    let halves: Vec<f64> = made.judged.iter().map(|one| one / 2.0).collect();
    assert!(refused(&settings, &halves).contains("instead of 1"));
}

#[test]
fn propensities_that_are_clipped_are_told() {
    let made = make(300, 6, &mut dice(2));
    let settings = Settings { small: Small::Clip(0.2), ..Settings::default() };
    let below = made.propensities.iter().filter(|one| **one < 0.2).count();
    assert_ne!(below, 0);
    assert_eq!(judged(&settings, &made, &made.judged).unwrap().support.clipped, below);
}

#[test]
fn a_policy_that_does_what_was_never_tried_is_refused() {
    let mut made = make(300, 6, &mut dice(3));
    // The first rate was never paid; the log's propensities are of the other three.
    for row in 0..made.partners.len() {
        if made.actions[row] == 0 {
            made.actions[row] = 1;
        }
        let first = made.logging[row * 4];
        let moved = made.logging[row * 4 + 1] + first;
        (made.logging[row * 4], made.logging[row * 4 + 1]) = (0.0, moved);
        made.propensities[row] = made.logging[row * 4 + made.actions[row] as usize];
    }
    let refused = judged(&Settings::default(), &made, &made.judged).unwrap_err();
    assert!(matches!(refused, LogError::Unsupported { .. }), "{refused}");
}

#[test]
fn a_surrogate_finds_its_coefficients_again() {
    let mut dice = dice(4);
    let partners: Vec<u32> = (0..2_000).map(|row| row / 4).collect();
    let outcomes: Vec<f64> = (0..4_000).map(|_| logs::normal(&mut dice)).collect();
    let reward = |pair: &[f64]| 3.0 + 2.0 * pair[0] - pair[1];
    let rewards: Vec<f64> =
        outcomes.chunks_exact(2).map(|pair| reward(pair) + logs::normal(&mut dice)).collect();
    let surrogate = Surrogate::fit(&partners, &outcomes, 2, &rewards).unwrap();
    assert!((surrogate.index(&[1.0, 1.0]) - 4.0).abs() < 0.15);
    // The variance of a mean of 2,000 is 1 / 2,000.
    assert!((surrogate.variance(&[0.0, 0.0], 1.0) * 2_000.0 - 1.0).abs() < 0.2);
    let twice: Vec<f64> = outcomes.chunks_exact(2).flat_map(|pair| [pair[0], pair[0]]).collect();
    assert_eq!(Surrogate::fit(&partners, &twice, 2, &rewards).unwrap_err(), SingularError(2));
}

proptest! {
    #[test]
    fn whatever_is_logged_intervals_hold_their_own_estimates(seed: u64) {
        let made = make(80, 3, &mut dice(seed));
        let predicted = predicted(&made);
        let settings = Settings { least_partners: 1.0, ..Settings::default() };
        for estimator in ESTIMATORS {
            let candidate = Candidate { probabilities: &made.judged, predicted: &predicted };
            if let Ok(Judgement { value, uplift, support, .. }) = judge(&settings, &made.log(), &candidate, estimator) {
                prop_assert!(value.holds(value.value) && uplift.holds(uplift.value));
                prop_assert!(support.effective_partners <= support.partners as f64 + 1e-9);
                prop_assert!(support.effective_rows <= support.rows as f64 + 1e-9);
            }
        }
    }
}
