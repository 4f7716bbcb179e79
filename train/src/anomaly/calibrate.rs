//! From a score to a probability, where people have judged some rows; and to a place in an order, where nobody has.

use super::{
    metrics::{MetricError, Ranked},
    surprise::Surprise,
};

/// Rows and anomalies from which on isotonic regression is better than a curve of two parameters: it has no shape to be
/// wrong about but needs about a thousand rows (Niculescu-Mizil and Caruana 2005).
const ROWS_FOR_ISOTONIC: usize = 1_000;
const ANOMALIES_FOR_ISOTONIC: usize = 50;

/// A function of a score that never falls.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// A probability by isotonic regression.
    Isotonic(Isotonic),
    /// A probability by a logistic curve.
    Platt(Platt),
    /// The share of the learned rows that score lower. This is no probability of anything.
    Rank(Surprise),
}

impl Calibration {
    /// Learns a probability from judged rows, which must not be those the detector was fitted on: isotonic where there
    /// are enough of them, Platt's otherwise.
    ///
    /// # Errors
    /// When scores and labels do not fit each other, or one class is absent.
    pub fn from_labels(scores: &[f64], labels: &[bool]) -> Result<Self, MetricError> {
        let anomalies = labels.iter().filter(|label| **label).count();
        let many = ANOMALIES_FOR_ISOTONIC <= anomalies.min(labels.len() - anomalies);
        if ROWS_FOR_ISOTONIC <= labels.len() && many {
            return Isotonic::fit(scores, labels).map(Self::Isotonic);
        }
        Platt::fit(scores, labels).map(Self::Platt)
    }

    /// A place in the order of the scores that were learned from, for want of labels.
    #[must_use]
    pub fn from_scores(scores: &[f64]) -> Self {
        Self::Rank(Surprise::fit(scores))
    }

    /// What a score comes to, from 0 to 1.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::Isotonic(isotonic) => isotonic.probability(score),
            Self::Platt(platt) => platt.probability(score),
            Self::Rank(surprise) => surprise.rank(score),
        }
    }

    /// Whether [`Self::apply`] is the probability of an anomaly. A place in an order is not, and must not be called so.
    #[must_use]
    pub fn is_probability(&self) -> bool {
        !matches!(self, Self::Rank(_))
    }
}

/// The probability that rises with the score and is nearest to the labels in squared error, linear between knots and
/// constant beyond them (Zadrozny and Elkan 2002; scikit-learn's `IsotonicRegression` gives the same numbers).
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Scores, rising.
    pub scores: Vec<f64>,
    /// The probability at each, never falling.
    pub probabilities: Vec<f64>,
}

/// Neighbouring scores with one probability.
#[derive(Clone, Copy)]
struct Pool {
    first: f64,
    last: f64,
    anomalies: f64,
    rows: f64,
}

impl Pool {
    fn mean(&self) -> f64 {
        self.anomalies / self.rows
    }
}

impl Isotonic {
    /// Pools adjacent violators (Ayer et al. 1955).
    ///
    /// # Errors
    /// When scores and labels do not fit each other, or one class is absent.
    pub fn fit(scores: &[f64], labels: &[bool]) -> Result<Self, MetricError> {
        let mut pools: Vec<Pool> = Vec::new();
        for (score, anomalies, others) in Ranked::new(scores, labels)?.rising() {
            let (anomalies, rows) = (anomalies as f64, (anomalies + others) as f64);
            let mut pool = Pool { first: score, last: score, anomalies, rows };
            while let Some(before) = pools.pop_if(|before| pool.mean() <= before.mean()) {
                pool.first = before.first;
                pool.anomalies += before.anomalies;
                pool.rows += before.rows;
            }
            pools.push(pool);
        }
        let mut isotonic = Self { scores: Vec::new(), probabilities: Vec::new() };
        for pool in pools {
            isotonic.scores.push(pool.first);
            isotonic.probabilities.push(pool.mean());
            if pool.first < pool.last {
                isotonic.scores.push(pool.last);
                isotonic.probabilities.push(pool.mean());
            }
        }
        Ok(isotonic)
    }

    /// The probability of a score.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        let after = self.scores.partition_point(|knot| *knot < score);
        let Some(&next) = self.scores.get(after) else { return self.probabilities[after - 1] };
        let Some(before) = after.checked_sub(1) else { return self.probabilities[0] };
        let share = (score - self.scores[before]) / (next - self.scores[before]);
        self.probabilities[before] + share * (self.probabilities[after] - self.probabilities[before])
    }
}

