//! A score that is a sum over features, of a function of each that is constant between steps: what histograms and
//! empirical distributions come to, and what a tree ensemble computes exactly.

use super::matrix::Matrix;
use rayon::prelude::*;

/// A function of one feature that is constant between edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Where the function changes, rising.
    pub edges: Vec<f64>,
    /// Its values: the first up to and including the first edge, the last beyond the last edge.
    pub values: Vec<f64>,
    /// Its value where the feature is missing.
    pub missing: f64,
}

impl Steps {
    /// The function's value.
    #[must_use]
    pub fn at(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.missing;
        }
        self.values[self.edges.partition_point(|edge| *edge < value)]
    }

    /// The same function with fewer steps, nowhere further than `tolerance` from this one.
    #[must_use]
    pub fn merged(&self, tolerance: f64) -> Self {
        let mut merged = Self { edges: Vec::new(), values: Vec::new(), missing: self.missing };
        let (mut least, mut greatest) = (self.values[0], self.values[0]);
        for (edge, &value) in self.edges.iter().zip(&self.values[1..]) {
            let (lower, upper) = (least.min(value), greatest.max(value));
            if upper - lower <= 2.0 * tolerance {
                (least, greatest) = (lower, upper);
            } else {
                merged.edges.push(*edge);
                merged.values.push(f64::midpoint(least, greatest));
                (least, greatest) = (value, value);
            }
        }
        merged.values.push(f64::midpoint(least, greatest));
        merged
    }
}

/// For each row, the sum of its features' functions, first feature first.
#[must_use]
pub fn sums(features: &[Steps], table: &Matrix) -> Vec<f64> {
    let score = |row: &[f64]| features.iter().zip(row).map(|(steps, &value)| steps.at(value)).sum();
    table.values().par_chunks(table.width().max(1)).with_min_len(1024).map(score).collect()
}

/// For one row, what each feature's function is.
#[must_use]
pub fn parts(features: &[Steps], row: &[f64]) -> Vec<f64> {
    features.iter().zip(row).map(|(steps, &value)| steps.at(value)).collect()
}

/// The values of a column that are there, each once and rising, with how often they are; and how many are missing.
pub(super) fn counted(column: impl Iterator<Item = f64>) -> (Vec<(f64, usize)>, usize) {
    let (mut values, mut missing) = (Vec::new(), 0);
    for value in column {
        // Adding zero makes one of the two zeros.
        if value.is_nan() { missing += 1 } else { values.push(value + 0.0) }
    }
    values.sort_unstable_by(f64::total_cmp);
    let counted = values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|same| (same[0], same.len())).collect();
    (counted, missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_edge_belongs_to_the_step_before_it() {
        let steps = Steps { edges: vec![1.0, 2.0], values: vec![10.0, 20.0, 30.0], missing: 5.0 };
        let at = [-9.0, 1.0, 1.5, 2.0, 2.5, f64::NAN].map(|value| steps.at(value));
        let whole = at.map(|value| value as i32);
        assert_eq!(whole, [10, 10, 20, 20, 30, 5]);
    }

    #[test]
    fn values_are_counted_once_and_zero_has_no_sign() {
        let column = [2.0, -0.0, f64::NAN, 0.0, 2.0];
        assert_eq!(counted(column.into_iter()), (vec![(0.0, 2), (2.0, 2)], 1));
    }

    proptest! {
        #[test]
        fn merging_moves_no_value_further_than_it_may(
            values in prop::collection::vec(-5.0_f64..5.0, 1..60), tolerance in 0.0_f64..2.0,
        ) {
            let edges: Vec<f64> = (1..values.len()).map(|at| at as f64).collect();
            let steps = Steps { edges, values, missing: 1.0 };
            let merged = steps.merged(tolerance);
            prop_assert!(merged.values.len() <= steps.values.len());
            for at in 0..=steps.values.len() {
                let moved = (steps.at(at as f64) - merged.at(at as f64)).abs();
                prop_assert!(moved <= tolerance + 1e-12, "{moved} at {at}");
            }
        }
    }
}
