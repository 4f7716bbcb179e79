//! Linear models against sums, one product at a time.

use models::graph::{linear::Linear, trees::Link};
use proptest::prelude::*;

use crate::running::{refusal, run_on, same};

const WIDTH: usize = 5;

fn numbers(count: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-3.0_f64..3.0, count)
}

fn scores(weights: &[f64], bias: &[f64], rows: &[f64]) -> Vec<f64> {
    let targets = bias.len();
    let score = |row: &[f64], target: usize| {
        let products = row.iter().enumerate().map(|(at, x)| x * weights[at * targets + target]);
        products.sum::<f64>() + bias[target]
    };
    rows.chunks(WIDTH)
        .flat_map(|row| (0..targets).map(|target| score(row, target)).collect::<Vec<f64>>())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scores_are_sums_of_products(
        (targets, weights, bias) in (1_usize..5).prop_flat_map(|it| (Just(it), numbers(it * WIDTH), numbers(it))),
        rows in numbers(WIDTH * 7),
    ) {
        let linear = |link| Linear { weights: weights.clone(), bias: bias.clone(), link };
        let answers = run_on((WIDTH, &rows), |graph, x| {
            Ok(vec![
                ("score", linear(Link::Identity).add(graph, x)?),
                ("logistic", linear(Link::Logistic).add(graph, x)?),
                ("softmax", linear(Link::Softmax).add(graph, x)?),
            ])
        });
        let scores = scores(&weights, &bias, &rows);
        same(&answers["score"], &scores, 1e-12);
        let logistic: Vec<f64> = scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect();
        same(&answers["logistic"], &logistic, 1e-12);
        for (found, scores) in answers["softmax"].chunks(targets).zip(scores.chunks(targets)) {
            let whole: f64 = scores.iter().map(|score| score.exp()).sum();
            same(found, &scores.iter().map(|score| score.exp() / whole).collect::<Vec<f64>>(), 1e-12);
        }
    }

    #[test]
    fn reasons_add_up_to_the_score(weights in numbers(WIDTH), reference in numbers(WIDTH), rows in numbers(WIDTH * 7)) {
        let linear = Linear { weights: weights.clone(), bias: vec![0.5], link: Link::Identity };
        let answers = run_on((WIDTH, &rows), |graph, x| {
            Ok(vec![("score", linear.add(graph, x)?), ("reasons", linear.add_reasons(graph, x, &reference)?)])
        });
        let base = scores(&weights, &[0.5], &reference)[0];
        let sums: Vec<f64> = answers["reasons"].chunks(WIDTH).map(|row| base + row.iter().sum::<f64>()).collect();
        same(&answers["score"], &sums, 1e-12);
        same(&answers["reasons"][..1], &[weights[0] * (rows[0] - reference[0])], 1e-15);
    }
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let linear = Linear { weights: vec![1.0; 9], bias: vec![0.0, 0.0], link: Link::Identity };
    let sentence = refusal(WIDTH, |graph, x| linear.add(graph, x));
    assert!(sentence.contains("linear: there are 9 weights, and there must be 10"), "{sentence}");
    let sentence = refusal(WIDTH, |graph, x| linear.add_reasons(graph, x, &[0.0; WIDTH]));
    assert!(
        sentence.contains("there are 2 targets where reasons are wanted, and there must be 1"),
        "{sentence}"
    );
}
