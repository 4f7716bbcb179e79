//! Preprocessing against its steps, one number at a time.

use models::graph::{
    ElementType, Graph, Metadata, TensorType,
    preprocess::{Bend, Categories, Column, Numeric, Preprocess},
};
use proptest::prelude::*;

use crate::{
    calibration::{line, reading},
    running::{Given, refusal, run, run_on, same},
    trees::rows,
};

const WIDTH: usize = 4;

fn numeric() -> impl Strategy<Value = Numeric> {
    let or = |usual: f64, range: std::ops::Range<f64>| prop_oneof![Just(usual), range];
    let bend =
        prop_oneof![Just(Bend::Straight), Just(Bend::SignedLog), line(f64::NAN).prop_map(Bend::Quantiles)];
    let center = prop_oneof![Just(0.0), -3.0_f64..3.0, Just(1_772_323_200.0)];
    let all = (or(f64::NAN, -2.0..2.0), or(f64::NEG_INFINITY, -2.0..0.0), or(f64::INFINITY, 0.5..3e9));
    (all, bend, center, or(1.0, 0.1..9.0), any::<bool>()).prop_map(
        |((fill, lowest, highest), bend, center, scale, tells_missing)| Numeric {
            fill,
            lowest,
            highest,
            bend,
            center,
            scale,
            tells_missing,
        },
    )
}

fn column() -> impl Strategy<Value = Column> {
    prop_oneof![
        4 => numeric().prop_map(Column::Numeric),
        1 => Just(Column::OneHot(vec![0.0, 1.0, 3.0])),
        1 => Just(Column::Drop),
    ]
}

fn one(steps: &Numeric, x: f64) -> f64 {
    let x = if x.is_nan() { steps.fill } else { x };
    if x.is_nan() {
        return x;
    }
    let x = x.min(steps.highest).max(steps.lowest);
    let x = match &steps.bend {
        Bend::Straight => x,
        Bend::SignedLog if x.abs() <= 0.0 => 0.0,
        Bend::SignedLog => x.signum() * (1.0 + x.abs()).ln(),
        Bend::Quantiles(line) => reading(line, x),
    };
    (x - steps.center) / steps.scale
}

/// The prepared row, and the raw column of each of its elements.
fn prepared(columns: &[Column], row: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let (mut values, mut sources) = (Vec::new(), Vec::new());
    let mut put = |value: f64, source: usize| {
        values.push(value);
        sources.push(source);
    };
    let numeric = || {
        columns.iter().zip(row).enumerate().filter_map(|(at, (column, x))| match column {
            Column::Numeric(steps) => Some((at, steps, *x)),
            Column::OneHot(_) | Column::Drop => None,
        })
    };
    numeric().for_each(|(at, steps, x)| put(one(steps, x), at));
    for (at, _, x) in numeric().filter(|(_, steps, _)| steps.tells_missing) {
        put(f64::from(u8::from(x.is_nan())), at);
    }
    for (at, (column, x)) in columns.iter().zip(row).enumerate() {
        if let Column::OneHot(codes) = column {
            codes.iter().for_each(|code| put(f64::from(u8::from((x - code).abs() <= 0.0)), at));
        }
    }
    (values, sources)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn columns_are_prepared_one_by_one(columns in prop::collection::vec(column(), WIDTH), rows in rows(WIDTH)) {
        let preprocess = Preprocess { columns };
        let expected: Vec<(Vec<f64>, Vec<usize>)> =
            rows.chunks(WIDTH).map(|row| prepared(&preprocess.columns, row)).collect();
        if expected[0].0.is_empty() {
            let sentence = refusal(WIDTH, |graph, x| preprocess.add(graph, x));
            prop_assert!(sentence.contains("it leaves no column"), "{}", sentence);
            return Ok(());
        }
        let mut sources = Vec::new();
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let prepared = preprocess.add(graph, x)?;
            sources.clone_from(&prepared.sources);
            let zero = graph.sub(&prepared.value, &prepared.value)?;
            let ones = graph.exp(&zero)?;
            let folded = prepared.fold(graph, &ones)?;
            Ok(vec![("prepared", prepared.value), ("folded", folded)])
        });
        let whole: Vec<f64> = expected.iter().flat_map(|(row, _)| row.clone()).collect();
        same(&answers["prepared"], &whole, 1e-9);
        prop_assert_eq!(&sources, &expected[0].1);
        // Where nothing is missing, one from each prepared column makes their number in each raw one.
        let width = sources.len();
        for (row, folded) in whole.chunks(width).zip(answers["folded"].chunks(WIDTH)) {
            if row.iter().all(|x| x.is_finite()) {
                let counts = (0..WIDTH).map(|raw| sources.iter().filter(|it| **it == raw).count() as f64);
                same(folded, &counts.collect::<Vec<f64>>(), 1e-12);
            }
        }
    }
}

/// A second is a second after preprocessing in double; on float it would be lost before the first step.
#[test]
fn times_survive() {
    let steps = Numeric { center: 1_772_323_200.0, scale: 10.0, ..Numeric::default() };
    let preprocess = Preprocess { columns: vec![Column::Numeric(steps)] };
    let rows = [1_772_323_200.0, 1_772_323_201.0, 1_772_323_263.0];
    let answers = run_on((1, &rows), |graph, x| {
        let value = preprocess.add(graph, x)?.value;
        Ok(vec![("seconds", graph.cast(&value, ElementType::F32)?)])
    });
    same(&answers["seconds"], &[0.0, 0.1, 6.3], 1e-6);
    assert_eq!(f64::from(rows[1] as f32).to_bits(), rows[0].to_bits());
}

#[test]
fn names_become_columns_or_codes() {
    let categories = Categories { names: ["blog", "coupon", "mail"].map(str::to_owned).to_vec() };
    let mut graph = Graph::new("test");
    let text = graph.input("text", TensorType::rows(ElementType::Text, 1), "a name").unwrap();
    let one_hot = categories.add_one_hot(&mut graph, &text, ElementType::F32).unwrap();
    let codes = categories.add_codes(&mut graph, &text, ElementType::F64).unwrap();
    graph.output("one_hot", &one_hot, "").unwrap();
    graph.output("codes", &codes, "").unwrap();
    let bytes = graph.finish(&Metadata::default()).unwrap();
    let texts = ["mail", "blog", "Blog", "", "coupon"].map(str::to_owned).to_vec();
    let answers = run(&bytes, &[("text", Given::Text(texts))]);
    let rows = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0; 3], [0.0; 3], [0.0, 1.0, 0.0]];
    same(&answers["one_hot"], rows.as_flattened(), 0.0);
    same(&answers["codes"], &[2.0, 0.0, f64::NAN, f64::NAN, 1.0], 0.0);
}

#[test]
fn steps_that_make_no_sense_are_refused() {
    let says = |steps: Numeric, words: &str| {
        let preprocess = Preprocess { columns: vec![Column::Numeric(steps)] };
        let sentence = refusal(1, |graph, x| preprocess.add(graph, x));
        assert!(sentence.contains(words), "{sentence}");
    };
    says(Numeric { lowest: 2.0, highest: 1.0, ..Numeric::default() }, "column 0: nothing is from 2 to 1");
    says(Numeric { scale: 0.0, ..Numeric::default() }, "it cannot be centred at 0 and divided by 0");
    let sentence = refusal(2, |graph, x| Preprocess::default().add(graph, x));
    assert!(sentence.contains("it describes 0 columns, and there are 2"), "{sentence}");
}
