//! Each loss: its derivatives are those of its values, and its start is the best constant.

use super::*;

/// Targets that every loss can be learned from, one of them twice as heavy.
const TARGETS: [f64; 6] = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
const WEIGHTS: [f64; 6] = [1.0, 2.0, 0.5, 0.0, 1.0, 3.0];

fn all() -> Vec<Box<dyn Loss>> {
    LOSSES.iter().map(|listed| (listed.make)(None).unwrap()).collect()
}

#[test]
fn each_is_found_by_its_name() {
    for (listed, loss) in LOSSES.iter().zip(all()) {
        assert_eq!(listed.name, loss.name());
        assert!(!listed.doc.is_empty());
        assert_eq!(parse(listed.name).unwrap().name(), listed.name);
    }
    let mut names = LOSSES.map(|listed| listed.name);
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn derivatives_are_those_of_the_values() {
    let step = 1e-5;
    for loss in all() {
        for target in [0.0, 1.0] {
            for score in [-2.3, -0.4, 0.2, 0.7, 1.9] {
                let at = |score: f64| loss.of(target, score);
                let slopes = loss.slopes(target, score);
                let first = (at(score + step) - at(score - step)) / (2.0 * step);
                assert!((first - slopes[0]).abs() < 1e-6, "{loss:?} {target} {score}: {first} {slopes:?}");
                if !loss.renews() {
                    let second = (at(score + step) + at(score - step) - 2.0 * at(score)) / (step * step);
                    assert!(
                        (second - slopes[1]).abs() < 1e-4,
                        "{loss:?} {target} {score}: {second} {slopes:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_other_constant_is_better_than_the_start() {
    for loss in all() {
        for weights in [None, Some(&WEIGHTS[..])] {
            let of = |score: f64| loss.sum(&TARGETS, &[score; 6], weights);
            let start = loss.start(&TARGETS, weights);
            for other in [-1.0, -0.1, -1e-3, 1e-3, 0.1, 1.0] {
                assert!(of(start) <= of(start + other) + 1e-12, "{loss:?}: {start} or {}", start + other);
            }
        }
    }
}

#[test]
fn extreme_scores_give_finite_numbers() {
    for loss in all() {
        for score in [-1e6, -800.0, 800.0, 1e6] {
            let [first, second] = loss.slopes(1.0, score);
            assert!(loss.of(1.0, score).is_finite() && first.is_finite(), "{loss:?}");
            assert!(second.is_finite() && 0.0 <= second, "{loss:?}");
        }
    }
}

#[test]
fn known_values() {
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
    close(Logistic.of(1.0, 0.0), std::f64::consts::LN_2);
    close(Logistic.start(&[1.0, 0.0, 0.0, 0.0], None), -(3.0_f64.ln()));
    close(Squared.of(1.0, 4.0), 4.5);
    close(Quantile::new(0.9).unwrap().of(3.0, 1.0), 1.8);
    close(Quantile::new(0.9).unwrap().of(1.0, 3.0), 0.2);
    // Half the unit deviance of power 1.5 is 2 (√y − √μ)² / √μ, and zero at the target.
    let tweedie = Tweedie::new(1.5).unwrap();
    let deviance = |target: f64, mean: f64| tweedie.of(target, mean.ln()) - tweedie.of(target, target.ln());
    close(deviance(9.0, 4.0), 2.0 * (3.0_f64 - 2.0).powi(2) / 2.0);
}

#[test]
fn what_cannot_be_learned_is_said() {
    let says = |loss: &str, targets: &[f64], words: &str| {
        let error = parse(loss).unwrap().check(targets, None).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    says(
        "logistic",
        &[0.0, 1.0, 0.5],
        "the target of row 2 is 0.5; with the logistic loss it must be 0 or 1",
    );
    says("logistic", &[1.0, 1.0], "needs a 0 among the targets");
    says("logistic", &[0.0, 0.0], "needs a 1 among the targets");
    says(
        "tweedie",
        &[3.0, -1.0],
        "the target of row 1 is -1; with the tweedie loss it must be a number from 0",
    );
    says("tweedie", &[0.0], "needs a number above 0");
    says("squared", &[f64::NAN], "the target of row 0 is NaN");
    says("quantile", &[1e300], "must be a number from -1e30 to 1e30");
    let refused = |name: &str, words: &str| {
        let error = parse(name).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused("huber", "there is no loss called huber; there are logistic, quantile, squared, tweedie");
    refused("tweedie:2", "is 2, but must be above 1 and below 2");
    refused("quantile:0", "is 0, but must be above 0 and below 1");
    refused("quantile:x", "is x, but must be a number");
    refused("squared:1", "is 1, but must be left out");
}

#[test]
fn a_weighted_quantile_is_that_of_repeated_rows() {
    let loss = Quantile::new(0.7).unwrap();
    let weighted = loss.start(&[5.0, 1.0, 3.0], Some(&[1.0, 3.0, 2.0]));
    let repeated = loss.start(&[5.0, 1.0, 1.0, 1.0, 3.0, 3.0], None);
    assert_eq!(weighted.to_bits(), repeated.to_bits());
    assert_eq!(weighted.to_bits(), 3.0_f64.to_bits());
}