/// The probability 1 / (1 + exp(−(slope × score + intercept))) (Platt 1999).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    /// Never below zero: a higher score is no less suspicious.
    pub slope: f64,
    /// The log odds at score zero.
    pub intercept: f64,
}

/// How often the curve is improved at most; a dozen times is usual.
const NEWTON_STEPS: usize = 100;

impl Platt {
    /// Maximises the likelihood of Platt's smoothed labels by Newton's method with backtracking (Lin, Lin and Weng 2007).
    /// Scores that rank the labels the wrong way round get the same probability everywhere.
    ///
    /// # Errors
    /// When scores and labels do not fit each other, or one class is absent.
    pub fn fit(scores: &[f64], labels: &[bool]) -> Result<Self, MetricError> {
        // Checks the labels, and groups equal scores.
        let groups: Vec<(f64, usize, usize)> = Ranked::new(scores, labels)?.rising().collect();
        let all = scores.len() as f64;
        let mean = scores.iter().map(|score| score / all).sum::<f64>();
        let spread = scores.iter().map(|score| (score - mean) * (score - mean) / all).sum::<f64>().sqrt();
        let spread = if 0.0 < spread && spread.is_finite() { spread } else { 1.0 };
        let anomalies: usize = groups.iter().map(|group| group.1).sum();
        let (anomalies, others) = (anomalies as f64, all - anomalies as f64);
        let (high, low) = ((anomalies + 1.0) / (anomalies + 2.0), 1.0 / (others + 2.0));
        let rows: Vec<Weighted> = groups
            .iter()
            .map(|&(score, of_anomalies, of_others)| Weighted {
                score: (score - mean) / spread,
                rows: (of_anomalies + of_others) as f64,
                target: of_anomalies as f64 * high + of_others as f64 * low,
            })
            .collect();
        let flat = [0.0, libm::log((anomalies + 1.0) / (others + 1.0))];
        let [slope, intercept] = newton(&rows, flat);
        let [slope, intercept] = if slope < 0.0 { flat_curve(&rows) } else { [slope, intercept] };
        Ok(Self { slope: slope / spread, intercept: intercept - slope * mean / spread })
    }

    /// The probability of a score.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        logistic(self.slope * score + self.intercept)
    }
}

/// Rows of one score: how many, and the sum of their smoothed labels.
struct Weighted {
    score: f64,
    rows: f64,
    target: f64,
}

fn logistic(odds: f64) -> f64 {
    if odds < 0.0 { libm::exp(odds) / (1.0 + libm::exp(odds)) } else { 1.0 / (1.0 + libm::exp(-odds)) }
}

/// The negative log likelihood of a curve.
fn loss(rows: &[Weighted], [slope, intercept]: [f64; 2]) -> f64 {
    let of_row = |row: &Weighted| {
        let odds = slope * row.score + intercept;
        // ln(1 + exp(odds)), which does not overflow.
        row.rows * (odds.max(0.0) + libm::log1p(libm::exp(-odds.abs()))) - row.target * odds
    };
    rows.iter().map(of_row).sum()
}

fn newton(rows: &[Weighted], mut at: [f64; 2]) -> [f64; 2] {
    let mut now = loss(rows, at);
    for _ in 0..NEWTON_STEPS {
        let (mut gradient, mut hessian) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
        for row in rows {
            let probability = logistic(at[0] * row.score + at[1]);
            let (error, weight) =
                (row.rows * probability - row.target, row.rows * probability * (1.0 - probability));
            gradient[0] += error * row.score;
            gradient[1] += error;
            hessian[0] += weight * row.score * row.score;
            hessian[1] += weight * row.score;
            hessian[2] += weight;
        }
        if gradient.iter().all(|slope| slope.abs() < 1e-9 * rows.len() as f64) {
            break;
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        let step = [
            (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
            (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
        ];
        let downhill = gradient[0] * step[0] + gradient[1] * step[1];
        let tried = (0..40).map(|halvings| libm::exp2(-f64::from(halvings))).find_map(|length| {
            let next = [at[0] - length * step[0], at[1] - length * step[1]];
            let then = loss(rows, next);
            (then < now - 1e-4 * length * downhill).then_some((next, then))
        });
        let Some((next, then)) = tried else { break };
        (at, now) = (next, then);
    }
    at
}

/// The curve of slope zero: the mean of the smoothed labels everywhere.
fn flat_curve(rows: &[Weighted]) -> [f64; 2] {
    let (all, target) =
        rows.iter().fold((0.0, 0.0), |(all, target), row| (all + row.rows, target + row.target));
    [0.0, libm::log(target / (all - target))]
}

#[cfg(test)]
mod tests;
