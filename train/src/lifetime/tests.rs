//! What is learned from planted customers.

use super::{
    candidates::{CANDIDATES, Model},
    planted::World,
    *,
};
#[cfg(feature = "torch")]
use crate::anomaly::dice::Dice;
use crate::anomaly::matrix::{Matrix, Values};

const END: i32 = 540;
const HORIZON: u32 = 120;

fn plan(candidates: &[&str]) -> Plan {
    let candidates = candidates.iter().map(|name| (*name).to_owned()).collect();
    Plan { calibration_end: END, horizon_days: HORIZON, candidates, seed: 3 }
}

fn world() -> World {
    World { customers: 6000, joining_days: 520.0, ..World::default() }
}

/// What a candidate of a plan turns out to be worth.
fn judged(transactions: &Transactions, learned: &Learned, name: &str) -> Metrics {
    let now = learned.snapshot(transactions, END);
    let fitted = learned.fitted.iter().find(|it| it.name == name).unwrap();
    let predictions = learned.predict_by(fitted, &now).unwrap();
    judge(&predictions, &transactions.spent(&now.customers, END, HORIZON)).unwrap()
}

#[test]
fn every_candidate_learns_totals_ranks_and_intervals_of_a_planted_world() {
    let drawn = world().draw(21);
    let learned = learn(&drawn, &plan(&[])).unwrap();
    assert_eq!(learned.fitted.len(), CANDIDATES.len());
    let truth = judged(&drawn, &learned, "bgnbd").all;
    for fitted in &learned.fitted {
        let metrics = judged(&drawn, &learned, fitted.name);
        let found = metrics.all;
        assert!((found.total_ratio - 1.0).abs() < 0.1, "{}: {found:?}", fitted.name);
        assert!(
            truth.gini - 0.03 < found.gini && truth.spearman - 0.03 < found.spearman,
            "{}: {found:?}",
            fitted.name
        );
        assert!((found.coverage - LEVEL).abs() < 0.02, "{}: {found:?}", fitted.name);
        for (segment, found) in metrics.segments {
            assert!((found.coverage - LEVEL).abs() < 0.04, "{} {segment:?}: {found:?}", fitted.name);
        }
    }
    let now = learned.snapshot(&drawn, END);
    for prediction in learned.predict(&drawn).unwrap() {
        let Prediction { mean, lower, upper, p_active, .. } = prediction;
        assert!(
            0.0 < mean && 0.0 <= lower && lower <= upper && (0.0..=1.0).contains(&p_active),
            "{prediction:?}"
        );
    }
    assert!(learned.predict(&drawn).unwrap().iter().map(|it| it.customer).eq(now.customers));
}

#[test]
fn a_cohort_that_only_ages_is_told_apart_and_its_totals_stay() {
    let drawn = World { joining_days: 90.0, ..world() }.draw(17);
    let plan = Plan { calibration_end: 363, horizon_days: 182, ..plan(&["bgnbd", "tweedie"]) };
    let learned = learn(&drawn, &plan).unwrap();
    assert!(0.25 < learned.moved.age_index, "{:?}", learned.moved);
    let spans: Vec<(i32, u32)> = learned.windows.iter().map(|it| (it.span.cutoff, it.span.days)).collect();
    assert_eq!(spans, [(181, 182), (272, 91), (318, 45)]);
    let now = learned.snapshot(&drawn, 363);
    let actual = drawn.spent(&now.customers, 363, 182);
    for fitted in &learned.fitted {
        let found = judge(&learned.predict_by(fitted, &now).unwrap(), &actual).unwrap().all;
        assert!(
            (found.total_ratio - 1.0).abs() < 0.1 && found.decile_wmape < 0.15,
            "{}: {found:?}",
            fitted.name
        );
    }
}

#[test]
fn what_comes_after_calibration_is_not_looked_at() {
    let (mut short, long) = (world(), world());
    short.days = END + 1;
    let learned = [short, long].map(|world| {
        let drawn = world.draw(8);
        let learned = learn(&drawn, &plan(&["bgnbd", "tweedie"])).unwrap();
        (learned.predict(&drawn).unwrap(), learned.fitted)
    });
    assert_eq!(learned[0], learned[1]);
}

