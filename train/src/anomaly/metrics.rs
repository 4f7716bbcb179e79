//! How well scores tell anomalies from the rest, with the interval that chance leaves, against labels that no detector
//! has seen.

use rayon::prelude::*;
use statrs::function::erf::erfc_inv;

use super::dice::Dice;

/// What two-sided intervals leave out.
pub const INTERVAL_ERROR: f64 = 0.05;

/// Why a measure does not exist for some scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// Not one label for each score.
    #[error("there are {scores} scores and {labels} labels; give one label for each score")]
    Lengths {
        /// How many scores.
        scores: usize,
        /// How many labels.
        labels: usize,
    },
    /// Nothing to tell apart.
    #[error("there are {anomalies} anomalies and {others} other rows; at least one of each is needed")]
    OneClass {
        /// How many anomalies.
        anomalies: usize,
        /// How many others.
        others: usize,
    },
    /// A score that has no place in an order.
    #[error("score {0} is not a number")]
    NotANumber(usize),
}

/// A number with the interval that holds the true one in 95 of 100 samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// What was measured.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// What rows above one threshold come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operating {
    /// Rows with a greater or equal score are flagged; infinity when flagging the first rows would already exceed the
    /// rate asked for.
    pub threshold: f64,
    /// Flagged anomalies among all anomalies.
    pub recall: f64,
    /// Flagged anomalies among all flagged rows; one when nothing is flagged.
    pub precision: f64,
    /// Flagged others among all others.
    pub false_positive_rate: f64,
}

/// One bin of a reliability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// The mean probability that was said.
    pub said: f64,
    /// The share of anomalies that came.
    pub came: f64,
    /// How many rows it is about.
    pub rows: usize,
}

/// Labels and scores that fit each other, from the greatest score down: what every measure reads.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// Groups of equal scores: the score, how many anomalies, how many others.
    groups: Vec<(f64, usize, usize)>,
    anomalies: usize,
    others: usize,
}

