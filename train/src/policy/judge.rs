//! A policy judged by another one's log: what it would have brought and how sure that is, or why the log cannot say.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{
    Candidate, Estimator, Log, LogError, Surrogate,
    estimate::{DR, Estimate, Rows, mean},
    log::check,
};

/// What happens to rows whose propensity is below the floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Small {
    /// The log is refused.
    Refuse(f64),
    /// They count as if their propensity were the floor. Estimates are then a little biased towards what was done, which
    /// [`Support::clipped`] tells.
    Clip(f64),
}

/// How a policy is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What happens to rows whose propensity is small.
    pub small: Small,
    /// Below so many effective partners nothing is said.
    pub least_partners: f64,
    /// The probability with which an interval holds the truth.
    pub confidence: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { small: Small::Refuse(0.01), least_partners: 50.0, confidence: 0.95 }
    }
}

/// A number and where it lies with the declared confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The low end.
    pub low: f64,
    /// The high end.
    pub high: f64,
    /// The standard error.
    pub error: f64,
}

impl Interval {
    /// Whether it lies wholly above zero.
    #[must_use]
    pub fn is_above_zero(&self) -> bool {
        0.0 < self.low
    }

    /// Whether `truth` lies in it.
    #[must_use]
    pub fn holds(&self, truth: f64) -> bool {
        self.low <= truth && truth <= self.high
    }
}

/// How much the policy has in common with what was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Support {
    /// How many decisions were logged.
    pub rows: usize,
    /// Of how many partners.
    pub partners: usize,
    /// How many partners of equal weight would say as much: (Σw)² / Σw² over the partners' weights (Kish 1965).
    pub effective_partners: f64,
    /// The same over decisions.
    pub effective_rows: f64,
    /// The mean weight, which is 1 but for chance where all that the policy does was tried.
    pub mean_weight: f64,
    /// The largest weight of a decision.
    pub largest_weight: f64,
    /// How many propensities were below the floor and clipped.
    pub clipped: usize,
}

/// What the log says of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// By which estimator.
    pub estimator: &'static str,
    /// What a decision of the policy would have brought on average.
    pub value: Interval,
    /// By how much that is more than what was brought.
    pub uplift: Interval,
    /// On what that rests.
    pub support: Support,
}

/// Estimates what the policy would have brought. Intervals are Student's t over partners, from the influence function's
/// sums by partner (Liang and Zeger 1986), so that neither a partner's months nor its luck count as independent.
///
/// # Errors
/// When columns do not fit, numbers cannot be meant, a propensity is refused, or the policy has too little in common with
/// what was done.
pub fn judge(
    settings: &Settings,
    log: &Log<'_>,
    candidate: &Candidate<'_>,
    estimator: &Estimator,
) -> Result<Judgement, LogError> {
    let (weights, support) = weigh(settings, log, candidate)?;
    let estimate = (estimator.estimate)(&Rows { log, candidate, weights: &weights });
    let (value, uplift) = intervals(settings, log, &estimate, 0.0, 0.0);
    Ok(Judgement { estimator: estimator.name, value, uplift, support })
}

/// As [`judge`] with the doubly robust estimator, on what early outcomes say of rewards that are still to come (Athey,
/// Chetty, Imbens and Kang 2019). `outcomes` are the early outcomes of each row, as the surrogate was fitted on; the log's
/// rewards are not looked at, and the candidate's predictions are of the index. Intervals also know how sure the index is
/// of its coefficients. What the rate does to rewards other than through the outcomes, no surrogate can see: commission
/// itself belongs among the outcomes.
///
/// # Errors
/// As [`judge`].
pub fn judge_by_surrogate(
    settings: &Settings,
    log: &Log<'_>,
    candidate: &Candidate<'_>,
    surrogate: &Surrogate,
    outcomes: &[f64],
) -> Result<Judgement, LogError> {
    let (rows, width) = (log.partners.len(), surrogate.width());
    if outcomes.len() != rows * width {
        return Err(LogError::Length {
            what: "table of outcomes",
            found: outcomes.len(),
            expected: rows * width,
        });
    }
    let index: Vec<f64> = outcomes.chunks_exact(width).map(|outcomes| surrogate.index(outcomes)).collect();
    let log = &Log { rewards: &index, ..*log };
    let (weights, support) = weigh(settings, log, candidate)?;
    let estimate = (DR.estimate)(&Rows { log, candidate, weights: &weights });
    let mean_outcomes = |weight: &dyn Fn(usize) -> f64| {
        let mut sums = vec![0.0; width];
        for (row, outcomes) in outcomes.chunks_exact(width).enumerate() {
            for (sum, outcome) in sums.iter_mut().zip(outcomes) {
                *sum += weight(row) * outcome / rows as f64;
            }
        }
        let total = (0..rows).map(weight).sum::<f64>() / rows as f64;
        surrogate.variance(&sums, total)
    };
    let of_value = mean_outcomes(&|row| weights[row]);
    let of_uplift = mean_outcomes(&|row| weights[row] - 1.0);
    let (value, uplift) = intervals(settings, log, &estimate, of_value, of_uplift);
    Ok(Judgement { estimator: "surrogate_dr", value, uplift, support })
}

