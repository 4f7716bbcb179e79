//! One file from raw features to a chance with its reasons.

use models::graph::{
    calibration::{Isotonic, weighted_mean},
    histogram::Histogram,
    isolation_forest::{IsolationForest, Reasons},
    lookup::{Closed, Segments, Steps},
    preprocess::{Bend, Column, Numeric, Preprocess},
};

use crate::running::{run_on, same};

fn forest() -> IsolationForest {
    IsolationForest {
        roots: vec![0, 5],
        feature: vec![0, -1, 1, -1, -1, 1, -1, -1],
        threshold: vec![0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        left: vec![1, 1, 3, 3, 4, 6, 6, 7],
        right: vec![2, 1, 4, 3, 4, 7, 6, 7],
        samples: vec![16, 1, 15, 5, 10, 16, 12, 4],
        missing_left: Vec::new(),
        sample_size: 16,
    }
}

#[test]
fn raw_features_become_a_chance_with_reasons() {
    let day = Numeric { center: 1_772_323_200.0, scale: 86_400.0, ..Numeric::default() };
    let amount = Numeric { fill: 0.0, bend: Bend::SignedLog, tells_missing: true, ..Numeric::default() };
    let preprocess =
        Preprocess { columns: vec![Column::Numeric(day), Column::Drop, Column::Numeric(amount)] };
    let steps = |values: [f64; 2]| Steps { edges: vec![0.5], values: values.to_vec(), missing: 2.0 };
    let histogram = Histogram {
        columns: vec![steps([0.1, 0.7]), steps([0.2, 0.3]), steps([0.0, 3.0])],
        closed: Closed::Right,
    };
    let isotonic =
        Isotonic { line: Segments { x: vec![0.2, 0.6, 1.4], y: vec![0.0, 0.3, 1.0], missing: f64::NAN } };
    let rows = [
        [1_772_323_200.0 + 43_200.0, 5.0, 0.0],
        [1_772_323_200.0 + 43_201.0, 5.0, std::f64::consts::E],
        [1_772_323_200.0, f64::NAN, f64::NAN],
    ];
    let mut base = f64::NAN;
    let answers = run_on((3, rows.as_flattened()), |graph, x| {
        let prepared = preprocess.add(graph, x)?;
        let isolation = forest().add(graph, &prepared.value, Reasons::With)?;
        base = isolation.base;
        let sums = histogram.add(graph, &prepared.value)?;
        let mean = weighted_mean(graph, &[&isolation.score, &sums.score], &[3.0, 1.0])?;
        let chance = isotonic.add(graph, &mean)?;
        let reasons = isolation.reasons.unwrap();
        let reasons = prepared.fold(graph, &reasons)?;
        let parts = prepared.fold(graph, &sums.parts)?;
        Ok(vec![
            ("chance", chance),
            ("score", isolation.score),
            ("mean", mean),
            ("reasons", reasons),
            ("parts", parts),
        ])
    });
    // The table of the histogram is exact, though the forest's node answers in float.
    let parts = [[0.1, 0.0, 0.2], [0.7, 0.0, 0.3], [0.1, 0.0, 3.2]];
    same(&answers["parts"], parts.as_flattened(), 1e-15);
    let c = models::graph::isolation_forest::average_path_length;
    // Half a day is at the threshold and goes left; a second more goes right, and ln(1 + e) is beyond 1.
    let paths = [1.0 + 1.0 + c(12), 2.0 + c(10) + 1.0 + c(4), 1.0 + 1.0 + c(12)];
    let scores = paths.map(|path| (-path / (2.0 * c(16))).exp2());
    same(&answers["score"], &scores, 1e-7);
    let sums = parts.map(|row| row.iter().sum::<f64>());
    let means: Vec<f64> = scores.iter().zip(sums).map(|(score, sum)| (3.0 * score + sum) / 4.0).collect();
    same(&answers["mean"], &means, 1e-7);
    let chances: Vec<f64> =
        means.iter().map(|mean| crate::calibration::reading(&isotonic.line, *mean)).collect();
    same(&answers["chance"], &chances, 1e-7);
    for (row, score) in scores.iter().enumerate() {
        let reasons = &answers["reasons"][row * 3..][..3];
        assert!((base + reasons.iter().sum::<f64>() - score.log2()).abs() < 1e-6);
        same(&reasons[1..2], &[0.0], 0.0);
    }
}
