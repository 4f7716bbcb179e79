//! Calibrations against scikit-learn's numbers, and probabilities that come true.

use proptest::prelude::*;

use super::*;
use crate::anomaly::{dice::Dice, metrics::reliability, metrics::tests::example};

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
}

#[test]
fn isotonic_regression_is_that_of_scikit_learn() {
    let (scores, labels) = example();
    let isotonic = Isotonic::fit(&scores, &labels).unwrap();
    // IsotonicRegression(out_of_bounds='clip'), scikit-learn 1.9.1.
    let expected = [
        (-1.0, 0.0),
        (0.0, 0.0),
        (3.5, 0.136_842_105_263_157_9),
        (9.0, 0.136_842_105_263_157_9),
        (14.0, 0.166_666_666_666_666_66),
        (17.5, 0.267_857_142_857_142_85),
        (20.0, 0.5),
        (22.0, 0.5),
        (30.0, 0.5),
    ];
    for (score, probability) in expected {
        near(isotonic.probability(score), probability, 1e-12);
    }
}

#[test]
fn platts_curve_is_that_of_scikit_learn() {
    let (scores, labels) = example();
    let platt = Platt::fit(&scores, &labels).unwrap();
    // sklearn.calibration._SigmoidCalibration, 1.9.1, whose search stops at about four digits.
    near(platt.slope, 0.079_500_357, 1e-5);
    near(platt.intercept, -2.292_733_31, 2e-4);
}

#[test]
fn scores_the_wrong_way_round_are_no_evidence() {
    let scores: Vec<f64> = (0..100).map(f64::from).collect();
    let labels: Vec<bool> = (0..100).map(|row| row < 50).collect();
    let platt = Platt::fit(&scores, &labels).unwrap();
    near(platt.slope, 0.0, 1e-12);
    near(platt.probability(7.0), 0.5, 1e-9);
    let isotonic = Isotonic::fit(&scores, &labels).unwrap();
    near(isotonic.probability(7.0), 0.5, 1e-12);
}

#[test]
fn huge_and_perfect_scores_give_probabilities() {
    let scores: Vec<f64> = (0..20).map(|row| 1e9 + 1e8 * f64::from(row)).collect();
    let labels: Vec<bool> = (0..20).map(|row| 10 <= row).collect();
    let platt = Platt::fit(&scores, &labels).unwrap();
    assert!(platt.probability(1e9) < 0.2 && 0.8 < platt.probability(2.9e9));
    let one_value = Platt::fit(&[3.0; 4], &[true, false, false, false]).unwrap();
    assert!((0.0..=1.0).contains(&one_value.probability(3.0)));
    assert!(Calibration::from_labels(&[1.0, 2.0], &[true, true]).is_err());
}

#[test]
fn the_way_is_chosen_by_how_much_was_judged_and_probabilities_come_true() {
    for (rows, isotonic) in [(400, false), (6_000, true)] {
        let mut dice = Dice::new(11, rows);
        let mut draw = |rows: u64| -> (Vec<f64>, Vec<bool>) {
            (0..rows)
                .map(|_| (dice.unit() * 6.0, dice.unit()))
                .map(|(s, u)| (s, u < logistic(s - 4.0)))
                .unzip()
        };
        let (scores, labels) = draw(rows);
        let calibration = Calibration::from_labels(&scores, &labels).unwrap();
        assert_eq!(matches!(calibration, Calibration::Isotonic(_)), isotonic);
        assert!(calibration.is_probability());
        let (scores, labels) = draw(20_000);
        let said: Vec<f64> = scores.iter().map(|score| calibration.apply(*score)).collect();
        for bin in reliability(&said, &labels, 5).unwrap() {
            near(bin.said, bin.came, 0.06);
        }
    }
}

#[test]
fn without_labels_there_is_a_rank_and_it_does_not_call_itself_a_probability() {
    let scores: Vec<f64> = (0..1_000).map(f64::from).collect();
    let calibration = Calibration::from_scores(&scores);
    assert!(!calibration.is_probability());
    near(calibration.apply(500.0), 0.5, 0.01);
}

proptest! {
    #[test]
    fn no_calibration_ever_falls(
        rows in prop::collection::vec((-20_i32..20, any::<bool>()), 2..120),
        asked in prop::collection::vec(-30.0_f64..30.0, 1..40),
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let mut asked = asked;
        asked.sort_by(f64::total_cmp);
        let mut all = vec![Calibration::from_scores(&scores)];
        if let Ok(isotonic) = Isotonic::fit(&scores, &labels) {
            all.push(Calibration::Isotonic(isotonic));
            all.push(Calibration::Platt(Platt::fit(&scores, &labels).unwrap()));
        }
        for calibration in all {
            let said: Vec<f64> = asked.iter().map(|score| calibration.apply(*score)).collect();
            prop_assert!(said.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{calibration:?}");
            prop_assert!(said.iter().all(|said| (0.0..=1.0).contains(said)));
        }
    }
}