impl Ranked {
    /// Orders scores against labels.
    ///
    /// # Errors
    /// When they do not fit each other, a score is not a number, or one class is absent.
    pub fn new(scores: &[f64], labels: &[bool]) -> Result<Self, MetricError> {
        if scores.len() != labels.len() {
            return Err(MetricError::Lengths { scores: scores.len(), labels: labels.len() });
        }
        if let Some(at) = scores.iter().position(|score| score.is_nan()) {
            return Err(MetricError::NotANumber(at));
        }
        let mut rows: Vec<(f64, bool)> =
            scores.iter().map(|score| score + 0.0).zip(labels.iter().copied()).collect();
        rows.par_sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let groups: Vec<(f64, usize, usize)> = rows
            .chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq())
            .map(|group| {
                let anomalies = group.iter().filter(|(_, label)| *label).count();
                (group[0].0, anomalies, group.len() - anomalies)
            })
            .collect();
        let anomalies = groups.iter().map(|group| group.1).sum();
        let others = scores.len() - anomalies;
        if anomalies == 0 || others == 0 {
            return Err(MetricError::OneClass { anomalies, others });
        }
        Ok(Self { groups, anomalies, others })
    }

    /// The scores from the least up, each once, with how many anomalies and how many others have it.
    pub(super) fn rising(&self) -> impl Iterator<Item = (f64, usize, usize)> {
        self.groups.iter().rev().copied()
    }

    /// The probability that an anomaly scores higher than another row, ties counting half (Mann and Whitney 1947): the
    /// area under the curve of recall over false-positive rate.
    #[must_use]
    pub fn roc_auc(&self) -> f64 {
        let (mut above, mut halves) = (0_u128, 0_u128);
        for &(_, anomalies, others) in &self.groups {
            halves += others as u128 * (2 * above + anomalies as u128);
            above += anomalies as u128;
        }
        halves as f64 / (2 * self.anomalies as u128 * self.others as u128) as f64
    }

    /// [`Self::roc_auc`] with its interval by DeLong, DeLong and Clarke-Pearson (1988) from ranks (Sun and Xu 2014), on
    /// the scale of the logit, so that it stays between 0 and 1. Where either class has one row only, or separation is
    /// perfect, there is no variance to estimate: the interval is then that of the rule of three for the smaller class.
    #[must_use]
    pub fn roc_auc_interval(&self) -> Estimate {
        let value = self.roc_auc();
        let error = self.delong_variance().sqrt();
        let smaller = self.anomalies.min(self.others) as f64;
        let degenerate = error.is_nan() || error <= 0.0 || value <= 0.0 || 1.0 <= value;
        if degenerate {
            let three = (3.0 / smaller).min(1.0);
            let (low, high) = ((value - three).max(0.0), (value + three).min(1.0));
            return Estimate { value, low, high };
        }
        let (logit, reach) = (libm::log(value / (1.0 - value)), quantile() * error / (value * (1.0 - value)));
        let logistic = |logit: f64| 1.0 / (1.0 + libm::exp(-logit));
        Estimate { value, low: logistic(logit - reach), high: logistic(logit + reach) }
    }

    /// The variance of the area: that of how many others each anomaly exceeds, and of by how many anomalies each other is
    /// exceeded.
    fn delong_variance(&self) -> f64 {
        let (anomalies, others, area) = (self.anomalies as f64, self.others as f64, self.roc_auc());
        let (mut of_anomalies, mut of_others) = (0.0, 0.0);
        let (mut anomalies_above, mut others_below) = (0.0, others);
        for &(_, here, there) in &self.groups {
            let (here, there) = (here as f64, there as f64);
            others_below -= there;
            let exceeds = (others_below + there / 2.0) / others;
            let exceeded = (anomalies_above + here / 2.0) / anomalies;
            of_anomalies += here * (exceeds - area) * (exceeds - area);
            of_others += there * (exceeded - area) * (exceeded - area);
            anomalies_above += here;
        }
        of_anomalies / ((anomalies - 1.0) * anomalies) + of_others / ((others - 1.0) * others)
    }

    /// Precision summed over the steps of recall, equal scores being one step, without interpolation: what scikit-learn's
    /// `average_precision_score` computes.
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        average_precision(
            self.groups.iter().map(|&(_, anomalies, others)| (anomalies, others)),
            self.anomalies,
        )
    }

    /// [`Self::average_precision`] with its interval by the bootstrap: `resamples` times as many anomalies and others as
    /// there are, drawn with replacement within each class, and the quantiles of what comes out.
    #[must_use]
    pub fn average_precision_interval(&self, resamples: usize, seed: u64) -> Estimate {
        let mut drawn: Vec<f64> = (0..resamples as u64)
            .into_par_iter()
            .map(|resample| {
                let mut dice = Dice::new(seed, resample);
                let mut anomalies = self.resampled(self.groups.iter().map(|group| group.1), &mut dice);
                let others = self.resampled(self.groups.iter().map(|group| group.2), &mut dice);
                let groups = anomalies.drain(..).zip(others);
                average_precision(groups, self.anomalies)
            })
            .collect();
        drawn.sort_unstable_by(f64::total_cmp);
        let value = self.average_precision();
        let at = |share: f64| {
            let last = drawn.len().saturating_sub(1) as f64;
            drawn.get((share * last).round() as usize).copied().unwrap_or(value)
        };
        Estimate { value, low: at(INTERVAL_ERROR / 2.0), high: at(1.0 - INTERVAL_ERROR / 2.0) }
    }

    /// How often each group comes up among as many draws as the groups have rows.
    fn resampled(&self, counts: impl Iterator<Item = usize>, dice: &mut Dice) -> Vec<usize> {
        let counts: Vec<usize> = counts.collect();
        let mut of_row: Vec<u32> = Vec::with_capacity(self.others.max(self.anomalies));
        for (group, &count) in counts.iter().enumerate() {
            of_row.extend(std::iter::repeat_n(group as u32, count));
        }
        let mut drawn = vec![0; counts.len()];
        for _ in 0..of_row.len() {
            drawn[of_row[dice.index(of_row.len())] as usize] += 1;
        }
        drawn
    }

    /// The lowest threshold whose false-positive rate is at most `rate`, and what it comes to.
    #[must_use]
    pub fn at_false_positive_rate(&self, rate: f64) -> Operating {
        let mut best =
            Operating { threshold: f64::INFINITY, recall: 0.0, precision: 1.0, false_positive_rate: 0.0 };
        let (mut hits, mut false_alarms) = (0, 0);
        for &(score, anomalies, others) in &self.groups {
            hits += anomalies;
            false_alarms += others;
            let false_positive_rate = false_alarms as f64 / self.others as f64;
            if rate < false_positive_rate {
                break;
            }
            best = Operating {
                threshold: score,
                recall: hits as f64 / self.anomalies as f64,
                precision: hits as f64 / (hits + false_alarms) as f64,
                false_positive_rate,
            };
        }
        best
    }

    /// The points of the curve of recall over false-positive rate, from (0, 0) to (1, 1).
    #[must_use]
    pub fn roc_curve(&self) -> Vec<[f64; 2]> {
        let (mut hits, mut false_alarms) = (0, 0);
        let mut points = vec![[0.0, 0.0]];
        for &(_, anomalies, others) in &self.groups {
            hits += anomalies;
            false_alarms += others;
            points.push([false_alarms as f64 / self.others as f64, hits as f64 / self.anomalies as f64]);
        }
        points
    }

    /// The points of the curve of precision over recall, from the greatest score down.
    #[must_use]
    pub fn precision_recall_curve(&self) -> Vec<[f64; 2]> {
        let (mut hits, mut flagged) = (0, 0);
        let point = |&(_, anomalies, others): &(f64, usize, usize)| {
            hits += anomalies;
            flagged += anomalies + others;
            [hits as f64 / self.anomalies as f64, hits as f64 / flagged as f64]
        };
        self.groups.iter().map(point).collect()
    }
}

