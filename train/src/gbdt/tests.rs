//! What trees learn from small tables: numbers, holes, categories; when they stop; and what is refused.

use std::ops::ControlFlow;

use super::*;
use crate::anomaly::{
    dice::Dice,
    matrix::{Matrix, Values},
};

pub(super) fn grown(settings: &Settings, loss: &str, table: &Matrix, targets: &[f64]) -> Boosted {
    let learn = Examples { table, targets, weights: None };
    fit(settings, &*losses::parse(loss).unwrap(), learn, None, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Derivatives have single precision, so that leaves miss the mean by a few of these.
const SINGLE: f64 = 1e-6;

/// One tree that takes its leaves' best values, and every row counts.
fn one_tree() -> Settings {
    Settings { trees: 1, learning_rate: 1.0, min_rows: 1, min_hessian: 0.0, ..Settings::default() }
}

fn near(found: &[f64], expected: &[f64], precision: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= precision, "{found} instead of {expected}");
    }
}

/// Numbers, some missing, a column of categories, and a target that needs all of them.
pub(super) fn example(rows: usize, seed: u64) -> (Matrix, Vec<f64>) {
    let mut dice = Dice::new(seed, 0);
    let (mut amount, mut second, mut country, mut targets) = (vec![], vec![], vec![], vec![]);
    for row in 0..rows {
        let [x, noise] = dice.two_normals();
        let cents = (dice.unit() * 1e9).floor();
        let place = dice.index(40);
        amount.push(if row % 7 == 0 { f64::NAN } else { x });
        second.push(1_772_323_200.0 + cents);
        country.push((row % 13 != 0).then(|| format!("c{place:02}")));
        let hidden = if row % 7 == 0 { 1.5 } else { x };
        let odd = if place.is_multiple_of(3) { 2.0 } else { -0.5 };
        targets.push(hidden + odd + cents * 1e-9 + 0.3 * noise);
    }
    let named = [
        ("amount".to_owned(), Values::Numbers(amount)),
        ("second".to_owned(), Values::Numbers(second)),
        ("country".to_owned(), Values::Categories(country)),
    ];
    (Matrix::learn(&named).unwrap(), targets)
}

fn squared_error(found: &[f64], targets: &[f64]) -> f64 {
    found.iter().zip(targets).map(|(found, target)| (found - target).powi(2)).sum::<f64>()
        / targets.len() as f64
}

#[test]
fn one_tree_of_squared_loss_takes_the_means_of_the_best_split() {
    let table = Matrix::from_rows(1, vec![1.0, 2.0, 3.0, 10.0, 11.0]).unwrap();
    let targets = [1.0, 2.0, 1.5, 7.0, 9.0];
    let model = grown(&Settings { leaves: 2, ..one_tree() }, "squared", &table, &targets);
    near(&model.predictions(&table).unwrap(), &[1.5, 1.5, 1.5, 8.0, 8.0], SINGLE);
    assert_eq!(model.trees.threshold[0].to_bits(), 6.5_f64.to_bits());
    assert_eq!(model.covers, [5.0, 3.0, 2.0]);
    // Both sides' squared sums of what they lack, by their rows: 7.8² / 3 + 7.8² / 2.
    near(&model.importance(), &[7.8 * 7.8 / 3.0 + 7.8 * 7.8 / 2.0], 1e-4);
}

#[test]
fn enough_leaves_learn_every_target() {
    let table = Matrix::from_rows(1, (0..40).map(f64::from).collect()).unwrap();
    let targets: Vec<f64> = (0..40).map(|row| f64::from(row * 7 % 11)).collect();
    let settings = Settings { leaves: 64, ..one_tree() };
    near(&grown(&settings, "squared", &table, &targets).predictions(&table).unwrap(), &targets, SINGLE);
}

