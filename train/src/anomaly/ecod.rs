//! ECOD: how far out in its tails each value lies, by the empirical distribution alone (Li, Zhao, Hu, Botta, Ionescu
//! and Chen 2022). There is nothing to choose and nothing random.

use rayon::prelude::*;

use super::{
    Detector, DetectorError, check_learnable,
    matrix::Matrix,
    steps::{self, Steps},
};

/// How far a feature's part may be from the exact one, in nats: the price of tables that do not grow with the data.
pub const TOLERANCE: f64 = 0.005;

/// The empirical distribution of each feature.
///
/// A feature's part of the score is the greater of its two tails' surprise, max(−ln F(x), −ln P(X ≥ x)), and the score
/// is the sum of the parts: the outlier score by dimension that PyOD sums, which unlike the paper's maximum of three sums
/// is additive by feature. A value beyond all that was seen counts as half an observation; so does a missing one where
/// none was missing. One between two that were seen counts as the next greater.
#[derive(Debug, Clone, PartialEq)]
pub struct Ecod {
    features: Vec<Steps>,
}

impl Ecod {
    /// Learns the distribution of each column.
    ///
    /// # Errors
    /// When there is nothing to learn from.
    pub fn fit(table: &Matrix) -> Result<Self, DetectorError> {
        check_learnable(table)?;
        let features: Vec<Steps> = (0..table.width())
            .into_par_iter()
            .map(|column| surprise(table.column(column)).merged(TOLERANCE))
            .collect();
        Ok(Self { features })
    }

    /// Each feature's part of the score, for another format.
    #[must_use]
    pub fn features(&self) -> &[Steps] {
        &self.features
    }
}

impl Detector for Ecod {
    fn name(&self) -> &'static str {
        "ecod"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        table.check_width(self.features.len())?;
        Ok(steps::sums(&self.features, table))
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        steps::parts(&self.features, row)
    }
}

fn surprise(column: impl Iterator<Item = f64>) -> Steps {
    let (counted, missing) = steps::counted(column);
    let present: usize = counted.iter().map(|(_, count)| count).sum();
    let (present_f, all) = (present as f64, (present + missing) as f64);
    let nats = |count: usize, of: f64| -libm::log((count as f64).max(0.5) / of);
    let missing_part = if missing == 0 { nats(0, all) } else { nats(missing, all) };
    let Some(&(least, _)) = counted.first() else {
        return Steps { edges: Vec::new(), values: vec![nats(0, all)], missing: missing_part };
    };
    let beyond = nats(0, present_f);
    let (mut edges, mut values) = (vec![least.next_down()], vec![beyond]);
    let mut before = 0;
    for (value, count) in counted {
        edges.push(value);
        values.push(nats(before + count, present_f).max(nats(present - before, present_f)));
        before += count;
    }
    values.push(beyond);
    Steps { edges, values, missing: missing_part }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_surprise_of_the_tails() {
        // Of 1, 2, 2, 5: F = ¼, ¾, 1 and P(X ≥ x) = 1, ¾, ¼.
        let steps = surprise([2.0, 1.0, 5.0, 2.0].into_iter());
        let nats = |share: f64| -share.ln();
        for (value, share) in [
            (1.0, 0.25),
            (2.0, 0.75),
            (5.0, 0.25),
            (4.0, 0.25),
            (9.0, 0.125),
            (0.9, 0.125),
            (f64::NAN, 0.125),
        ] {
            assert!((steps.at(value) - nats(share)).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn tables_stay_small_where_data_grow() {
        let values = (0..200_000).map(f64::from).collect();
        let table = Matrix::from_rows(1, values).unwrap();
        let fitted = Ecod::fit(&table).unwrap();
        assert!(fitted.features()[0].edges.len() < 3_000, "{}", fitted.features()[0].edges.len());
        let exact = surprise(table.column(0));
        let furthest = table.column(0).map(|value| (exact.at(value) - fitted.features()[0].at(value)).abs());
        assert!(furthest.fold(0.0, f64::max) <= TOLERANCE + 1e-12);
    }

    #[test]
    fn a_column_without_any_value_surprises_by_the_first_one() {
        let steps = surprise([f64::NAN, f64::NAN].into_iter());
        assert!(steps.at(f64::NAN).abs() < 1e-12);
        assert!(1.0 < steps.at(3.0));
    }
}
