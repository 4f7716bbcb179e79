//! What a version of the model `fraud` says of a conversion, as services and jobs read its answers alike.

use domain::fraud::{
    LogOdds,
    score::{Model, ScoreError},
};

use crate::session::Answer;

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// Whether reviews taught it.
    pub model: Model,
    /// How it puts that.
    pub measure: Measure,
}

/// How a model puts what it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// A probability, from 0 to 1.
    Probability(f64),
    /// How many of ordinary conversions are less strange, from 0 to 1: one less it is a p-value.
    Rank(f64),
}

impl Opinion {
    /// Reads an answer; none where it has neither output.
    #[must_use]
    pub fn of(answer: &Answer) -> Option<Self> {
        let family = &answer.manifest().about.family;
        let has_learned = family.contains("two_stages") || family.contains("supervised");
        let model = if has_learned { Model::Labels } else { Model::Forest };
        let probability = answer.number("probability").map(Measure::Probability);
        let measure = probability.or_else(|| answer.number("rank").map(Measure::Rank))?;
        Some(Self { model, measure })
    }

    /// What it adds to the log-odds of fraud: of a probability, what it says beyond `base`.
    ///
    /// # Errors
    /// When what was said is no number, or not from 0 to 1.
    pub fn evidence(self, base: LogOdds) -> Result<LogOdds, ScoreError> {
        match self.measure {
            Measure::Probability(probability) => LogOdds::of_probability(probability, base),
            Measure::Rank(rank) => LogOdds::of_p_value(1.0 - rank),
        }
    }
}
