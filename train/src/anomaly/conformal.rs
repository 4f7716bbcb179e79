//! A threshold whose false-positive rate is known before any label is: from the scores of a window of rows that no
//! detector was fitted on, with the interval that the window's size leaves.

use statrs::function::beta::beta_reg;

use super::metrics::{Estimate, INTERVAL_ERROR};

/// A threshold from a calibration window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// A row is flagged if its score is above this.
    pub score: f64,
    /// The false-positive rate that was asked for.
    pub target: f64,
    /// How many rows the window had.
    pub window: usize,
    /// The false-positive rate to expect, never above the target, with the interval of the rate that this very window's
    /// threshold has on further rows like it.
    pub rate: Estimate,
}

/// Why a window gives no threshold.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ConformalError {
    /// A rate that is none.
    #[error("the target false-positive rate is {0}; it must be above 0 and below 1")]
    Rate(f64),
    /// Too few rows for such a rate.
    #[error(
        "{rows} rows cannot hold a false-positive rate of {target}: give at least {needed}, or ask for a higher rate"
    )]
    Window {
        /// The window's rows.
        rows: usize,
        /// The rate.
        target: f64,
        /// How many rows would do.
        needed: usize,
    },
    /// A score that has no place in an order.
    #[error("score {0} of the calibration window is not a number")]
    NotANumber(usize),
}

impl Threshold {
    /// Split conformal prediction (Papadopoulos et al. 2002; Vovk 2012): the ⌈(n + 1)(1 − target)⌉-th smallest score of
    /// the window. A further ordinary row exceeds it with a probability of at most the target; given this window, the
    /// rate is distributed as Beta(n + 1 − k, k) where scores do not tie, and lower where they do. Anomalies in the
    /// window make it lower still.
    ///
    /// # Errors
    /// When the rate is out of bounds, a score is not a number, or the window is too small for the rate.
    pub fn fit(window: &[f64], target: f64) -> Result<Self, ConformalError> {
        if target.is_nan() || target <= 0.0 || 1.0 <= target {
            return Err(ConformalError::Rate(target));
        }
        if let Some(at) = window.iter().position(|score| score.is_nan()) {
            return Err(ConformalError::NotANumber(at));
        }
        let rows = window.len();
        // A tiny step back, so that rounding in 1 − target never asks for one row more than there is to ask for.
        let place = ((rows + 1) as f64 * (1.0 - target) - 1e-9).ceil().max(1.0) as usize;
        if rows < place {
            let needed = (1.0 / target - 1.0 - 1e-9).ceil() as usize;
            return Err(ConformalError::Window { rows, target, needed });
        }
        let mut sorted = window.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (above, below) = ((rows + 1 - place) as f64, place as f64);
        let rate = Estimate {
            value: above / (above + below),
            low: beta_quantile(above, below, INTERVAL_ERROR / 2.0),
            high: beta_quantile(above, below, 1.0 - INTERVAL_ERROR / 2.0),
        };
        Ok(Self { score: sorted[place - 1], target, window: rows, rate })
    }

    /// Whether a row is flagged.
    #[must_use]
    pub fn flags(&self, score: f64) -> bool {
        self.score < score
    }
}

/// The share of `hits` among `trials`, with the exact interval of Clopper and Pearson (1934).
///
/// # Panics
/// When there are more hits than trials.
#[must_use]
pub fn share(hits: usize, trials: usize) -> Estimate {
    assert!(hits <= trials, "{hits} of {trials} cannot be");
    let (hit, missed) = (hits as f64, (trials - hits) as f64);
    let low = if hits == 0 { 0.0 } else { beta_quantile(hit, missed + 1.0, INTERVAL_ERROR / 2.0) };
    let high =
        if hits == trials { 1.0 } else { beta_quantile(hit + 1.0, missed, 1.0 - INTERVAL_ERROR / 2.0) };
    Estimate { value: if trials == 0 { 0.5 } else { hit / trials as f64 }, low, high }
}

/// Where the distribution function of Beta(a, b) reaches `probability`, by bisection down to neighbouring floats.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..128 {
        let middle = f64::midpoint(low, high);
        if beta_reg(a, b, middle) < probability { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::dice::Dice;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }

    #[test]
    fn shares_have_the_intervals_of_the_tables() {
        // scipy.stats.binomtest(k, n).proportion_ci(method='exact'), SciPy 1.17.1.
        for (hits, trials, low, high) in CLOPPER_PEARSON {
            let share = share(hits, trials);
            near(share.low, low);
            near(share.high, high);
        }
    }

    const CLOPPER_PEARSON: [(usize, usize, f64, f64); 5] = [
        (0, 10, 0.0, 0.308_497_1),
        (1, 10, 0.002_528_6, 0.445_016_1),
        (10, 10, 0.691_502_9, 1.0),
        (20, 1_000, 0.012_258_3, 0.030_720_0),
        (0, 0, 0.0, 1.0),
    ];

    #[test]
    fn a_threshold_keeps_its_rate_on_rows_it_has_not_seen() {
        let (mut kept, windows) = (0, 400);
        let mut rates = Vec::new();
        for window in 0..windows {
            let mut dice = Dice::new(5, window);
            let mut normals = |rows: usize| -> Vec<f64> { (0..rows).map(|_| dice.normal()).collect() };
            let threshold = Threshold::fit(&normals(499), 0.02).unwrap();
            let later = normals(4_000);
            let flagged = later.iter().filter(|score| threshold.flags(**score)).count() as f64 / 4_000.0;
            near(threshold.rate.value, 0.02);
            // The interval is of the true rate; a sample of 4000 adds a little of its own.
            kept += u32::from(threshold.rate.low - 0.002 < flagged && flagged < threshold.rate.high + 0.002);
            rates.push(flagged);
        }
        let mean = rates.iter().sum::<f64>() / rates.len() as f64;
        assert!((mean - 0.02).abs() < 0.001, "{mean}");
        assert!(370 <= kept, "{kept} of {windows}");
    }

    #[test]
    fn a_window_too_small_for_a_rate_says_how_many_rows_would_do() {
        let error = Threshold::fit(&[1.0; 48], 0.02).unwrap_err();
        assert_eq!(error, ConformalError::Window { rows: 48, target: 0.02, needed: 49 });
        let threshold = Threshold::fit(&[1.0; 49], 0.02).unwrap();
        assert!(!threshold.flags(1.0) && threshold.flags(1.1));
        assert!(threshold.rate.low < 0.02 && 0.02 < threshold.rate.high);
        for rate in [0.0, 1.0, f64::NAN] {
            assert!(matches!(Threshold::fit(&[1.0], rate), Err(ConformalError::Rate(_))));
        }
        assert_eq!(Threshold::fit(&[0.0, f64::NAN], 0.5), Err(ConformalError::NotANumber(1)));
    }
}