fn average_precision(groups: impl Iterator<Item = (usize, usize)>, all: usize) -> f64 {
    let (mut hits, mut flagged, mut area) = (0, 0, 0.0);
    for (anomalies, others) in groups {
        hits += anomalies;
        flagged += anomalies + others;
        if 0 < anomalies {
            area += anomalies as f64 / all as f64 * (hits as f64 / flagged as f64);
        }
    }
    area
}

/// What probabilities said against what came, in bins of equally many rows: at most `bins`, equal probabilities never
/// parted.
///
/// # Errors
/// When labels and probabilities do not fit each other, or a probability is not a number.
pub fn reliability(
    probabilities: &[f64],
    labels: &[bool],
    bins: usize,
) -> Result<Vec<Reliability>, MetricError> {
    if probabilities.len() != labels.len() {
        return Err(MetricError::Lengths { scores: probabilities.len(), labels: labels.len() });
    }
    if let Some(at) = probabilities.iter().position(|probability| probability.is_nan()) {
        return Err(MetricError::NotANumber(at));
    }
    let mut rows: Vec<(f64, bool)> = probabilities.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let full = rows.len().div_ceil(bins.max(1)).max(1);
    let mut curve = Vec::new();
    let mut bin: Vec<(f64, bool)> = Vec::new();
    for same in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        bin.extend(same);
        if full <= bin.len() {
            curve.push(summed(&bin));
            bin.clear();
        }
    }
    if !bin.is_empty() {
        curve.push(summed(&bin));
    }
    Ok(curve)
}

fn summed(bin: &[(f64, bool)]) -> Reliability {
    let rows = bin.len() as f64;
    let said = bin.iter().map(|(probability, _)| probability).sum::<f64>() / rows;
    let came = bin.iter().filter(|(_, label)| *label).count() as f64 / rows;
    Reliability { said, came, rows: bin.len() }
}

/// How far a two-sided interval reaches, in standard deviations.
fn quantile() -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(INTERVAL_ERROR)
}

#[cfg(test)]
pub(super) mod tests;
