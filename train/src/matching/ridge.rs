//! Linear maps from features to numbers, by ridge regression (Hoerl and Kennard 1970).

use nalgebra::DMatrix;

use super::{MatchingError, Profiles, inverse::inverse};

/// What each feature adds to each of some numbers, and what they are without any.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ridge {
    /// Features × numbers.
    slopes: DMatrix<f64>,
    means: Vec<f64>,
}

impl Ridge {
    /// Fits the numbers of those rows that are given, each with how much it counts; `penalty` is what squared slopes cost.
    pub(super) fn fit(
        profiles: &Profiles,
        rows: &[(usize, f64)],
        numbers: impl Fn(usize) -> Vec<f64>,
        width: usize,
        penalty: f64,
    ) -> Result<Self, MatchingError> {
        let features = profiles.names().len();
        let total: f64 = rows.iter().map(|(_, weight)| weight).sum();
        let mut means = vec![0.0; width];
        for (row, weight) in rows {
            means.iter_mut().zip(numbers(*row)).for_each(|(mean, number)| *mean += weight * number / total);
        }
        let mut squares = DMatrix::<f64>::identity(features, features) * penalty;
        let mut products = DMatrix::<f64>::zeros(features, width);
        for (row, weight) in rows {
            let numbers = numbers(*row);
            for (one, value) in profiles.row(*row) {
                for (other, second) in profiles.row(*row) {
                    squares[(*one as usize, *other as usize)] += weight * value * second;
                }
                for (at, number) in numbers.iter().enumerate() {
                    products[(*one as usize, at)] += weight * value * (number - means[at]);
                }
            }
        }
        Ok(Self { slopes: inverse(squares)? * products, means })
    }

    /// What each feature adds to each number, features × numbers, row by row.
    pub(super) fn slopes(&self) -> Vec<f64> {
        self.slopes.transpose().as_slice().to_vec()
    }

    /// What the numbers are without any feature.
    pub(super) fn means(&self) -> &[f64] {
        &self.means
    }

    /// The numbers of one with these features.
    pub(super) fn predict(&self, row: &[(u32, f64)]) -> Vec<f64> {
        let of = |(at, mean): (usize, &f64)| {
            mean + row
                .iter()
                .map(|(feature, value)| value * self.slopes[(*feature as usize, at)])
                .sum::<f64>()
        };
        self.means.iter().enumerate().map(of).collect()
    }

    /// The first number without any features, and what each feature of the row adds to it.
    pub(super) fn contributions(&self, row: &[(u32, f64)]) -> (f64, Vec<(u32, f64)>) {
        let adds = |(feature, value): &(u32, f64)| (*feature, value * self.slopes[(*feature as usize, 0)]);
        (self.means[0], row.iter().map(adds).collect())
    }
}
