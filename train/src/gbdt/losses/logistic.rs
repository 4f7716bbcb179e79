//! Surprise at one of two classes: the chance of the class 1 is predicted.

use models::graph::trees::Link;

use super::{GbdtError, Listed, Loss, check_each, mean, no_parameter, some_counts};

/// The negative log-likelihood of a Bernoulli variable whose log-odds are the score: ln(1 + eˢ) − y s
/// (Friedman, Hastie and Tibshirani 2000, with y of 0 or 1 and the score not halved).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logistic;

pub(super) const LISTED: Listed = Listed {
    name: "logistic",
    doc: "the chance of class 1 where targets are 0 or 1",
    make: |parameter| {
        no_parameter(parameter)?;
        Ok(Box::new(Logistic))
    },
};

impl Loss for Logistic {
    fn name(&self) -> &'static str {
        LISTED.name
    }

    fn check(&self, targets: &[f64], weights: Option<&[f64]>) -> Result<(), GbdtError> {
        let is_label = |target: f64| (target * (1.0 - target)).abs() <= 0.0;
        check_each(self.name(), targets, "0 or 1", is_label)?;
        let alike = |needed| Err(GbdtError::Alike { loss: LISTED.name, needed });
        match [0.0, 1.0].map(|class: f64| some_counts(targets, weights, |it| (it - class).abs() <= 0.0)) {
            [true, true] => Ok(()),
            [false, _] => alike("a 0"),
            [_, false] => alike("a 1"),
        }
    }

    fn start(&self, targets: &[f64], weights: Option<&[f64]>) -> f64 {
        let rate = mean(targets, weights);
        libm::log(rate / (1.0 - rate))
    }

    fn of(&self, target: f64, score: f64) -> f64 {
        // ln(1 + eˢ), also where eˢ is too large.
        score.max(0.0) + libm::log1p(libm::exp(-score.abs())) - target * score
    }

    fn slopes(&self, target: f64, score: f64) -> [f64; 2] {
        let chance = 1.0 / (1.0 + libm::exp(-score));
        [chance - target, chance * (1.0 - chance)]
    }

    fn link(&self) -> Link {
        Link::Logistic
    }
}
