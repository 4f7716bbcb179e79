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
        let combined =
            |row: usize| self.score_of(&scores.iter().map(|scores| scores[row]).collect::<Vec<_>>());
        (0..rows).into_par_iter().with_min_len(1024).map(combined).collect()
    }

    /// The score of one row from the scores that the members gave to it.
    #[must_use]
    pub fn score_of(&self, scores: &[f64]) -> f64 {
        log_sum_exp(&self.parts(scores))
    }

    /// What the members score one row.
    pub(super) fn scores_of(&self, row: &[f64]) -> Vec<f64> {
        let alone = Matrix::from_rows(row.len(), row.to_vec());
        let score = |member: &Member| Some(member.detector.scores(alone.as_ref().ok()?).ok()?[0]);
        self.members.iter().map(|member| score(member).unwrap_or(f64::NAN)).collect()
    }

    /// How much of a row's score each member stands for; they sum to one. `scores` are the members' for this row.
    #[must_use]
    pub fn voices(&self, scores: &[f64]) -> Vec<f64> {
        let parts = self.parts(scores);
        let whole = log_sum_exp(&parts);
        parts.into_iter().map(|part| libm::exp(part - whole)).collect()
    }

    /// What each feature adds to the strangeness of a row that the members gave these scores to.
    #[must_use]
    pub fn blame_of(&self, row: &[f64], scores: &[f64]) -> Vec<f64> {
        let mut blame = vec![0.0; row.len()];
        for (member, voice) in self.members.iter().zip(self.voices(scores)) {
            let of_member = member.detector.blame(row);
            let whole: f64 = of_member.iter().map(|part| part.max(0.0)).sum();
            if 0.0 < whole {
                blame.iter_mut().zip(of_member).for_each(|(sum, part)| *sum += voice * part.max(0.0) / whole);
            }
        }
        blame
    }

    /// ln of each member's part of the mean of 1/p.
    fn parts(&self, scores: &[f64]) -> Vec<f64> {
        let count = libm::log(self.members.len() as f64);
        let part = |(member, score): (&Member, &f64)| member.surprise.nats(*score) - count;
        self.members.iter().zip(scores).map(part).collect()
    }
}

/// ln of the sum of exp, which does not overflow.
fn log_sum_exp(parts: &[f64]) -> f64 {
    let most = parts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + libm::log(parts.iter().map(|part| libm::exp(part - most)).sum())
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

    /// The members' blame, each as shares of what it blames in all, by how much of the score is theirs.
    fn blame(&self, row: &[f64]) -> Vec<f64> {
        self.blame_of(row, &self.scores_of(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_combined_by_their_harmonic_mean() {
        let p = [0.5_f64, 0.01, 0.2];
        let parts = p.map(|p| -p.ln() - 3.0_f64.ln());
        let harmonic = 3.0 / p.iter().map(|p| 1.0 / p).sum::<f64>();
        assert!((log_sum_exp(&parts) + harmonic.ln()).abs() < 1e-12);
        let far = log_sum_exp(&[5_000.0, 10.0]);
        assert!((far - 5_000.0).abs() < 1e-9);
    }
}
