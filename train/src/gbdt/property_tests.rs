//! What holds for every table: the same trees at any number of threads, monotone where asked, one answer by bins and by
//! values, and reasons that add up to it.

use proptest::prelude::*;

use super::{
    bins::Bins,
    block::Block,
    tests::{example, grown},
    *,
};
use crate::anomaly::{
    dice::Dice,
    matrix::{Matrix, Values},
};

fn at_threads<T: Send>(threads: usize, work: impl Fn() -> T + Send + Sync) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn the_same_bits_come_at_any_number_of_threads() {
    // Two blocks and a half.
    let (table, targets) = example(40_000, 1);
    let labels: Vec<f64> = targets.iter().map(|target| f64::from(u8::from(0.5 < *target))).collect();
    let amounts: Vec<f64> = targets.iter().map(|target| target.max(0.0)).collect();
    let settings = Settings { trees: 4, row_fraction: 0.8, feature_fraction: 0.7, ..Settings::default() };
    for (loss, targets) in
        [("squared", &targets), ("logistic", &labels), ("tweedie", &amounts), ("quantile:0.8", &targets)]
    {
        let fitted = |threads| at_threads(threads, || grown(&settings, loss, &table, targets));
        let once = fitted(1);
        let bits = |model: &Boosted| -> Vec<u64> {
            model.scores(&table).unwrap().iter().chain(&model.gains).map(|it| it.to_bits()).collect()
        };
        for threads in [2, 4] {
            let again = fitted(threads);
            assert!(again.trees == once.trees, "{loss} with {threads} threads");
            assert_eq!(bits(&again), bits(&once), "{loss} with {threads} threads");
        }
    }
}

#[test]
fn another_seed_draws_other_rows() {
    let (table, targets) = example(500, 1);
    let model = |seed| {
        let settings = Settings { trees: 3, row_fraction: 0.5, seed, ..Settings::default() };
        grown(&settings, "squared", &table, &targets).trees
    };
    assert_eq!(model(1), model(1));
    assert_ne!(model(1), model(2));
}

/// A table with numbers on a grid, far numbers, holes and categories, and a target for each row.
fn tables() -> impl Strategy<Value = (Matrix, Vec<f64>)> {
    let number = prop_oneof![
        6 => (-3_i32..8).prop_map(f64::from),
        2 => -1e12_f64..1e12,
        2 => (0_u32..100_000).prop_map(|second| 1_772_323_200.0 + f64::from(second) / 8.0),
        1 => Just(f64::NAN),
    ];
    let row = (number.clone(), number, prop::option::weighted(0.9, 0_u8..12), 0.0_f64..9.0);
    prop::collection::vec(row, 5..150).prop_map(|rows| {
        let named = [
            ("a".to_owned(), Values::Numbers(rows.iter().map(|row| row.0).collect())),
            ("b".to_owned(), Values::Numbers(rows.iter().map(|row| row.1).collect())),
            (
                "c".to_owned(),
                Values::Categories(rows.iter().map(|row| row.2.map(|it| it.to_string())).collect()),
            ),
        ];
        (Matrix::learn(&named).unwrap(), rows.iter().map(|row| row.3.floor()).collect())
    })
}

fn quick() -> Settings {
    Settings { trees: 4, leaves: 8, min_rows: 2, learning_rate: 0.5, ..Settings::default() }
}

/// The mean of what a tree says where only the features of a set are known.
fn expected(model: &Boosted, node: usize, row: &[f64], known: u32) -> f64 {
    let Ok(feature) = usize::try_from(model.trees.feature[node]) else { return model.value(node) };
    if known >> feature & 1 == 1 {
        return expected(model, model.next(node, row).unwrap(), row, known);
    }
    let side = |child: u32| {
        let child = child as usize;
        model.covers[child] / model.covers[node] * expected(model, child, row, known)
    };
    side(model.trees.left[node]) + side(model.trees.right[node])
}

