//! Attribution: the touches before a conversion become shares of the credit that sum to one.
//!
//! Two kinds of models. A [`Rule`] looks at one journey alone and serves money online and reports offline with the same
//! code. The others ([`markov`], [`shapley`], [`shao_li`]) look at many [`Journeys`] at once, held as columns. All of them
//! first fold journeys into [`Statistics`], which are merged, stored and added to later, and then read the credit off
//! them: domain has no threads of its own, so callers fold chunks in parallel.
//!
//! To add a rule: a file in `rules/` and its lines beside [`RULES`].

pub mod journeys;
pub mod markov;
mod path;
mod rules;
pub mod shao_li;
pub mod shapley;
pub mod transform;

use serde::{Deserialize, Serialize};

pub use journeys::{Channels, Chunk, Journey, Journeys, Weights};
pub use path::{CLOCK_TOLERANCE, Share, Touch, TouchPath, parts, share};
pub use rules::*;

/// A rule that divides the credit for a conversion among the touches before it, knowing no other journey.
pub trait Rule: Sync {
    /// The name by which campaigns choose it; it is stored with every share of credit.
    fn name(&self) -> &'static str;

    /// One sentence for the manual and for the affiliate.
    fn doc(&self) -> &'static str;

    /// Writes a weight for every touch of a journey that has at least one, oldest first. `weights` has as many places as
    /// the journey has touches and comes filled with anything. Weights are never negative and never all zero; only their
    /// proportions matter. They are the same to the last bit on every machine, because money follows from them.
    fn weigh(&self, journey: &Journey<'_>, weights: &mut [f64]);
}

/// What a model keeps of the journeys that it saw: enough to give credit, small enough to store.
///
/// Adding chunks in any order, or merging statistics of parts, gives what adding everything gives, up to the rounding of
/// floating-point sums. Statistics that are merged must number channels by one [`Channels`], which may have grown between.
pub trait Statistics {
    /// Takes in the journeys of a chunk, each times its weight.
    fn add(&mut self, journeys: &Chunk<'_>);

    /// Takes in what `other` saw.
    ///
    /// # Panics
    /// When both are not of the same rule, order or effects.
    fn merge(&mut self, other: Self);
}

/// What one channel is credited with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Credit {
    /// Conversions, a fraction of a conversion for a part in it.
    pub conversions: f64,
    /// Value, in the unit in which the journeys hold it.
    pub value: f64,
}

impl std::ops::AddAssign for Credit {
    fn add_assign(&mut self, other: Self) {
        self.conversions += other.conversions;
        self.value += other.value;
    }
}

impl std::ops::Mul<f64> for Credit {
    type Output = Self;
    fn mul(self, part: f64) -> Self {
        Self { conversions: self.conversions * part, value: self.value * part }
    }
}

/// Adds `other` to `credit` channel by channel; the longer of both decides how many channels there are.
fn add_credit(credit: &mut Vec<Credit>, other: &[Credit]) {
    if credit.len() < other.len() {
        credit.resize(other.len(), Credit::default());
    }
    credit.iter_mut().zip(other).for_each(|(sum, more)| *sum += *more);
}
