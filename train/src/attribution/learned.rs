//! What was learned, and what it says of a journey.

use models::graph::attribution::{self, AdditiveHazard};

use super::{
    Settings, Timing,
    examples::{Factor, Journey, repeats},
    hazard::{Rates, Term},
    likelihood::terms_of,
    settings::Fallback,
};

/// Who gets which share of the credit for one conversion.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// Of each touch, oldest first. With `organic` they sum to one.
    pub touches: Vec<f64>,
    /// What would have happened without any touch.
    pub organic: f64,
    /// The rule that divided the credit because the model had nothing to say.
    pub rule: Option<&'static str>,
}

/// How far to trust what was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// There were conversions enough.
    Full,
    /// There were fewer than deserve full trust.
    Limited,
}

/// Rates of a hazard, learned.
#[derive(Clone, Debug)]
pub struct Learned {
    pub(super) rates: Rates,
    pub(super) factors: Vec<Factor>,
    pub(super) fallback: Fallback,
    /// How far to trust it.
    pub trust: Trust,
    /// How many conversions it was learned from.
    pub conversions: usize,
}

/// Touches that add less than this part of the organic hazard add nothing that a number can hold. Above it, that they add
/// little is what was learned, and the conversion is organic.
const NOTHING: f64 = 1e-290;

impl Learned {
    pub(super) fn new(rates: Rates, factors: &[Factor], conversions: usize, settings: &Settings) -> Self {
        let trusted = settings.trusted_conversions <= conversions;
        let trust = if trusted { Trust::Full } else { Trust::Limited };
        Self { rates, factors: factors.to_vec(), fallback: settings.fallback, trust, conversions }
    }

    /// How it reads time.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.rates.timing
    }

    /// The share of each touch, and of none, in the hazard at the journey's conversion (or its end, where it did not
    /// convert). Without a touch all is organic. The fallback's rule divides everything among the touches where they add
    /// nothing, or are all of channels that were never seen. Categories beyond the known ones make no difference.
    #[must_use]
    pub fn credit(&self, journey: &Journey<'_>) -> Shares {
        let mut terms = Vec::new();
        let touched = self.terms(journey, &mut terms);
        let organic = self.rates.organic(journey).hazard;
        if journey.touches.is_empty() {
            return Shares { touches: Vec::new(), organic: 1.0, rule: None };
        }
        let channels = self.rates.channel.len() - 1;
        let known = journey.touches.iter().any(|touch| (touch.channel as usize) < channels);
        if !known || touched <= NOTHING * organic {
            return self.by_rule(journey.touches.len());
        }
        let total = touched + organic;
        let touches = terms.iter().map(|term| term.hazard / total).collect();
        Shares { touches, organic: organic / total, rule: None }
    }

    fn by_rule(&self, touches: usize) -> Shares {
        let shares = match self.fallback {
            Fallback::LastClick => (1..=touches).map(|place| f64::from(u8::from(place == touches))).collect(),
            Fallback::Linear => vec![1.0 / touches as f64; touches],
        };
        Shares { touches: shares, organic: 0.0, rule: Some(self.fallback.rule().name()) }
    }

    /// The probability that who has not converted by their last touch does within `horizon_s` seconds of it.
    #[must_use]
    pub fn probability(&self, journey: &Journey<'_>, horizon_s: f64) -> f64 {
        let by = |after_s: f64| {
            let end_s = journey.last_s() + after_s;
            let until = Journey { until_s: end_s, converted_s: None, ..*journey };
            let mut terms = Vec::new();
            self.terms(&until, &mut terms);
            self.rates.organic(&until).expected + terms.iter().map(|term| term.expected).sum::<f64>()
        };
        let before = match self.rates.timing {
            Timing::Decaying => by(0.0),
            Timing::Deciding => 0.0,
        };
        -libm::expm1(before - by(horizon_s))
    }

    fn terms(&self, journey: &Journey<'_>, terms: &mut Vec<Term>) -> f64 {
        terms_of(&self.rates, journey, &repeats(journey.touches), terms)
    }

    /// The tables of its ONNX file.
    #[must_use]
    pub fn table(&self) -> AdditiveHazard {
        let factors = self.factors.iter().zip(&self.rates.factors);
        AdditiveHazard {
            organic: self.rates.organic.clone(),
            effect: self.rates.effect.clone(),
            later: self.rates.later.clone(),
            repeat: self.rates.repeat.to_vec(),
            factors: factors.map(|(factor, rates)| (factor.name.clone(), rates.clone())).collect(),
            channel: self.rates.channel.clone(),
            decay_per_day: (self.rates.timing == Timing::Decaying).then(|| self.rates.decay.clone()),
            nothing: NOTHING,
            rule: match self.fallback {
                Fallback::LastClick => attribution::Rule::LastClick,
                Fallback::Linear => attribution::Rule::Linear,
            },
        }
    }

    /// What the organic hazard of a campaign is: a day (decaying), or a journey (deciding).
    #[must_use]
    pub fn organic(&self, campaign: u32) -> f64 {
        *super::hazard::at(&self.rates.organic, campaign)
    }

    /// After how many days half of a channel's effect is gone; none where journeys decide as a whole.
    #[must_use]
    pub fn half_life_days(&self, channel: u32) -> Option<f64> {
        let decay = self.rates.decay.get(channel as usize)?;
        Some(std::f64::consts::LN_2 / decay)
    }
}
