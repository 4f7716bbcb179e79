//! Step functions and tails against a search through their edges.

use models::graph::{
    histogram::{Histogram, Side, Tail, Tails},
    lookup::{Closed, Steps},
};
use proptest::prelude::*;

use crate::{
    running::{refusal, run_on, same},
    trees::rows,
};

const WIDTH: usize = 3;

fn edges() -> impl Strategy<Value = Vec<f64>> {
    let one = prop_oneof![prop::sample::select(&crate::trees::POOL), -5.0_f64..5.0];
    prop::collection::vec(one, 0..40).prop_map(|mut edges| {
        edges.sort_unstable_by(f64::total_cmp);
        edges.dedup_by(|next, kept| *next <= *kept);
        edges
    })
}

fn steps() -> impl Strategy<Value = Steps> {
    (edges(), prop::collection::vec(-9.0_f64..9.0, 42)).prop_map(|(edges, mut values)| {
        let missing = values[41];
        values.truncate(edges.len() + 1);
        Steps { edges, values, missing }
    })
}

fn interval(edges: &[f64], closed: Closed, x: f64) -> usize {
    let passed = |edge: &&f64| match closed {
        Closed::Right => **edge < x,
        Closed::Left => **edge <= x,
    };
    edges.iter().filter(passed).count()
}

fn at(steps: &Steps, closed: Closed, x: f64) -> f64 {
    if x.is_nan() { steps.missing } else { steps.values[interval(&steps.edges, closed, x)] }
}

fn closed() -> impl Strategy<Value = Closed> {
    prop_oneof![Just(Closed::Left), Just(Closed::Right)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_histogram_is_one_step_function_for_each_column(
        columns in prop::collection::vec(steps(), WIDTH), closed in closed(), rows in rows(WIDTH),
    ) {
        let histogram = Histogram { columns, closed };
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let sums = histogram.add(graph, x)?;
            Ok(vec![("parts", sums.parts), ("score", sums.score)])
        });
        let parts: Vec<f64> = rows.iter().enumerate().map(|(n, x)| at(&histogram.columns[n % WIDTH], closed, *x)).collect();
        same(&answers["parts"], &parts, 0.0);
        let sums: Vec<f64> = parts.chunks(WIDTH).map(|parts| parts.iter().sum()).collect();
        same(&answers["score"], &sums, 1e-12);
    }

    #[test]
    fn tails_are_the_largest_of_three_sums(
        columns in prop::collection::vec((steps(), any::<bool>()), WIDTH), closed in closed(), rows in rows(WIDTH),
    ) {
        let tail = |(steps, is_left): &(Steps, bool)| Tail {
            edges: steps.edges.clone(),
            left: steps.values.clone(),
            right: steps.values.iter().rev().copied().collect(),
            skewed: if *is_left { Side::Left } else { Side::Right },
            missing: steps.missing,
        };
        let tails = Tails { columns: columns.iter().map(tail).collect(), closed };
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let sums = tails.add(graph, x)?;
            Ok(vec![("parts", sums.parts), ("score", sums.score)])
        });
        for (row, rows) in rows.chunks(WIDTH).enumerate() {
            let part = |column: usize, side: Side| {
                let tail = &tails.columns[column];
                let values = if side == Side::Left { &tail.left } else { &tail.right };
                let x = rows[column];
                if x.is_nan() { tail.missing } else { values[interval(&tail.edges, closed, x)] }
            };
            let sum = |side: &dyn Fn(usize) -> Side| (0..WIDTH).map(|column| part(column, side(column))).sum::<f64>();
            let sums = [sum(&|_| Side::Left), sum(&|_| Side::Right), sum(&|column| tails.columns[column].skewed)];
            let largest = sums.into_iter().fold(f64::NEG_INFINITY, f64::max);
            same(&[answers["score"][row]], &[largest], 1e-12);
            same(&[answers["parts"][row * WIDTH..][..WIDTH].iter().sum()], &[largest], 1e-12);
        }
    }
}

#[test]
fn tables_that_contradict_themselves_are_refused() {
    let says = |edges: &[f64], values: &[f64], words: &str| {
        let steps = Steps { edges: edges.to_vec(), values: values.to_vec(), missing: 0.0 };
        let histogram = Histogram { columns: vec![steps], closed: Closed::Right };
        let sentence = refusal(1, |graph, x| histogram.add(graph, x));
        assert!(sentence.contains(words), "{sentence}");
    };
    says(&[0.0], &[1.0], "histogram: column 0 has 1 edges and 1 values; there must be one more value");
    says(&[1.0, 1.0], &[1.0, 2.0, 3.0], "the edges of column 0 must be finite and rise");
    says(&[f64::NAN], &[1.0, 2.0], "the edges of column 0 must be finite and rise");
    let none = Histogram { columns: Vec::new(), closed: Closed::Right };
    let sentence = refusal(2, |graph, x| none.add(graph, x));
    assert!(sentence.contains("it has tables for 0 columns, and the rows have 2"), "{sentence}");
}