#[test]
fn leaves_of_each_loss_have_their_closed_form() {
    let table = Matrix::from_rows(1, vec![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).unwrap();
    let labels = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let logistic = grown(&one_tree(), "logistic", &table, &labels);
    // One Newton step from log-odds 0: ∓ Σ (p − y) / Σ p (1 − p) = ∓ 1.
    near(&logistic.scores(&table).unwrap()[3..5], &[-1.0, 1.0], SINGLE);
    let amounts = [0.0, 0.0, 0.0, 4.0, 8.0, 8.0, 4.0, 8.0];
    let tweedie = grown(&one_tree(), "tweedie:1.5", &table, &amounts);
    let step = |mean: f64, amounts: &[f64]| {
        let root = mean.sqrt();
        let first: f64 = amounts.iter().map(|amount| root - amount / root).sum();
        let second: f64 = amounts.iter().map(|amount| 0.5 * root + 0.5 * amount / root).sum();
        mean.ln() - first / second
    };
    let expected = [step(4.0, &amounts[..4]), step(4.0, &amounts[4..])];
    near(&tweedie.scores(&table).unwrap()[3..5], &expected, SINGLE);
    let quantile = grown(&one_tree(), "quantile:0.75", &table, &[1.0, 2.0, 3.0, 9.0, 14.0, 13.0, 12.0, 29.0]);
    near(&quantile.predictions(&table).unwrap()[3..5], &[3.0, 14.0], 1e-9);
}

#[test]
fn weights_are_as_good_as_repeated_rows() {
    let (table, targets) = example(300, 2);
    let weights: Vec<f64> = (0..300).map(|row| f64::from(row % 3)).collect();
    let repeated: Vec<usize> = (0..300).flat_map(|row| [row].repeat(row % 3)).collect();
    let more = table.select(&repeated);
    let more_targets: Vec<f64> = repeated.iter().map(|row| targets[*row]).collect();
    let settings = Settings { trees: 5, min_rows: 1, min_hessian: 20.0, ..Settings::default() };
    let loss = losses::Squared;
    let learn = Examples { table: &table, targets: &targets, weights: Some(&weights) };
    let weighted = fit(&settings, &loss, learn, None, &mut |_| ControlFlow::Continue(())).unwrap();
    // Rows without weight have bins of their own, so that few thresholds may lie elsewhere; bins are the same where no
    // feature has more values than bins.
    let model = grown(&settings, "squared", &more, &more_targets);
    let apart = squared_error(&weighted.scores(&more).unwrap(), &model.scores(&more).unwrap());
    assert!(apart < 0.02, "{apart}");
    assert!((weighted.trees.base[0] - model.trees.base[0]).abs() < 1e-9);
}

#[test]
fn missing_values_go_where_they_belong() {
    let missing = f64::NAN;
    let values = vec![1.0, 2.0, missing, missing, 3.0, 4.0, 5.0, 6.0];
    let table = Matrix::from_rows(1, values).unwrap();
    for (targets, expected) in [
        ([0.0, 0.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0], false),
        ([9.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0], true),
        ([4.0, 4.0, 7.0, 7.0, 4.0, 4.0, 4.0, 4.0], false),
    ] {
        let model = grown(&Settings { leaves: 2, ..one_tree() }, "squared", &table, &targets);
        assert_eq!(model.trees.missing_left[0], expected);
        near(&model.predictions(&table).unwrap(), &targets, SINGLE);
    }
    // None was missing: later ones go with most rows.
    let table = Matrix::from_rows(1, vec![1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    let model = grown(&Settings { leaves: 2, ..one_tree() }, "squared", &table, &[0.0, 0.0, 0.0, 0.0, 1.0]);
    assert!(model.trees.missing_left[0]);
}

#[test]
fn categories_are_divided_in_sets_and_strangers_go_right() {
    let (table, targets) = example(4_000, 3);
    let model = grown(&Settings { trees: 60, ..Settings::default() }, "squared", &table, &targets);
    let error = squared_error(&model.predictions(&table).unwrap(), &targets);
    assert!(error < 0.2, "{error}");
    assert!(model.trees.categories.iter().any(|set| 3 < set.len()));
    let stranger = Matrix::from_rows(3, [0.0, 1_772_323_200.0, 999.0].to_vec()).unwrap();
    let mut expected = model.trees.base[0];
    for root in &model.trees.roots {
        let mut node = *root as usize;
        while 0 <= model.trees.feature[node] {
            let is_set = model.trees.feature[node] == 2;
            let row = stranger.row(0);
            node = if is_set { model.trees.right[node] as usize } else { model.next(node, row).unwrap() };
        }
        expected += model.value(node);
    }
    assert_eq!(model.scores(&stranger).unwrap(), [expected]);
}

#[test]
fn few_categories_are_tried_one_by_one() {
    let words = ["a", "b", "c"].repeat(20).into_iter().map(|word| Some(word.to_owned()));
    let named = [("kind".to_owned(), Values::Categories(words.collect()))];
    let table = Matrix::learn(&named).unwrap();
    let targets = [1.0, 5.0, 1.0].repeat(20);
    let model = grown(&Settings { leaves: 2, ..one_tree() }, "squared", &table, &targets);
    assert_eq!(model.trees.categories[0], [1]);
    near(&model.predictions(&table).unwrap(), &targets, SINGLE);
}

#[test]
fn growing_stops_where_held_out_rows_get_no_better() {
    let (table, targets) = example(800, 4);
    let (other, other_targets) = example(400, 5);
    let settings =
        Settings { trees: 400, learning_rate: 0.3, patience: Some(10), min_rows: 3, ..Settings::default() };
    let learn = Examples { table: &table, targets: &targets, weights: None };
    let held_out = Examples { table: &other, targets: &other_targets, weights: None };
    let mut heard = Vec::new();
    let mut watch = |round: Round| {
        heard.push(round);
        ControlFlow::Continue(())
    };
    let model = fit(&settings, &losses::Squared, learn, Some(held_out), &mut watch).unwrap();
    let losses: Vec<f64> = heard.iter().map(|round| round.held_out_loss.unwrap()).collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert_eq!(model.len(), best + 1);
    assert!(heard.len() == best + 11 && heard.len() < 400);
    assert_eq!(model.rounds, heard);
    let measured = 0.5 * squared_error(&model.scores(&other).unwrap(), &other_targets);
    assert!((measured - losses[best]).abs() < 1e-12, "{measured} {}", losses[best]);
    // The trees that remain are those of a fit that never grew more.
    let fewer = Settings { trees: best + 1, patience: None, ..settings };
    assert_eq!(model.trees, grown(&fewer, "squared", &table, &targets).trees);
}

#[test]
fn whoever_watches_may_break_off() {
    let (table, targets) = example(100, 6);
    let learn = Examples { table: &table, targets: &targets, weights: None };
    let mut rounds = 0;
    let mut watch = |_| {
        rounds += 1;
        if rounds < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let stopped = fit(&Settings::default(), &losses::Squared, learn, None, &mut watch);
    assert_eq!(stopped, Err(GbdtError::Stopped));
    assert_eq!(rounds, 3);
}

#[test]
fn limits_are_kept() {
    let (table, targets) = example(3_000, 7);
    let settings = Settings { trees: 20, max_depth: Some(3), min_rows: 50, leaves: 6, ..Settings::default() };
    let model = grown(&settings, "squared", &table, &targets);
    let trees = &model.trees;
    for (tree, root) in trees.roots.iter().enumerate() {
        let end = trees.roots.get(tree + 1).map_or(trees.feature.len(), |root| *root as usize);
        let leaves = (*root as usize..end).filter(|node| trees.feature[*node] < 0).count();
        assert!(leaves <= 6);
        assert!(model.covers[*root as usize..end].iter().all(|cover| 50.0 <= *cover));
        let mut level = vec![*root as usize];
        for _ in 0..3 {
            level = level
                .into_iter()
                .filter(|node| 0 <= trees.feature[*node])
                .flat_map(|node| [trees.left[node] as usize, trees.right[node] as usize])
                .collect();
        }
        assert!(level.iter().all(|node| trees.feature[*node] < 0));
    }
}

#[test]
fn a_tree_asks_only_for_the_features_that_it_drew() {
    let mut dice = Dice::new(8, 0);
    let table = Matrix::from_rows(40, (0..40 * 500).map(|_| dice.normal()).collect()).unwrap();
    let targets: Vec<f64> = (0..500).map(|row| table.row(row).iter().sum()).collect();
    let settings = Settings { trees: 10, feature_fraction: 0.05, ..Settings::default() };
    let model = grown(&settings, "squared", &table, &targets);
    let mut all = std::collections::BTreeSet::new();
    for (tree, root) in model.trees.roots.iter().enumerate() {
        let end = model.trees.roots.get(tree + 1).map_or(model.trees.feature.len(), |root| *root as usize);
        let mut asked: Vec<i32> = model.trees.feature[*root as usize..end].to_vec();
        asked.retain(|feature| 0 <= *feature);
        asked.sort_unstable();
        asked.dedup();
        assert!(asked.len() <= 2);
        all.extend(asked);
    }
    assert!(8 < all.len());
}

#[test]
fn credits_and_base_add_up_to_the_score() {
    let (table, targets) = example(600, 3);
    let boosted = grown(&Settings { trees: 30, ..Settings::default() }, "squared", &table, &targets);
    let scores = boosted.scores(&table).unwrap();
    for row in (0..table.rows()).step_by(37) {
        let credits = boosted.credits(table.row(row));
        let told = credits.base + credits.features.iter().sum::<f64>();
        assert!((told - scores[row]).abs() < 1e-9, "{told} and {}", scores[row]);
    }
}

#[test]
fn nothing_to_learn_leaves_the_first_score() {
    let table = Matrix::from_rows(2, vec![1.0; 60]).unwrap();
    let targets: Vec<f64> = (0..30).map(|row| f64::from(row % 5)).collect();
    let model = grown(&Settings::default(), "squared", &table, &targets);
    assert_eq!(model.len(), 1);
    near(&model.predictions(&table).unwrap(), &[2.0; 30], 1e-9);
    let flat = grown(&Settings::default(), "squared", &example(200, 9).0, &[3.0; 200]);
    near(&flat.predictions(&example(5, 10).0).unwrap(), &[3.0; 5], 1e-9);
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let (table, targets) = example(30, 11);
    let default = Settings::default();
    let says = |settings: &Settings, examples: Examples<'_>, words: &str| {
        let error = fit(settings, &losses::Squared, examples, None, &mut |_| ControlFlow::Continue(()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    let learn = Examples { table: &table, targets: &targets, weights: None };
    let none = Matrix::from_rows(3, Vec::new()).unwrap();
    says(&default, Examples { table: &none, targets: &[], weights: None }, "there are no learning rows");
    let narrow = Matrix::from_rows(0, Vec::new()).unwrap();
    says(&default, Examples { table: &narrow, targets: &[], weights: None }, "there are no columns");
    says(&default, Examples { targets: &targets[1..], ..learn }, "there are 29 targets for 30 rows");
    let weights = |weight: f64| vec![weight; 30];
    says(&default, Examples { weights: Some(&weights(-1.0)), ..learn }, "the weight of row 0 is -1");
    says(&default, Examples { weights: Some(&weights(0.0)), ..learn }, "the weights of all rows are zero");
    says(&Settings { leaves: 1, ..default.clone() }, learn, "leaves is 1, but must be from 2 to 65536");
    says(&Settings { bins: 256, ..default.clone() }, learn, "bins is 256, but must be from 2 to 255");
    says(&Settings { learning_rate: 0.0, ..default.clone() }, learn, "learning_rate is 0");
    says(&Settings { l2: f64::NAN, ..default.clone() }, learn, "l2 is NaN");
    says(&Settings { patience: Some(5), ..default.clone() }, learn, "no held-out rows");
    let monotone = |last| vec![Monotone::Free, Monotone::Falling, last];
    says(
        &Settings { monotone: monotone(Monotone::Rising), ..default },
        learn,
        "column country holds categories",
    );
    says(&Settings { monotone: vec![Monotone::Free], ..default }, learn, "monotone is a list of 1");
    let model = grown(&Settings::default(), "squared", &table, &targets);
    let wide = Matrix::from_rows(4, vec![0.0; 4]).unwrap();
    assert!(matches!(model.scores(&wide), Err(MatrixError::Width { found: 4, expected: 3 })));
}
