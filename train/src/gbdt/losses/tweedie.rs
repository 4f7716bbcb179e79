//! The Tweedie deviance, for amounts that are often zero: the mean is predicted.

use models::graph::trees::Link;

use super::{GbdtError, Listed, Loss, check_each, mean, some_counts};

/// The part of the negative log-likelihood of a compound Poisson–gamma variable that depends on its mean eˢ:
/// −y e^((1−p)s) / (1−p) + e^((2−p)s) / (2−p), for the variance power p (Jørgensen 1987; Yang, Qian and Zou 2018).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tweedie {
    power: f64,
}

pub(super) const LISTED: Listed = Listed {
    name: "tweedie",
    doc: "the mean of an amount that is often zero and never below; tweedie:P sets the variance power, 1.5 by default",
    make: |power| Ok(Box::new(Tweedie::new(power.unwrap_or(1.5))?)),
};

/// Scores are taken for this when they are further out: e³⁰⁰ squared is still no infinity.
const FURTHEST: f64 = 300.0;

impl Tweedie {
    /// The loss of a variance power.
    ///
    /// # Errors
    /// When it is not between 1, where amounts are counts, and 2, where none is zero.
    pub fn new(power: f64) -> Result<Self, GbdtError> {
        if 1.0 < power && power < 2.0 {
            return Ok(Self { power });
        }
        let (setting, value) = ("the variance power of the tweedie loss", power.to_string());
        Err(GbdtError::Setting { setting, value, allowed: "above 1 and below 2" })
    }

    /// e^((1−p)s) and e^((2−p)s).
    fn powers(self, score: f64) -> (f64, f64) {
        let score = score.clamp(-FURTHEST, FURTHEST);
        (libm::exp((1.0 - self.power) * score), libm::exp((2.0 - self.power) * score))
    }
}

impl Loss for Tweedie {
    fn name(&self) -> &'static str {
        LISTED.name
    }

    fn check(&self, targets: &[f64], weights: Option<&[f64]>) -> Result<(), GbdtError> {
        check_each(self.name(), targets, "a number from 0 to 1e15", |it| (0.0..=1e15).contains(&it))?;
        if some_counts(targets, weights, |it| 0.0 < it) {
            return Ok(());
        }
        Err(GbdtError::Alike { loss: LISTED.name, needed: "a number above 0" })
    }

    fn start(&self, targets: &[f64], weights: Option<&[f64]>) -> f64 {
        libm::log(mean(targets, weights)).clamp(-FURTHEST, FURTHEST)
    }

    fn of(&self, target: f64, score: f64) -> f64 {
        let (one, two) = self.powers(score);
        -target * one / (1.0 - self.power) + two / (2.0 - self.power)
    }

    fn slopes(&self, target: f64, score: f64) -> [f64; 2] {
        let (one, two) = self.powers(score);
        [two - target * one, (2.0 - self.power) * two - (1.0 - self.power) * target * one]
    }

    fn link(&self) -> Link {
        Link::Exponential
    }
}