/// The weights of the rows, and whether they carry an estimate.
fn weigh(
    settings: &Settings,
    log: &Log<'_>,
    candidate: &Candidate<'_>,
) -> Result<(Vec<f64>, Support), LogError> {
    check(log, candidate)?;
    let floor = match settings.small {
        Small::Refuse(floor) | Small::Clip(floor) => floor,
    };
    let small = log.propensities.iter().position(|propensity| *propensity < floor);
    if let (Small::Refuse(floor), Some(row)) = (settings.small, small) {
        return Err(LogError::Propensity { row, found: log.propensities[row], floor });
    }
    let weight = |row: usize| {
        let probability = candidate.probabilities[row * log.rates + log.actions[row] as usize];
        probability / f64::max(log.propensities[row], floor)
    };
    let weights: Vec<f64> = (0..log.partners.len()).map(weight).collect();
    let by_partner = by_partner(log.partners, &weights);
    let kish = |weights: &[f64]| {
        let (sum, squares) = (weights.iter().sum::<f64>(), weights.iter().map(|one| one * one).sum::<f64>());
        if 0.0 < squares { sum * sum / squares } else { 0.0 }
    };
    let support = Support {
        rows: weights.len(),
        partners: by_partner.len(),
        effective_partners: kish(&by_partner),
        effective_rows: kish(&weights),
        mean_weight: mean(&weights).value,
        largest_weight: weights.iter().copied().fold(0.0, f64::max),
        clipped: log.propensities.iter().filter(|propensity| **propensity < floor).count(),
    };
    if support.effective_partners < settings.least_partners {
        return Err(LogError::TooFew { found: support.effective_partners, needed: settings.least_partners });
    }
    let Interval { value, low, high, .. } = interval(0.999, log, &mean(&weights), 0.0);
    let is_supported = (low <= 1.0 && 1.0 <= high) || (value - 1.0).abs() < 1e-9 || 0 < support.clipped;
    if is_supported { Ok((weights, support)) } else { Err(LogError::Unsupported { mean: value, low, high }) }
}

fn intervals(
    settings: &Settings,
    log: &Log<'_>,
    estimate: &Estimate,
    of_value: f64,
    of_uplift: f64,
) -> (Interval, Interval) {
    let done = mean(log.rewards);
    let apart = estimate.influence.iter().zip(&done.influence).map(|(one, other)| one - other);
    let uplift = Estimate { value: estimate.value - done.value, influence: apart.collect() };
    (
        interval(settings.confidence, log, estimate, of_value),
        interval(settings.confidence, log, &uplift, of_uplift),
    )
}

/// `besides` is variance that does not come from these rows.
fn interval(confidence: f64, log: &Log<'_>, estimate: &Estimate, besides: f64) -> Interval {
    let sums = by_partner(log.partners, &estimate.influence);
    let (partners, rows) = (sums.len() as f64, estimate.influence.len() as f64);
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let freedom = f64::max(partners - 1.0, 1.0);
    let error = (squares * partners / freedom / (rows * rows) + besides).sqrt();
    let student = StudentsT::new(0.0, 1.0, freedom).expect("there is a degree of freedom");
    let reach = error * student.inverse_cdf(0.5 + confidence / 2.0);
    Interval { value: estimate.value, low: estimate.value - reach, high: estimate.value + reach, error }
}

fn by_partner(partners: &[u32], rows: &[f64]) -> Vec<f64> {
    let mut sums = BTreeMap::<u32, f64>::new();
    for (partner, row) in partners.iter().zip(rows) {
        *sums.entry(*partner).or_default() += row;
    }
    sums.into_values().collect()
}
