//! What early outcomes say of rewards that are still to come.

use std::collections::BTreeMap;

use crate::linear::{Moments, SingularError, dot};

/// A linear index of early outcomes that predicts the late reward, with the covariance of its coefficients.
#[derive(Clone, Debug)]
pub struct Surrogate {
    /// The intercept, then a coefficient for each outcome.
    coefficients: Vec<f64>,
    /// Of the coefficients, row by row.
    covariance: Vec<f64>,
}

/// A column that repeats another is refused at this little ridge; it changes no coefficient visibly.
const RIDGE: f64 = 1e-9;

impl Surrogate {
    /// Fits the index on decisions whose rewards have come: `outcomes` are rows × `width`, `partners` whose they are. Its
    /// covariance is robust to a partner's rows going together (Liang and Zeger 1986).
    ///
    /// # Errors
    /// When an outcome says the same as others.
    ///
    /// # Panics
    /// When the columns differ in length.
    pub fn fit(
        partners: &[u32],
        outcomes: &[f64],
        width: usize,
        rewards: &[f64],
    ) -> Result<Self, SingularError> {
        assert_eq!(
            (outcomes.len(), partners.len()),
            (rewards.len() * width, rewards.len()),
            "rows differ in number"
        );
        let rows: Vec<Vec<f64>> = outcomes.chunks_exact(width).map(with_intercept).collect();
        let mut moments = Moments::new(width + 1);
        for (row, reward) in rows.iter().zip(rewards) {
            moments.add(row, *reward);
        }
        let factor = moments.factor(RIDGE)?;
        let coefficients = moments.fit(RIDGE)?;
        let mut scores = BTreeMap::<u32, Vec<f64>>::new();
        for ((partner, row), reward) in partners.iter().zip(&rows).zip(rewards) {
            let missed = reward - dot(row, &coefficients);
            let sums = scores.entry(*partner).or_insert_with(|| vec![0.0; width + 1]);
            sums.iter_mut().zip(row).for_each(|(sum, one)| *sum += missed * one);
        }
        let mut covariance = vec![0.0; (width + 1) * (width + 1)];
        let many = scores.len() as f64;
        for score in scores.values() {
            let moved = factor.solve(score);
            for (i, one) in moved.iter().enumerate() {
                for (j, other) in moved.iter().enumerate() {
                    covariance[i * (width + 1) + j] += one * other * many / f64::max(many - 1.0, 1.0);
                }
            }
        }
        Ok(Self { coefficients, covariance })
    }

    /// How many outcomes it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.coefficients.len() - 1
    }

    /// The reward that the outcomes let expect.
    #[must_use]
    pub fn index(&self, outcomes: &[f64]) -> f64 {
        self.coefficients[0] + dot(outcomes, &self.coefficients[1..])
    }

    /// The variance of the index at weighted mean outcomes, from that of the coefficients; `total` is the mean weight.
    pub(super) fn variance(&self, outcomes: &[f64], total: f64) -> f64 {
        let at: Vec<f64> = std::iter::once(total).chain(outcomes.iter().copied()).collect();
        let moved = self.covariance.chunks_exact(at.len()).map(|row| dot(row, &at));
        moved.zip(&at).map(|(one, other)| one * other).sum()
    }
}

fn with_intercept(outcomes: &[f64]) -> Vec<f64> {
    std::iter::once(1.0).chain(outcomes.iter().copied()).collect()
}
