//! Places that chance fills now and then, with the chance that it had, by the dice of a job.

pub use models::explore::Shown;
use models::explore::{Draw, RateError};

use crate::anomaly::dice::Dice;

use super::{
    MatchingError,
    top::{Eligible, Scored},
};

impl Draw for Dice {
    fn unit(&mut self) -> f64 {
        Self::unit(self)
    }

    fn index(&mut self, length: usize) -> usize {
        Self::index(self, length)
    }
}

/// Fills as many places as `best` has, as [`models::explore::fill`] does.
///
/// # Errors
/// When the rate is no probability.
pub fn fill(
    best: &[Scored],
    scores: &[f64],
    eligible: &Eligible,
    rate: f64,
    dice: (u64, u64),
) -> Result<Vec<Shown>, MatchingError> {
    let mut dice = Dice::new(dice.0, dice.1);
    let filled = models::explore::fill(best, eligible, rate, &mut dice, |item| scores[item as usize]);
    filled.map_err(|RateError(value)| {
        let (what, allowed) = ("the rate of exploration in list", "from 0 to 1");
        MatchingError::Setting { what, number: 0, value, allowed }
    })
}
