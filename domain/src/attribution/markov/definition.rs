//! The two published ways to turn removal effects into credit.

use serde::{Deserialize, Serialize};

use super::{Effect, Effects};
use crate::attribution::{Chunk, Credit, Statistics, add_credit};

/// How removal effects become credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    /// All conversions are divided among all channels in proportion to the effects on conversions, all value in proportion
    /// to the effects on value. So does ChannelAttribution (`markov_model`), and so do the channel totals of DP6's
    /// marketing-attribution-models. [`Effects::credit`] computes it.
    Global,
    /// The conversions and the value of each journey are divided among its own touches in proportion to their channels'
    /// effects on conversions; a channel that touched twice counts twice. So do the weights by journey of DP6's
    /// marketing-attribution-models (`attribution_markov`). [`PerJourneyStatistics`] computes it, in a second pass.
    PerJourney,
}

impl Definition {
    /// The credit of each channel for these journeys, which the effects were computed from, on this thread alone.
    #[must_use]
    pub fn credit(self, effects: &Effects, journeys: &Chunk<'_>) -> Vec<Credit> {
        match self {
            Self::Global => effects.credit(),
            Self::PerJourney => {
                let mut statistics = PerJourneyStatistics::new(effects);
                statistics.add(journeys);
                statistics.credit()
            }
        }
    }
}

/// The credit by [`Definition::PerJourney`], for effects that are known already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PerJourneyStatistics {
    effects: Vec<Effect>,
    credit: Vec<Credit>,
}

impl PerJourneyStatistics {
    /// Of no journeys yet, with the effects by which they will be divided.
    #[must_use]
    pub fn new(effects: &Effects) -> Self {
        Self { effects: effects.channels.clone(), credit: Vec::new() }
    }

    /// The credit of each channel, by its number.
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        self.credit.clone()
    }
}

impl Statistics for PerJourneyStatistics {
    fn add(&mut self, journeys: &Chunk<'_>) {
        self.credit.resize(self.credit.len().max(journeys.channels()), Credit::default());
        self.effects.resize(self.credit.len().max(self.effects.len()), Effect::default());
        for row in journeys.converting() {
            let touches = row.journey.touches;
            let effect = |channel: &u32| self.effects[*channel as usize].conversions;
            let total: f64 = touches.iter().map(effect).sum();
            let whole = Credit { conversions: row.conversions, value: row.value };
            for channel in touches {
                // A journey of channels without any effect, which other journeys' effects were computed from, is divided equally.
                let part = if 0.0 < total { effect(channel) / total } else { 1.0 / touches.len() as f64 };
                self.credit[*channel as usize] += whole * part;
            }
        }
    }

    fn merge(&mut self, other: Self) {
        assert!(self.same_effects(&other), "journeys divided by two sets of effects are not to be merged");
        add_credit(&mut self.credit, &other.credit);
    }
}

impl PerJourneyStatistics {
    /// Whether both divide alike, but for the last bits that a text may lose. Effects of channels that one of them has not met
    /// are zero.
    fn same_effects(&self, other: &Self) -> bool {
        let effect =
            |of: &Self, channel: usize| of.effects.get(channel).map_or(0.0, |effect| effect.conversions);
        let channels = self.effects.len().max(other.effects.len());
        (0..channels).all(|channel| (effect(self, channel) - effect(other, channel)).abs() <= 1e-12)
    }
}
