//! The estimators: what a policy would have brought, each with what every row adds to the estimate's error.

use super::{Candidate, Log};

/// A way to estimate what a policy would have brought.
#[derive(Clone, Copy, Debug)]
pub struct Estimator {
    /// Its name in reports.
    pub name: &'static str,
    /// One sentence for the report.
    pub doc: &'static str,
    pub(super) estimate: fn(&Rows<'_>) -> Estimate,
}

/// The estimators. To add one: a function here and its line.
pub static ESTIMATORS: &[Estimator] = &[IPS, SNIPS, DR];

/// Inverse propensity scoring (Horvitz and Thompson 1952).
pub const IPS: Estimator = Estimator {
    name: "ips",
    doc: "Each reward counts as often as the policy would have paid that rate for every time that it was paid.",
    estimate: ips,
};

/// The self-normalised form (Hájek 1971; Swaminathan and Joachims 2015).
pub const SNIPS: Estimator = Estimator {
    name: "snips",
    doc: "As inverse propensity scoring, divided by the mean weight: steadier, with a bias that vanishes as the log grows.",
    estimate: snips,
};

/// Doubly robust (Dudík, Langford and Li 2011).
pub const DR: Estimator = Estimator {
    name: "dr",
    doc: "What a model of rewards expects, corrected by inverse propensity scoring of what it got wrong: right if either is.",
    estimate: dr,
};

/// A checked log with its weights.
pub(super) struct Rows<'a> {
    pub(super) log: &'a Log<'a>,
    pub(super) candidate: &'a Candidate<'a>,
    /// How often the policy would have paid the row's rate for every time that it was paid.
    pub(super) weights: &'a [f64],
}

/// A value, and what each row adds to its error: the influence function, which sums to zero.
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) influence: Vec<f64>,
}

/// The mean of `rows`, as an estimate.
pub(super) fn mean(rows: &[f64]) -> Estimate {
    let value = rows.iter().sum::<f64>() / rows.len() as f64;
    Estimate { value, influence: rows.iter().map(|row| row - value).collect() }
}

fn ips(rows: &Rows<'_>) -> Estimate {
    let weighted: Vec<f64> =
        rows.weights.iter().zip(rows.log.rewards).map(|(weight, reward)| weight * reward).collect();
    mean(&weighted)
}

fn snips(rows: &Rows<'_>) -> Estimate {
    let total: f64 = rows.weights.iter().sum();
    let pairs = || rows.weights.iter().zip(rows.log.rewards);
    let value = pairs().map(|(weight, reward)| weight * reward).sum::<f64>() / total;
    let mean_weight = total / rows.weights.len() as f64;
    Estimate {
        value,
        influence: pairs().map(|(weight, reward)| weight * (reward - value) / mean_weight).collect(),
    }
}

fn dr(rows: &Rows<'_>) -> Estimate {
    let Rows { log, candidate, weights } = rows;
    let corrected = |row: usize| {
        let of_row = row * log.rates..(row + 1) * log.rates;
        let predicted = &candidate.predicted[of_row.clone()];
        let chances = candidate.probabilities[of_row].iter();
        let expected: f64 = chances.zip(predicted).map(|(chance, reward)| chance * reward).sum();
        expected + weights[row] * (log.rewards[row] - predicted[log.actions[row] as usize])
    };
    mean(&(0..weights.len()).map(corrected).collect::<Vec<f64>>())
}
