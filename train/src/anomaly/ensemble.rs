//! Several detectors as one: their scores brought to one scale and combined, so that none has to be the best.

use rayon::prelude::*;

use super::{Detector, DetectorError, matrix::Matrix, surprise::Surprise};

/// One detector and the scale of its scores.
pub struct Member {
    /// The detector.
    pub detector: Box<dyn Detector>,
    /// How surprising its scores are, by the rows that were learned from.
    pub surprise: Surprise,
}

/// Fitted detectors whose p-values are combined by their harmonic mean (Wilson 2019): the score is ln of the mean of
/// 1/p, with p the share of the learned rows that a member scores at least as high. Unlike Fisher's sum of −ln p it holds
/// for tests that depend on each other, as detectors of the same rows do: two that agree do not count twice, and one that
/// finds a row very rare is heard. No member's units count, and nothing is chosen by any data.
pub struct Ensemble {
    members: Vec<Member>,
}

impl Ensemble {
    /// Brings fitted detectors to one scale by the table that they were fitted on.
    ///
    /// # Errors
    /// When there is no detector, or the table is not like the one that they were fitted on.
    pub fn new(detectors: Vec<Box<dyn Detector>>, table: &Matrix) -> Result<Self, DetectorError> {
        let scores: Vec<Vec<f64>> =
            detectors.iter().map(|detector| detector.scores(table)).collect::<Result<_, _>>()?;
        Self::scaled_by(detectors, &scores)
    }

    /// The same, from what each of them scores the rows that they were fitted on.
    ///
    /// # Errors
    /// When there is no detector.
    pub fn scaled_by(detectors: Vec<Box<dyn Detector>>, scores: &[Vec<f64>]) -> Result<Self, DetectorError> {
        if detectors.is_empty() {
            let allowed = "at least one detector";
            return Err(DetectorError::Setting { setting: "members", value: "empty".to_owned(), allowed });
        }
        let members = detectors.into_iter().zip(scores);
        let members = members.map(|(detector, scores)| Member { detector, surprise: Surprise::fit(scores) });
        Ok(Self { members: members.collect() })
    }

    /// The detectors with their scales, in the order given.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The score of each row from the scores that the members gave to it, in the order of the members.
    #[must_use]
    pub fn combine(&self, scores: &[Vec<f64>]) -> Vec<f64> {
        let rows = scores.first().map_or(0, Vec::len);
        let combined = |row: usize| {
            let nats =
                self.members.iter().zip(scores).map(|(member, scores)| member.surprise.nats(scores[row]));
            log_mean_exp(nats)
        };
        (0..rows).into_par_iter().with_min_len(1024).map(combined).collect()
    }

    /// The member that a row surprises most, and how much: whose reasons to give for it. `scores` are the members' for
    /// this row.
    #[must_use]
    pub fn most_surprised(&self, scores: &[f64]) -> (&Member, f64) {
        let mut most = (&self.members[0], f64::NEG_INFINITY);
        for (member, &score) in self.members.iter().zip(scores) {
            let nats = member.surprise.nats(score);
            if most.1 < nats {
                most = (member, nats);
            }
        }
        most
    }
}

/// ln of the mean of exp, which does not overflow.
fn log_mean_exp(nats: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = nats.clone().fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut count) = (0.0, 0.0);
    for nats in nats {
        sum += libm::exp(nats - most);
        count += 1.0;
    }
    most + libm::log(sum / count)
}

impl Detector for Ensemble {
    fn name(&self) -> &'static str {
        "ensemble"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        let scores: Vec<Vec<f64>> =
            self.members.iter().map(|member| member.detector.scores(table)).collect::<Result<_, _>>()?;
        Ok(self.combine(&scores))
    }

    /// The mean of the members' blame, each as shares of what it blames in all.
    fn blame(&self, row: &[f64]) -> Vec<f64> {
        let mut blame = vec![0.0; row.len()];
        for member in &self.members {
            let of_member = member.detector.blame(row);
            let whole: f64 = of_member.iter().map(|part| part.max(0.0)).sum();
            if 0.0 < whole {
                let count = self.members.len() as f64;
                blame.iter_mut().zip(of_member).for_each(|(sum, part)| *sum += part.max(0.0) / whole / count);
            }
        }
        blame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_combined_by_their_harmonic_mean() {
        let p = [0.5_f64, 0.01, 0.2];
        let combined = log_mean_exp(p.iter().map(|p| -p.ln()));
        let harmonic = 3.0 / p.iter().map(|p| 1.0 / p).sum::<f64>();
        assert!((combined + harmonic.ln()).abs() < 1e-12);
        let far = log_mean_exp([5_000.0, 10.0].into_iter());
        assert!((far - (5_000.0 - 2.0_f64.ln())).abs() < 1e-9);
    }
}