#[test]
fn threads_change_no_bit() {
    let drawn = World { customers: 2500, ..world() }.draw(9);
    let predictions = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let learned = pool.install(|| learn(&drawn, &plan(&[]))).unwrap();
        let bits = |it: &Fitted| {
            let predicted = learned.predict_by(it, &learned.snapshot(&drawn, END)).unwrap();
            predicted.iter().map(|it| [it.mean, it.lower, it.upper].map(f64::to_bits)).collect::<Vec<_>>()
        };
        learned.fitted.iter().map(bits).collect::<Vec<_>>()
    };
    assert_eq!(predictions(1), predictions(3));
}

/// Customers whose next purchases are worth more or less than their first ones by what kind of customer they are.
fn kinds(with: bool) -> (Transactions, Learned) {
    let drawn = world().draw(13);
    let (mut customers, mut days, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
    for customer in 0..drawn.customers() {
        for (place, bought) in drawn.of(customer).iter().enumerate() {
            let times = if customer.is_multiple_of(2) && 0 < place { 4.0 } else { 1.0 };
            customers.push(customer as u32);
            days.push(bought.day);
            amounts.push(times * bought.amount);
        }
    }
    let told = Transactions::of_days(&customers, &days, &amounts).unwrap();
    let kind =
        |customer: usize| (!customer.is_multiple_of(7)).then(|| ["even", "odd"][customer % 2].to_owned());
    let kind = Values::Categories((0..told.customers()).map(kind).collect());
    let attributes = if with { vec![("kind".to_owned(), kind)] } else { Vec::new() };
    let told = told.with_attributes(attributes).unwrap();
    let learned = learn(&told, &plan(&["tweedie", "elasticnet", "forest", "gbdt"])).unwrap();
    (told, learned)
}

#[test]
fn attributes_tell_what_first_purchases_do_not() {
    let ((told, with), (untold, without)) = (kinds(true), kinds(false));
    for fitted in &with.fitted {
        let [one, other] = [(&told, &with), (&untold, &without)].map(|(drawn, learned)| {
            let metrics = judged(drawn, learned, fitted.name);
            metrics.segments.iter().find(|(segment, _)| *segment == Segment::OnePurchase).unwrap().1.gini
        });
        assert!(other + 0.02 < one, "{}: {one} with and {other} without", fitted.name);
    }
    let now = with.snapshot(&told, END);
    let tweedie = &with.fitted[0];
    let ratio = tweedie.model.ratios(&now.columns).unwrap()[5];
    let names = Learned { chosen: 0, ..with.clone() }.reasoned();
    let told = tweedie.reasons(&now, &names).unwrap();
    let Model::Exponential(linear) = &tweedie.model else { panic!("it is e to a linear score") };
    let score = linear.bias + told[5 * names.len()..6 * names.len()].iter().sum::<f64>();
    assert!((libm::exp(score) - ratio).abs() < 1e-9 && names.last().unwrap() == "kind");
}

#[test]
fn reasons_of_trees_add_up_to_what_they_say() {
    let drawn = World { customers: 2500, ..world() }.draw(2);
    let learned = learn(&drawn, &plan(&["forest", "gbdt", "stack"])).unwrap();
    let now = learned.snapshot(&drawn, END);
    let names = learned.reasoned();
    for fitted in &learned.fitted {
        let told = fitted.reasons(&now, &names).unwrap();
        let Model::Trees(trees) = &fitted.model else {
            assert!(fitted.name == "stack" && told.iter().any(|part| 0.01 < part.abs()));
            continue;
        };
        let table = Matrix::like(&trees.columns, &now.columns).unwrap();
        let base = trees.contributions(table.row(0)).base;
        let base = if trees.is_exponential() { base } else { libm::log(base) };
        for (row, ratio) in fitted.model.ratios(&now.columns).unwrap().into_iter().enumerate() {
            let score = base + told[row * names.len()..(row + 1) * names.len()].iter().sum::<f64>();
            assert!((score - libm::log(ratio)).abs() < 1e-9, "{}, {row}: {score}", fitted.name);
        }
    }
}

/// Rows whose chance to spend follows one column and whose log-normal amount another, with the mean that they have.
#[cfg(feature = "torch")]
fn zero_inflated(rows: usize, seed: u64) -> (Training, Vec<f64>) {
    let (mut values, mut actual, mut means) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows {
        let mut dice = Dice::new(seed, row as u64);
        let [often, much] = dice.two_normals();
        let chance = 1.0 / (1.0 + libm::exp(0.8 - 1.2 * often));
        let centre = 3.0 + 0.7 * much;
        let amount = libm::exp(centre + 0.6 * dice.normal());
        values.extend([often, much]);
        actual.push(if dice.unit() < chance { amount } else { 0.0 });
        means.push(chance * libm::exp(centre + 0.5 * 0.6 * 0.6));
    }
    let training = Training {
        table: Matrix::from_rows(2, values).unwrap(),
        shapes: vec![Shape { scale: Scale::Plain, curved: false }; 2],
        actual,
        expected: vec![10.0; rows],
        weights: vec![1.0; rows],
        held_out: (0..rows).map(|row| row.is_multiple_of(5)).collect(),
        unit: 20.0,
        seed,
        windows: Vec::new(),
        moved: Moved { age_index: 0.0, outside: Vec::new(), set_aside: Vec::new() },
    };
    (training, means)
}

#[cfg(feature = "torch")]
#[test]
fn a_zero_inflated_log_normal_amount_is_recovered() {
    let candidate = CANDIDATES.iter().find(|it| it.name == "ziln").unwrap();
    let candidates::Fit::Alone(fit) = candidate.fit else { panic!("it learns alone") };
    let (training, means) = zero_inflated(8_000, 4);
    let model = fit(&training).unwrap();
    assert_eq!(model, fit(&training).unwrap());
    let column = |at: usize| (format!("x{at}"), Values::Numbers(training.table.column(at).collect()));
    let ratios = model.ratios(&[column(0), column(1)]).unwrap();
    let foretold: f64 = ratios.iter().map(|ratio| 10.0 * ratio).sum();
    let total: f64 = training.actual.iter().sum();
    assert!((foretold / total - 1.0).abs() < 0.01, "{foretold} of {total}");
    let (mean, mut off, mut flat) = (means.iter().sum::<f64>() / means.len() as f64, 0.0, 0.0);
    for (ratio, truth) in ratios.iter().zip(&means) {
        off += (10.0 * ratio - truth).abs();
        flat += (mean - truth).abs();
    }
    // Amounts that are drawn scatter by more than their mean; one for all is off by two thirds of it.
    assert!(off < 0.2 * flat, "{} beside {}", off / means.len() as f64, flat / means.len() as f64);
}

#[test]
fn too_little_is_refused_with_what_to_do() {
    let drawn = World { customers: 60, ..world() }.draw(1);
    let error = learn(&drawn, &plan(&[])).unwrap_err().to_string();
    assert!(error.contains("choose a later end of calibration or a shorter horizon"), "{error}");
    let error = learn(&world().draw(1), &plan(&["lstm"])).unwrap_err().to_string();
    let known: Vec<&str> = CANDIDATES.iter().map(|candidate| candidate.name).collect();
    assert!(error.ends_with(&format!("there are {}", known.join(", "))) && 5 < known.len(), "{error}");
    assert_eq!(learn(&drawn, &plan(&["stack"])).unwrap_err(), LifetimeError::NothingToStack);
    let endless = Plan { horizon_days: u32::MAX, ..plan(&[]) };
    assert_eq!(learn(&drawn, &endless).unwrap_err(), LifetimeError::Horizon(u32::MAX));
}

#[test]
fn names_of_features_are_unique_and_docs_are_sentences() {
    for (place, feature) in FEATURES.iter().enumerate() {
        assert!(FEATURES[..place].iter().all(|other| other.name != feature.name));
        assert!(feature.doc.ends_with('.') && 10 < feature.doc.len());
    }
}
