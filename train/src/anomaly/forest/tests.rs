//! What an isolation forest may never be: another one at another number of threads, another in its fast form, or
//! one whose reasons do not add up.

use proptest::prelude::*;

use super::{descent::walk, *};
use crate::anomaly::dice::Dice;

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
}

fn normals(rows: usize, width: usize, seed: u64) -> Matrix {
    let mut dice = Dice::new(seed, 0);
    Matrix::from_rows(width, (0..rows * width).map(|_| dice.normal()).collect()).unwrap()
}

#[test]
fn average_path_lengths_are_those_of_scikit_learn() {
    // sklearn.ensemble._iforest._average_path_length, 1.9.1.
    let expected = [
        (0, 0.0),
        (1, 0.0),
        (2, 1.0),
        (3, 1.207_392_357_589_623),
        (4, 1.851_655_907_139_285_5),
        (10, 3.748_880_484_475_505),
        (256, 10.244_770_920_119_917),
        (1_000, 12.969_940_887_100_174),
    ];
    for (n, length) in expected {
        near(average_path_length(n), length);
    }
}

#[test]
fn heights_are_limited_to_the_logarithm_of_the_sample() {
    for (sample, limit) in [(1, 1), (2, 1), (3, 2), (256, 8), (257, 9)] {
        assert_eq!(height_limit(sample), limit);
    }
}

#[test]
fn a_row_far_out_is_found_and_its_feature_blamed() {
    let mut values = normals(2_000, 4, 1).values().to_vec();
    values[4 * 1_234 + 2] = 9.0;
    let table = Matrix::from_rows(4, values).unwrap();
    let forest = IsolationForest::fit(&table, &Settings::default()).unwrap();
    let scores = forest.scores(&table).unwrap();
    let above = scores.iter().filter(|score| scores[1_234] < **score).count();
    assert!(above < 100, "{above} rows are found stranger");
    let blame = forest.blame(table.row(1_234));
    assert!((0..4).all(|feature| feature == 2 || blame[feature] < blame[2] / 2.0), "{blame:?}");
}

#[test]
fn two_rows_are_parted_by_one_question() {
    let table = Matrix::from_rows(1, vec![0.0, 10.0]).unwrap();
    let forest = IsolationForest::fit(&table, &Settings { trees: 7, ..Settings::default() }).unwrap();
    assert_eq!(forest.trees().samples[..3], [2, 1, 1]);
    let trees = forest.trees();
    assert!(trees.roots.iter().all(|&root| (0.0..10.0).contains(&trees.threshold[root as usize])));
    for score in forest.scores(&table).unwrap() {
        near(score, 0.5);
    }
}

#[test]
fn a_missing_value_can_single_a_row_out() {
    let rows = 500_usize;
    let mut values = normals(rows, 2, 3).values().to_vec();
    values[2 * 77] = f64::NAN;
    let table = Matrix::from_rows(2, values).unwrap();
    let all = Settings { sample_size: rows, ..Settings::default() };
    let forest = IsolationForest::fit(&table, &all).unwrap();
    assert!(forest.scores(&table).unwrap().iter().all(|score| 0.0 < *score && *score < 1.0));
    let only_missing: Vec<f64> = (0..rows).map(|row| if row == 77 { f64::NAN } else { 4.0 }).collect();
    let table = Matrix::from_rows(1, only_missing).unwrap();
    let scores = IsolationForest::fit(&table, &all).unwrap().scores(&table).unwrap();
    assert!((0..rows).all(|row| row == 77 || scores[row] < scores[77]));
}

#[test]
fn the_sample_is_divided_without_loss() {
    let table = normals(3_000, 3, 4);
    let forest = IsolationForest::fit(&table, &Settings::default()).unwrap();
    let trees = forest.trees();
    assert_eq!(trees.roots.len(), 100);
    for node in 0..trees.len() {
        let (left, right) = (trees.left[node] as usize, trees.right[node] as usize);
        if trees.feature[node] < 0 {
            assert!(left == node && right == node);
            near(
                trees.path[node],
                f64::from(trees.depth[node]) + average_path_length(trees.samples[node] as usize),
            );
        } else {
            assert_eq!(trees.samples[left] + trees.samples[right], trees.samples[node]);
            assert!(0 < trees.samples[left] && 0 < trees.samples[right]);
            assert!(node < left && left < right && trees.depth[left] <= 8);
        }
    }
}

#[test]
fn settings_out_of_bounds_are_refused() {
    let table = normals(10, 2, 0);
    let fit = |trees, sample_size| IsolationForest::fit(&table, &Settings { trees, sample_size, seed: 0 });
    assert_eq!(fit(0, 256).unwrap_err().to_string(), "trees is 0, but must be at least 1");
    assert_eq!(fit(1, 1).unwrap_err().to_string(), "sample_size is 1, but must be at least 2");
    let forest = fit(3, 8).unwrap();
    let wrong = forest.scores(&normals(4, 3, 0)).unwrap_err().to_string();
    assert_eq!(wrong, "the table has 3 columns; the detector was fitted on 2");
}

/// Values on a coarse grid, so that there are duplicates and constant columns, and some missing.
fn tables() -> impl Strategy<Value = Matrix> {
    let cell = prop_oneof![8 => (-2_i32..6).prop_map(f64::from), 1 => Just(f64::NAN), 1 => -1e12_f64..1e12];
    (1_usize..6, 1_usize..60).prop_flat_map(move |(width, rows)| {
        prop::collection::vec(cell.clone(), width * rows)
            .prop_map(move |values| Matrix::from_rows(width, values).unwrap())
    })
}

proptest! {
    #[test]
    fn credits_add_up_and_both_forms_agree(
        table in tables(), seed in any::<u64>(), sample_size in prop_oneof![Just(256_usize), 2_usize..40, Just(5_000)],
    ) {
        let settings = Settings { trees: 9, sample_size, seed };
        let forest = IsolationForest::fit(&table, &settings).unwrap();
        let mut walked = vec![0.0; table.rows()];
        walk(forest.trees(), table.values(), table.width(), &mut walked);
        let paths = forest.mean_paths(&table).unwrap();
        for row in 0..table.rows() {
            prop_assert_eq!(paths[row].to_bits(), (walked[row] / 9.0).to_bits());
            let credits = forest.credits(table.row(row));
            let sum = credits.base + credits.features.iter().sum::<f64>();
            prop_assert!((sum - paths[row]).abs() < 1e-9, "{} and {}", sum, paths[row]);
        }
    }
}

#[test]
fn trees_too_high_to_pad_give_the_same_sums() {
    let table = normals(9_000, 2, 6);
    let settings = Settings { trees: 3, sample_size: 8_192, seed: 1 };
    let forest = IsolationForest::fit(&table, &settings).unwrap();
    let scores = forest.scores(&table).unwrap();
    assert!(scores.iter().all(|score| 0.0 < *score && *score < 1.0));
    let credits = forest.credits(table.row(5));
    near(credits.base + credits.features.iter().sum::<f64>(), forest.mean_paths(&table).unwrap()[5]);
}
