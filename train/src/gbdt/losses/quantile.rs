//! The pinball loss: a quantile is predicted.

use models::graph::trees::Link;

use super::{GbdtError, Listed, Loss, WITHIN, check_each, greatest_distance, is_within};

/// α (y − s) where the target is above the score, (1 − α) (s − y) where it is below (Koenker and Bassett 1978). Its
/// second derivative is zero, so splits are found with one in its place, and each leaf then takes the quantile of what
/// its rows lack (Friedman 2001, for the absolute loss).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    level: f64,
}

pub(super) const LISTED: Listed = Listed {
    name: "quantile",
    doc: "a quantile of a number; quantile:LEVEL sets which one, the median by default",
    make: |level| Ok(Box::new(Quantile::new(level.unwrap_or(0.5))?)),
};

impl Quantile {
    /// The loss of a level.
    ///
    /// # Errors
    /// When it is not between 0 and 1.
    pub fn new(level: f64) -> Result<Self, GbdtError> {
        if 0.0 < level && level < 1.0 {
            return Ok(Self { level });
        }
        let (setting, value) = ("the level of the quantile loss", level.to_string());
        Err(GbdtError::Setting { setting, value, allowed: "above 0 and below 1" })
    }
}

impl Loss for Quantile {
    fn name(&self) -> &'static str {
        LISTED.name
    }

    fn check(&self, targets: &[f64], _weights: Option<&[f64]>) -> Result<(), GbdtError> {
        check_each(self.name(), targets, WITHIN, is_within)
    }

    fn start(&self, targets: &[f64], weights: Option<&[f64]>) -> f64 {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let mut all: Vec<(f64, f64)> =
            targets.iter().enumerate().map(|(row, it)| (*it, weight(row))).collect();
        self.renewed(&mut all).unwrap_or_default()
    }

    fn of(&self, target: f64, score: f64) -> f64 {
        let lacking = target - score;
        (self.level * lacking).max((self.level - 1.0) * lacking)
    }

    fn slopes(&self, target: f64, score: f64) -> [f64; 2] {
        [if target < score { 1.0 - self.level } else { -self.level }, 1.0]
    }

    fn link(&self) -> Link {
        Link::Identity
    }

    fn reach(&self, targets: &[f64], start: f64) -> f64 {
        greatest_distance(targets, start)
    }

    fn renews(&self) -> bool {
        true
    }

    /// The least value that is not below the level's part of all weight.
    fn renewed(&self, residuals: &mut [(f64, f64)]) -> Option<f64> {
        residuals.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let total: f64 = residuals.iter().map(|(_, weight)| weight).sum();
        if total <= 0.0 {
            return None;
        }
        let mut so_far = 0.0;
        let reached = residuals.iter().find(|(_, weight)| {
            so_far += weight;
            0.0 < *weight && self.level * total <= so_far
        });
        reached.or(residuals.last()).map(|(residual, _)| *residual)
    }
}
