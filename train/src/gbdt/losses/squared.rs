//! Half the squared distance from the target: the mean is predicted.

use models::graph::trees::Link;

use super::{GbdtError, Listed, Loss, WITHIN, check_each, greatest_distance, is_within, mean, no_parameter};

/// ½ (s − y)²
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Squared;

pub(super) const LISTED: Listed = Listed {
    name: "squared",
    doc: "the mean of a number",
    make: |parameter| {
        no_parameter(parameter)?;
        Ok(Box::new(Squared))
    },
};

impl Loss for Squared {
    fn name(&self) -> &'static str {
        LISTED.name
    }

    fn check(&self, targets: &[f64], _weights: Option<&[f64]>) -> Result<(), GbdtError> {
        check_each(self.name(), targets, WITHIN, is_within)
    }

    fn start(&self, targets: &[f64], weights: Option<&[f64]>) -> f64 {
        mean(targets, weights)
    }

    fn of(&self, target: f64, score: f64) -> f64 {
        0.5 * (score - target) * (score - target)
    }

    fn slopes(&self, target: f64, score: f64) -> [f64; 2] {
        [score - target, 1.0]
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn reach(&self, targets: &[f64], start: f64) -> f64 {
        greatest_distance(targets, start)
    }
}
