//! What is strange, and what resembles known fraud, as one.

use rayon::prelude::*;

use super::{Detector, DetectorError, ensemble::Ensemble, matrix::Matrix, surprise::Surprise};

/// How much strangeness counts beside likeness to known fraud. It is the weight of a weighted sum of −ln p (Good 1955), which
/// adds evidence up that is independent among honest rows. Chosen in worlds of `sim/` with other seeds than those that judge:
/// with a quarter, 96 % of known schemes were found and 55 % of schemes that no label knew; with a half 93 % and 57 %; with
/// nothing 94 % and 43 %.
pub const STRANGENESS: f64 = 0.25;

/// Detectors that saw no label, and one that did. The score is in nats: the surprise at the second stage's score, and a part
/// of the first's.
pub struct TwoStages<S> {
    /// What is strange.
    pub first: Ensemble,
    /// What resembles known fraud.
    pub second: S,
    /// How surprising the second stage's scores are among rows that nobody found guilty.
    pub surprise: Surprise,
}

impl<S: Detector> TwoStages<S> {
    /// What each stage adds to a row's score.
    fn parts(&self, first: f64, second: f64) -> [f64; 2] {
        [STRANGENESS * first, self.surprise.nats(second)]
    }

    /// The score of each row from the scores of both stages.
    #[must_use]
    pub fn combine(&self, first: &[f64], second: &[f64]) -> Vec<f64> {
        let rows = first.par_iter().zip(second).with_min_len(4096);
        rows.map(|(first, second)| self.parts(*first, *second).iter().sum()).collect()
    }

    /// What each feature adds to the strangeness of a row: the blame of each stage as shares, by how much of the score it
    /// stands for. `scores` are those of the first stage's members.
    #[must_use]
    pub fn blame_of(&self, row: &[f64], scores: &[f64], second: f64) -> Vec<f64> {
        let [first, second] = self.parts(self.first.score_of(scores), second);
        let whole = first + second;
        let mut blame = self.first.blame_of(row, scores);
        let of_second = self.second.blame(row);
        let sum: f64 = of_second.iter().map(|part| part.max(0.0)).sum();
        for (blame, of_second) in blame.iter_mut().zip(of_second) {
            let share = if 0.0 < sum { of_second.max(0.0) / sum } else { 0.0 };
            *blame = if 0.0 < whole { (first * *blame + second * share) / whole } else { 0.0 };
        }
        blame
    }
}

impl<S: Detector> Detector for TwoStages<S> {
    fn name(&self) -> &'static str {
        "two_stages"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        Ok(self.combine(&self.first.scores(table)?, &self.second.scores(table)?))
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        let alone = Matrix::from_rows(row.len(), row.to_vec());
        let second = alone.map(|alone| self.second.scores(&alone).map_or(f64::NAN, |it| it[0]));
        self.blame_of(row, &self.first.scores_of(row), second.unwrap_or(f64::NAN))
    }
}
