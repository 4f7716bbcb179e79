//! Markov chains: a channel is worth the conversions that would be lost without it.
//!
//! Journeys are read as walks over states. A state is the last `k` channels; a walk of fewer has one state of all of them.
//! It ends in a conversion or without one, and all probabilities are the journeys' own frequencies. The removal effect of a
//! channel is the part of all conversions that is lost when every walk that reaches the channel ends there without one
//! (Anderl, Becker, von Wangenheim and Schumann 2016, "Mapping the customer journey"). Steps from a state to itself change no
//! effect. Everything here is solved, nothing simulated.
//!
//! [`FirstOrderStatistics`] is for k = 1: dense counts and one matrix inversion. [`HigherOrderStatistics`] is for any k up
//! to 7: sparse counts and a sparse [`Chain`], whose effects can be asked for in ranges of channels, a range a thread.

mod chain;
mod definition;
mod first_order;
mod higher_order;

pub use chain::Chain;
pub use definition::{Definition, PerJourneyStatistics};
pub use first_order::FirstOrderStatistics;
pub use higher_order::{HigherOrderStatistics, OrderError};

use serde::{Deserialize, Serialize};

use super::Credit;

/// What is lost without a channel, as a part of everything: 0 is nothing, 1 is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The part of conversions that is lost.
    pub conversions: f64,
    /// The part of value that is lost. A walk that converts is worth the mean value of the conversions from its last
    /// state, as in ChannelAttribution.
    pub value: f64,
}

/// The removal effects of all channels and what there is to divide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// By the channel's number.
    pub channels: Vec<Effect>,
    /// The conversions and the value of all journeys.
    pub total: Credit,
    /// The probability that a journey converts.
    pub conversion_rate: f64,
}

impl Effects {
    /// Divides the total by [`Definition::Global`].
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        let sum = |of: fn(&Effect) -> f64| self.channels.iter().map(of).sum::<f64>();
        let (conversions, value) = (sum(|effect| effect.conversions), sum(|effect| effect.value));
        // Where nothing was lost there is nothing to divide either.
        let part = |total: f64, effect: f64, sum: f64| if 0.0 < sum { total * effect / sum } else { 0.0 };
        let credit = |effect: &Effect| Credit {
            conversions: part(self.total.conversions, effect.conversions, conversions),
            value: part(self.total.value, effect.value, value),
        };
        self.channels.iter().map(credit).collect()
    }
}
