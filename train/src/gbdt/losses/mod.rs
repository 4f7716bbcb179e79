//! What predictions are judged by, one loss per file; each of them is in one list.

mod logistic;
mod quantile;
mod squared;
mod tweedie;

use std::fmt::Debug;

use models::graph::trees::Link;

pub use logistic::Logistic;
pub use quantile::Quantile;
pub use squared::Squared;
pub use tweedie::Tweedie;

use super::GbdtError;

/// How a score is judged by the target that it should have met.
pub trait Loss: Debug + Send + Sync {
    /// Its name on a command line and in a file.
    fn name(&self) -> &'static str;

    /// That it can be learned from these targets. Rows of weight zero do not count where targets must differ.
    ///
    /// # Errors
    /// Which target is wrong, or what is not among them.
    fn check(&self, targets: &[f64], weights: Option<&[f64]>) -> Result<(), GbdtError>;

    /// The one score for all rows whose loss is least, for targets that passed the check.
    fn start(&self, targets: &[f64], weights: Option<&[f64]>) -> f64;

    /// The loss of one row.
    fn of(&self, target: f64, score: f64) -> f64;

    /// The first and the second derivative of the loss by the score; the second, or what stands for it, is not below
    /// zero.
    fn slopes(&self, target: f64, score: f64) -> [f64; 2];

    /// What makes a prediction of a score.
    fn link(&self) -> Link;

    /// About how far scores lie from the first one at most; sums are exact to 2⁻⁴⁵ of it.
    fn reach(&self, _targets: &[f64], _start: f64) -> f64 {
        64.0
    }

    /// The best value of a leaf, where derivatives do not tell it, from what its rows (target − score, weight) lack.
    fn renewed(&self, _residuals: &mut [(f64, f64)]) -> Option<f64> {
        None
    }

    /// Whether leaves are given their values by [`Self::renewed`].
    fn renews(&self) -> bool {
        false
    }

    /// The derivatives of many rows, times their weights.
    fn derivatives(&self, targets: &[f64], scores: &[f64], weights: Option<&[f64]>, out: &mut [[f32; 2]]) {
        for (row, out) in out.iter_mut().enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[row]);
            *out = self.slopes(targets[row], scores[row]).map(|slope| (weight * slope) as f32);
        }
    }

    /// The sum of the losses of many rows, times their weights.
    fn sum(&self, targets: &[f64], scores: &[f64], weights: Option<&[f64]>) -> f64 {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        (0..targets.len()).map(|row| weight(row) * self.of(targets[row], scores[row])).sum()
    }
}

/// A loss, or why its parameter is none.
pub type Made = Result<Box<dyn Loss>, GbdtError>;

/// A loss by its name and, where it has one, its parameter.
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub doc: &'static str,
    /// Makes it; the parameter's default is taken where none is given.
    pub make: fn(Option<f64>) -> Made,
}

/// All losses.
pub const LOSSES: [Listed; 4] = [logistic::LISTED, quantile::LISTED, squared::LISTED, tweedie::LISTED];

/// The loss of this name, such as `squared`, `tweedie:1.3` or `quantile:0.9`.
///
/// # Errors
/// When there is none, or it cannot have this parameter.
pub fn parse(name: &str) -> Made {
    let (name, parameter) = match name.split_once(':') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (name, None),
    };
    let unknown = || GbdtError::UnknownLoss {
        name: name.to_owned(),
        known: LOSSES.map(|listed| listed.name).join(", "),
    };
    let listed = LOSSES.iter().find(|listed| listed.name == name).ok_or_else(unknown)?;
    let number = |text: &str| {
        text.parse().map_err(|_| GbdtError::Setting {
            setting: "the parameter of the loss",
            value: text.to_owned(),
            allowed: "a number",
        })
    };
    (listed.make)(parameter.map(number).transpose()?)
}

/// That a loss was not given a parameter that it does not have.
fn no_parameter(given: Option<f64>) -> Result<(), GbdtError> {
    given.map_or(Ok(()), |value| {
        let (setting, value) = ("the parameter of the loss", value.to_string());
        Err(GbdtError::Setting { setting, value, allowed: "left out: this loss has none" })
    })
}

/// That all targets are of some kind.
fn check_each(
    loss: &'static str,
    targets: &[f64],
    allowed: &'static str,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<(), GbdtError> {
    match targets.iter().position(|target| !is_allowed(*target)) {
        Some(row) => Err(GbdtError::Target { row, value: targets[row], loss, allowed }),
        None => Ok(()),
    }
}

/// Targets further out are refused: derivatives have single precision.
const FURTHEST: f64 = 1e30;
const WITHIN: &str = "a number from -1e30 to 1e30";

fn is_within(target: f64) -> bool {
    target.abs() <= FURTHEST
}

fn greatest_distance(targets: &[f64], from: f64) -> f64 {
    targets.iter().map(|target| (target - from).abs()).fold(0.0, f64::max)
}

/// The weighted mean; rows are added in their order.
fn mean(targets: &[f64], weights: Option<&[f64]>) -> f64 {
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..targets.len()).map(weight).sum();
    (0..targets.len()).map(|row| weight(row) * targets[row]).sum::<f64>() / total
}

/// Whether some row that counts has such a target.
fn some_counts(targets: &[f64], weights: Option<&[f64]>, is_such: impl Fn(f64) -> bool) -> bool {
    let counts = |row: usize| weights.is_none_or(|weights| 0.0 < weights[row]);
    (0..targets.len()).any(|row| counts(row) && is_such(targets[row]))
}

#[cfg(test)]
mod tests;