/// Shapley values by their definition: over all sets of the other features.
fn shapley(model: &Boosted, row: &[f64]) -> Vec<f64> {
    let width = row.len();
    let worth = |known: u32| -> f64 {
        model.trees.roots.iter().map(|root| expected(model, *root as usize, row, known)).sum()
    };
    let factorial = |n: usize| (1..=n).map(|it| it as f64).product::<f64>();
    let value = |feature: usize| -> f64 {
        let without = (0..1_u32 << width).filter(|set| set >> feature & 1 == 0);
        without
            .map(|set| {
                let size = set.count_ones() as usize;
                let weight = factorial(size) * factorial(width - size - 1) / factorial(width);
                weight * (worth(set | 1 << feature) - worth(set))
            })
            .sum()
    };
    (0..width).map(value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bins_and_values_send_every_row_to_the_same_leaf((table, targets) in tables(), loss in 0_usize..4) {
        let listed = &losses::LOSSES[loss];
        let targets: Vec<f64> = match listed.name {
            "logistic" => targets.iter().enumerate().map(|(row, it)| if row < 2 { row as f64 } else { it.min(1.0) }).collect(),
            _ => targets.iter().enumerate().map(|(row, it)| if row == 0 { 1.0 } else { *it }).collect(),
        };
        let settings = quick();
        let held_out = Examples { table: &table, targets: &targets, weights: None };
        let loss = (listed.make)(None).unwrap();
        let model = fit(&settings, &*loss, held_out, Some(held_out), &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        // The trainer's own scores came from bins.
        let scores = model.scores(&table).unwrap();
        let from_values = loss.sum(&targets, &scores, None) / targets.len() as f64;
        let from_bins = model.rounds.last().unwrap().held_out_loss.unwrap();
        prop_assert_eq!(from_values.to_bits(), from_bins.to_bits());
        let bins = Bins::of_table(&table, settings.bins, settings.seed).unwrap();
        for block in Block::of_table(&table, &bins, 0.0) {
            prop_assert!(block.bins().len() == table.values().len());
        }
    }

    #[test]
    fn leaf_values_add_up_exactly_in_any_order((table, targets) in tables()) {
        let model = grown(&quick(), "squared", &table, &targets);
        for row in 0..table.rows() {
            let mut backwards = model.trees.base[0];
            for root in model.trees.roots.iter().rev() {
                let mut node = *root as usize;
                while let Some(child) = model.next(node, table.row(row)) {
                    node = child;
                }
                backwards += model.value(node);
            }
            prop_assert_eq!(backwards.to_bits(), model.scores(&table).unwrap()[row].to_bits());
        }
    }

    #[test]
    fn contributions_are_shapley_values_and_add_up((table, targets) in tables()) {
        let model = grown(&quick(), "squared", &table, &targets);
        let scores = model.scores(&table).unwrap();
        for (row, score) in scores.iter().enumerate().take(8) {
            let found = model.contributions(table.row(row));
            for (found, expected) in found.features.iter().zip(shapley(&model, table.row(row))) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
            }
            let sum = found.base + found.features.iter().sum::<f64>();
            prop_assert!((sum - score).abs() < 1e-9, "{sum} instead of {score}");
        }
    }

    #[test]
    fn the_expected_score_is_the_mean_of_the_rows((table, targets) in tables()) {
        let model = grown(&quick(), "squared", &table, &targets);
        let scores = model.scores(&table).unwrap();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let base = model.contributions(table.row(0)).base;
        prop_assert!((mean - base).abs() < 1e-9, "{mean} {base}");
    }

    #[test]
    fn a_monotone_feature_never_turns_back(
        seed in 0_u64..1_000, rising in any::<bool>(), loss in 0_usize..4, far in 0.5_f64..4.0,
    ) {
        let mut dice = Dice::new(seed, 0);
        let table = Matrix::from_rows(3, (0..900).map(|_| dice.normal()).collect()).unwrap();
        let listed = &losses::LOSSES[loss];
        let targets: Vec<f64> = (0..300).map(|row| {
            let [a, b, c] = [0, 1, 2].map(|at| table.row(row)[at]);
            let wave = (far * a).sin() + a * b + 0.3 * c * a * a + 0.5 * dice.normal();
            match listed.name {
                "logistic" => f64::from(u8::from(0.0 < wave)),
                "tweedie" => wave.max(0.0),
                _ => wave,
            }
        }).collect();
        let direction = if rising { Monotone::Rising } else { Monotone::Falling };
        let monotone = vec![direction, Monotone::Free, Monotone::Rising];
        let settings = Settings { trees: 25, leaves: 12, min_rows: 5, monotone, ..Settings::default() };
        let model = grown(&settings, listed.name, &table, &targets);
        for row in 0..60 {
            let along = |feature: usize| -> Vec<f64> {
                let rows = (-40..=40).flat_map(|step| {
                    let mut other = table.row(row).to_vec();
                    other[feature] = 0.1 * f64::from(step);
                    other
                });
                model.scores(&Matrix::from_rows(3, rows.collect()).unwrap()).unwrap()
            };
            let ordered = |pair: &[f64]| if rising { pair[0] <= pair[1] } else { pair[1] <= pair[0] };
            prop_assert!(along(0).windows(2).all(ordered));
            prop_assert!(along(2).windows(2).all(|pair| pair[0] <= pair[1]));
        }
    }

    #[test]
    fn no_table_stops_a_fit((table, targets) in tables(), bins in 2_usize..=255, leaves in 2_usize..40) {
        let settings = Settings { bins, leaves, min_rows: 1, l2: 0.5, row_fraction: 0.6, ..quick() };
        let model = grown(&settings, "squared", &table, &targets);
        prop_assert!(model.scores(&table).unwrap().iter().all(|score| score.is_finite()));
        let strange = [f64::NAN, f64::MAX, -f64::MAX, 0.5].repeat(3);
        let strange = Matrix::from_rows(3, strange).unwrap();
        prop_assert!(model.scores(&strange).unwrap().iter().all(|score| score.is_finite()));
    }
}
