//! Where each parameter stands in the vector that the optimiser moves, and how strongly it is drawn to zero.

use super::{Examples, settings::Strengths};

/// How time is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// λ(t) = μ + Σ aᵢ βᵢ exp(−βᵢ (t − tᵢ)): each touch counts from its own moment on.
    Decaying,
    /// λ(t) = (o + Σ aᵢ) g(t − last touch): the journey is decided as a whole after its last touch, at the pace g. What
    /// came before the last touch is taken as given.
    Deciding,
}

/// Fourth and later touches of a channel count alike.
pub(super) const REPEATS: usize = 3;

/// The places of parameters; all are logarithms. Blocks follow each other in the order of the fields.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) timing: Timing,
    pub(super) campaigns: usize,
    pub(super) channels: usize,
    /// Where the values of each factor begin.
    pub(super) factors: Vec<usize>,
    /// Where the channels' effects begin; their decays follow.
    pub(super) channel: usize,
    /// How many parameters there are.
    pub(super) len: usize,
}

/// The logarithm of the organic rate, a day (decaying) or a journey (deciding).
pub(super) const ORGANIC: usize = 0;
/// Of the effect of a first touch of the channel in the middle.
pub(super) const EFFECT: usize = 1;
/// Of the decay of the channel in the middle, a day.
pub(super) const DECAY: usize = 2;
/// Of what a touch counts that is not the journey's first.
pub(super) const LATER: usize = 3;
/// Of what a second, third, and fourth or later touch of a channel count.
pub(super) const REPEAT: usize = 4;
const CAMPAIGN: usize = REPEAT + REPEATS;

impl Layout {
    pub(super) fn of(timing: Timing, examples: &Examples) -> Self {
        let (campaigns, channels) = (examples.campaigns(), examples.channels());
        let mut len = CAMPAIGN + 3 * campaigns;
        let mut factors = Vec::new();
        for factor in examples.factors() {
            factors.push(len);
            len += factor.values;
        }
        let channel = len;
        len += match timing {
            Timing::Decaying => 2 * channels,
            Timing::Deciding => channels,
        };
        Self { timing, campaigns, channels, factors, channel, len }
    }

    pub(super) fn organic(&self, campaign: usize) -> usize {
        CAMPAIGN + campaign
    }

    pub(super) fn effect(&self, campaign: usize) -> usize {
        CAMPAIGN + self.campaigns + campaign
    }

    pub(super) fn later(&self, campaign: usize) -> usize {
        CAMPAIGN + 2 * self.campaigns + campaign
    }

    pub(super) fn channel(&self, channel: usize) -> usize {
        self.channel + channel
    }

    pub(super) fn decay(&self, channel: usize) -> usize {
        self.channel + self.channels + channel
    }

    /// How strongly each parameter is drawn to its centre. Where journeys decide as a whole, each has one first touch and one
    /// chance to convert anyway, and journeys alone hardly tell one from the other: there, what is declared to be organic
    /// counts.
    pub(super) fn strengths(&self, of: Strengths) -> Vec<f64> {
        let strength = |place: usize| match place {
            ORGANIC if self.timing == Timing::Deciding => of.declared,
            ORGANIC | EFFECT | DECAY => 0.0,
            _ if self.channel <= place => of.channels,
            _ if self.organic(0) <= place && place < self.effect(0) => of.organic,
            _ => of.modifiers,
        };
        (0..self.len).map(strength).collect()
    }
}
