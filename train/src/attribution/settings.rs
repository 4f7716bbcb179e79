//! What the learner is told besides the journeys, and why it may refuse them.

use domain::attribution::{LastClick, Linear, Rule};

use super::layout::Timing;

/// How strongly parameters are drawn towards what is usual: the inverse variance of their logarithms, as if a normal
/// distribution around zero were known beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strengths {
    /// Of what is organic, towards the declared share; only where journeys decide as a whole. 100 is ±10 %.
    pub declared: f64,
    /// Of campaigns' organic conversions towards the same share of all.
    pub organic: f64,
    /// Of positions, repetitions, campaigns and factors towards making no difference.
    pub modifiers: f64,
    /// Of channels towards the channel in the middle.
    pub channels: f64,
}

/// Which rule divides the credit where the model has nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// [`LastClick`].
    #[default]
    LastClick,
    /// [`Linear`].
    Linear,
}

impl Fallback {
    /// The rule of the domain.
    #[must_use]
    pub fn rule(self) -> &'static dyn Rule {
        match self {
            Self::LastClick => &LastClick,
            Self::Linear => &Linear,
        }
    }
}

/// How to learn.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which reading of time. Held-out journeys cannot decide it: where a conversion ends a journey, how many touches it
    /// has already tells of the conversion, and the reading that takes them as given seems better than it is.
    pub timing: Timing,
    /// Which share of the conversions after touches would have happened without any: what an experiment found, that kept
    /// some customers from being touched. Where journeys decide as a whole, the journeys alone can hardly tell.
    pub organic_share: f64,
    /// How strongly to draw towards what is usual; none to have held-out journeys decide.
    pub strengths: Option<Strengths>,
    /// One journey in so many is held out while something is chosen.
    pub held_out: usize,
    /// At most so many journeys, spread evenly, are looked at while something is chosen. The strengths describe how
    /// channels and campaigns differ and so do not depend on how many journeys there are.
    pub choosing_journeys: usize,
    /// With fewer conversions nothing is learned.
    pub least_conversions: usize,
    /// From so many conversions on, what is learned deserves full trust.
    pub trusted_conversions: usize,
    /// The most steps of the optimiser.
    pub most_steps: usize,
    /// Who divides the credit where the model has nothing to say.
    pub fallback: Fallback,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timing: Timing::Deciding,
            organic_share: 0.2,
            strengths: None,
            held_out: 5,
            choosing_journeys: 200_000,
            least_conversions: 500,
            trusted_conversions: 10_000,
            most_steps: 300,
            fallback: Fallback::LastClick,
        }
    }
}

/// Why nothing was learned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too few conversions followed a touch.
    #[error(
        "{found} conversions after a touch are too few to learn from, {needed} are needed; divide the credit by the rule {rule:?} until then"
    )]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
        /// The rule to use until then.
        rule: &'static str,
    },
    /// Without journeys that end without a conversion there is nothing to compare with.
    #[error("every journey converted; journeys that did not are needed to learn what touches add")]
    NothingElse,
}
