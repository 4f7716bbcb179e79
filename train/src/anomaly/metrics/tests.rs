//! Measures against scikit-learn's numbers, counted pairs and hand-made cases.

use proptest::prelude::*;

use super::*;

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
}

/// Scores with many ties and labels that follow them a little: what the constants below were computed on.
pub(in crate::anomaly) fn example() -> (Vec<f64>, Vec<bool>) {
    let score = |i: u32| i * 37 % 101 % 23;
    let label = |i: u32| (i * i % 7 == 2 && i.is_multiple_of(2)) || (17 < score(i) && i.is_multiple_of(3));
    ((0..200).map(|i| f64::from(score(i))).collect(), (0..200).map(label).collect())
}

#[test]
fn areas_are_those_of_scikit_learn() {
    let (scores, labels) = example();
    let ranked = Ranked::new(&scores, &labels).unwrap();
    // roc_auc_score and average_precision_score, scikit-learn 1.9.1.
    near(ranked.roc_auc(), 0.647_734_375, 1e-12);
    near(ranked.average_precision(), 0.347_314_891_442_880_4, 1e-12);
    // The sample variances of psi by rows and by columns, as DeLong et al. define them, computed with NumPy.
    near(ranked.delong_variance(), 0.002_904_829_726_382_967, 1e-12);
}

#[test]
fn intervals_hold_the_value_and_know_their_bounds() {
    let (scores, labels) = example();
    let ranked = Ranked::new(&scores, &labels).unwrap();
    let auc = ranked.roc_auc_interval();
    near(auc.low, 0.5352, 0.005);
    near(auc.high, 0.7459, 0.005);
    let ap = ranked.average_precision_interval(400, 1);
    assert!(0.2 < ap.low && ap.low < ap.value && ap.value < ap.high && ap.high < 0.6, "{ap:?}");
    assert_eq!(ap, ranked.average_precision_interval(400, 1));
    assert_ne!(ap, ranked.average_precision_interval(400, 2));
    let perfect = Ranked::new(&[1.0, 2.0, 3.0, 4.0], &[false, false, true, true]).unwrap();
    assert_eq!(perfect.roc_auc_interval(), Estimate { value: 1.0, low: 0.0, high: 1.0 });
    let one = Ranked::new(&[1.0, 2.0, 3.0], &[false, true, false]).unwrap().roc_auc_interval();
    assert!(one.low.abs() < 1e-12 && 0.99 < one.high);
}

#[test]
fn a_rate_decides_a_threshold() {
    let scores = [9.0, 8.0, 8.0, 7.0, 6.0, 5.0, 5.0, 4.0];
    let labels = [true, true, false, true, false, false, false, false];
    let ranked = Ranked::new(&scores, &labels).unwrap();
    let at = |rate| ranked.at_false_positive_rate(rate);
    let none = Operating { threshold: 9.0, recall: 1.0 / 3.0, precision: 1.0, false_positive_rate: 0.0 };
    assert_eq!(at(0.0), none);
    assert_eq!(at(0.19), none);
    let fifth = Operating { threshold: 7.0, recall: 1.0, precision: 0.75, false_positive_rate: 0.2 };
    assert_eq!(at(0.2), fifth);
    let wrong = Ranked::new(&[2.0, 1.0], &[false, true]).unwrap().at_false_positive_rate(0.5);
    assert!(wrong.threshold.is_infinite() && wrong.recall.abs() < 1e-12);
    assert_eq!(ranked.roc_curve().last(), Some(&[1.0, 1.0]));
    let [recall, precision] = ranked.precision_recall_curve()[1];
    near(recall, 2.0 / 3.0, 1e-12);
    near(precision, 2.0 / 3.0, 1e-12);
}

#[test]
fn what_cannot_be_measured_says_why() {
    let error = |scores: &[f64], labels: &[bool]| Ranked::new(scores, labels).unwrap_err();
    assert_eq!(error(&[1.0], &[]), MetricError::Lengths { scores: 1, labels: 0 });
    assert_eq!(error(&[1.0, f64::NAN], &[true, false]), MetricError::NotANumber(1));
    assert_eq!(error(&[1.0, 2.0], &[true, true]), MetricError::OneClass { anomalies: 2, others: 0 });
}

#[test]
fn reliability_sets_what_was_said_beside_what_came() {
    let said = [0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.8, 0.9];
    let came = [false, false, true, false, true, true, true, false];
    let curve = reliability(&said, &came, 2).unwrap();
    assert_eq!(curve.len(), 2);
    near(curve[0].said, 0.1, 1e-12);
    near(curve[0].came, 0.25, 1e-12);
    near(curve[1].said, 0.875, 1e-12);
    near(curve[1].came, 0.75, 1e-12);
    assert_eq!(reliability(&said, &came, 100).unwrap().iter().map(|bin| bin.rows).sum::<usize>(), 8);
    assert_eq!(reliability(&[], &[], 3), Ok(Vec::new()));
}

proptest! {
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(
        rows in prop::collection::vec((-3_i32..9, any::<bool>()), 2..80),
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 4.0).collect();
        let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let mut pairs = (0.0, 0.0);
        for (score, _) in rows.iter().filter(|row| row.1) {
            for (other, _) in rows.iter().filter(|row| !row.1) {
                pairs.0 += if other < score { 1.0 } else if other == score { 0.5 } else { 0.0 };
                pairs.1 += 1.0;
            }
        }
        match Ranked::new(&scores, &labels) {
            Ok(ranked) => {
                prop_assert!((ranked.roc_auc() - pairs.0 / pairs.1).abs() < 1e-12);
                let auc = ranked.roc_auc_interval();
                prop_assert!(0.0 <= auc.low && auc.low <= auc.value + 1e-12);
                prop_assert!(auc.value <= auc.high + 1e-12 && auc.high <= 1.0);
                let trapezoids: f64 = ranked
                    .roc_curve()
                    .windows(2)
                    .map(|pair| (pair[1][0] - pair[0][0]) * (pair[1][1] + pair[0][1]) / 2.0)
                    .sum();
                prop_assert!((ranked.roc_auc() - trapezoids).abs() < 1e-12);
            }
            Err(error) => {
                let one_class = matches!(error, MetricError::OneClass { .. });
                prop_assert!(one_class && pairs.1 < 0.5);
            }
        }
    }
}
