//! Calibrations against their formulas.

use models::graph::{
    calibration::{Isotonic, Lines, Platt, weighted_mean},
    lookup::Segments,
};
use proptest::prelude::*;

use crate::{
    running::{refusal, run_on, same},
    trees::rows,
};

/// A broken line with knots at least a tenth apart, somewhere around these numbers.
pub fn line(missing: f64) -> impl Strategy<Value = Segments> {
    let start = prop_oneof![-3.0_f64..1.0, Just(1_772_323_200.0)];
    (start, prop::collection::vec((0.1_f64..200.0, -5.0_f64..5.0), 1..30)).prop_map(move |(start, steps)| {
        let mut line = Segments { x: Vec::new(), y: Vec::new(), missing };
        let mut x = start;
        for (step, y) in steps {
            line.x.push(x);
            line.y.push(y);
            x += step;
        }
        line
    })
}

/// Looks at each piece in turn.
pub fn reading(line: &Segments, x: f64) -> f64 {
    if x.is_nan() {
        return line.missing;
    }
    if x <= line.x[0] {
        return line.y[0];
    }
    for knot in 1..line.x.len() {
        if x <= line.x[knot] {
            let share = (x - line.x[knot - 1]) / (line.x[knot] - line.x[knot - 1]);
            return line.y[knot - 1] * (1.0 - share) + line.y[knot] * share;
        }
    }
    line.y[line.y.len() - 1]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn lines_are_broken_at_their_knots(
        lines in (line(f64::NAN), line(0.5)), rows in rows(2), shares in prop::collection::vec(0.0_f64..1.0, 8),
    ) {
        let columns = vec![lines.0, lines.1];
        let mut rows = rows;
        // Between knots and at them, not only far away from all.
        for (row, share) in shares.iter().enumerate() {
            let knots = &columns[row % 2].x;
            let knot = (share * knots.len() as f64) as usize;
            rows[row * 2 + row % 2] = if row < 4 { knots[knot] } else { knots[knot] + share * 3.0 };
        }
        let lines = Lines { columns };
        let answers = run_on((2, &rows), |graph, x| Ok(vec![("y", lines.add(graph, x)?)]));
        let expected: Vec<f64> = rows.iter().enumerate().map(|(n, x)| reading(&lines.columns[n % 2], *x)).collect();
        same(&answers["y"], &expected, 1e-9);
        let own: Vec<f64> = rows.iter().enumerate().map(|(n, x)| lines.columns[n % 2].at(*x)).collect();
        same(&answers["y"], &own, 0.0);
    }

    #[test]
    fn platt_is_a_sigmoid(slope in -4.0_f64..4.0, offset in -4.0_f64..4.0, rows in prop::collection::vec(-9.0_f64..9.0, 6)) {
        let platt = Platt { slope, offset };
        let answers = run_on((1, &rows), |graph, x| Ok(vec![("p", platt.add(graph, x)?)]));
        let expected: Vec<f64> = rows.iter().map(|x| 1.0 / (1.0 + (-(slope * x + offset)).exp())).collect();
        same(&answers["p"], &expected, 1e-14);
    }
}

#[test]
fn scores_are_averaged_by_weight() {
    let answers = run_on((3, &[1.0, 2.0, 4.0, 0.0, 8.0, 4.0]), |graph, x| {
        let mut parts = Vec::new();
        for column in 0..3 {
            parts.push(graph.columns(x, &[column])?);
        }
        let parts: Vec<_> = parts.iter().collect();
        Ok(vec![("mean", weighted_mean(graph, &parts, &[2.0, 1.0, 1.0])?)])
    });
    same(&answers["mean"], &[2.0, 3.0], 1e-15);
    let sentence = refusal(1, |graph, x| weighted_mean(graph, &[x], &[0.0]));
    assert!(sentence.contains("weights are at least 0, and one of them is more"), "{sentence}");
}

#[test]
fn lines_that_are_none_are_refused() {
    let says = |x: &[f64], y: &[f64], words: &str| {
        let line = Segments { x: x.to_vec(), y: y.to_vec(), missing: f64::NAN };
        let sentence = refusal(1, |graph, score| Isotonic { line }.add(graph, score));
        assert!(sentence.contains(words), "{sentence}");
    };
    says(&[], &[], "calibration: column 0 has 0 knots with 0 values");
    says(&[0.0, 1.0], &[0.5, 0.4], "an isotonic line falls after knot 0");
    says(&[0.0, 0.0], &[0.1, 0.2], "column 0 rises beyond measure before knot 1");
    let sentence = refusal(1, |graph, score| Platt { slope: f64::NAN, offset: 0.0 }.add(graph, score));
    assert!(sentence.contains("is not finite"), "{sentence}");
}
