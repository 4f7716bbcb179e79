//! The hazard of one journey, term by term, and what each term has to do with which parameter.

use super::{
    examples::Journey,
    layout::{DECAY, EFFECT, LATER, Layout, ORGANIC, REPEAT, REPEATS, Timing},
    pace::Pace,
};

pub(super) const DAY_S: f64 = 86_400.0;

/// The parameters as the hazard multiplies them, so that no journey costs a logarithm.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    pub(super) timing: Timing,
    /// By campaign; the last is a campaign that is not known.
    pub(super) organic: Vec<f64>,
    pub(super) effect: Vec<f64>,
    pub(super) later: Vec<f64>,
    /// For a channel's first, second, … touch.
    pub(super) repeat: [f64; REPEATS + 1],
    /// For each factor by its value; the last is a value that is not known.
    pub(super) factors: Vec<Vec<f64>>,
    /// By channel; the last is a channel that is not known.
    pub(super) channel: Vec<f64>,
    /// A day, by channel; empty where the journey decides.
    pub(super) decay: Vec<f64>,
    pub(super) pace: Pace,
}

/// What one touch adds: to the hazard at the conversion, and to the expected conversions until the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Term {
    /// At the journey's end: a day (decaying), or for the whole journey (deciding).
    pub(super) hazard: f64,
    /// From the beginning to the end.
    pub(super) expected: f64,
    /// The derivatives of both by the logarithm of the decay.
    pub(super) hazard_by_decay: f64,
    pub(super) expected_by_decay: f64,
}

impl Rates {
    pub(super) fn of(layout: &Layout, parameters: &[f64], pace: &Pace) -> Self {
        let block = |usual: f64, from: usize, len: usize| -> Vec<f64> {
            let own = parameters[from..from + len].iter();
            own.chain([&0.0]).map(|parameter| libm::exp(usual + parameter)).collect()
        };
        let (campaigns, channels) = (layout.campaigns, layout.channels);
        let ends = layout.factors.iter().skip(1).chain([&layout.channel]);
        let factors = layout.factors.iter().zip(ends).map(|(from, to)| block(0.0, *from, to - from));
        let mut repeat = [1.0; REPEATS + 1];
        for (times, parameter) in repeat[1..].iter_mut().zip(&parameters[REPEAT..]) {
            *times = libm::exp(*parameter);
        }
        let decay = match layout.timing {
            Timing::Decaying => block(parameters[DECAY], layout.decay(0), channels),
            Timing::Deciding => Vec::new(),
        };
        Self {
            timing: layout.timing,
            organic: block(parameters[ORGANIC], layout.organic(0), campaigns),
            effect: block(parameters[EFFECT], layout.effect(0), campaigns),
            later: block(parameters[LATER], layout.later(0), campaigns),
            repeat,
            factors: factors.collect(),
            channel: block(0.0, layout.channel(0), channels),
            decay,
            pace: pace.clone(),
        }
    }

    /// What is organic, as a touch's term would be.
    pub(super) fn organic(&self, journey: &Journey<'_>) -> Term {
        let rate = *at(&self.organic, journey.campaign);
        let expected = match self.timing {
            Timing::Decaying => rate * journey.end_s() / DAY_S,
            Timing::Deciding => rate * self.decided(journey),
        };
        Term { hazard: rate, expected, ..Term::default() }
    }

    /// The share of its time to decide that the journey has had.
    pub(super) fn decided(&self, journey: &Journey<'_>) -> f64 {
        match self.timing {
            Timing::Decaying => 1.0,
            Timing::Deciding => self.pace.decided(journey.end_s() - journey.last_s()),
        }
    }

    /// What a touch adds; `repeats` is how often its channel touched before.
    pub(super) fn touch(
        &self,
        journey: &Journey<'_>,
        (place, repeats): (usize, usize),
        decided: f64,
    ) -> Term {
        let touch = journey.touches[place];
        let later = if place == 0 { 1.0 } else { *at(&self.later, journey.campaign) };
        let factors = self.factors.len();
        let categories = &journey.categories[place * factors..][..factors];
        let told: f64 =
            self.factors.iter().zip(categories).map(|(rates, value)| *at(rates, *value)).product();
        let whole = at(&self.effect, journey.campaign) * at(&self.channel, touch.channel);
        let whole = whole * later * self.repeat[repeats.min(REPEATS)] * told;
        if self.timing == Timing::Deciding {
            return Term { hazard: whole, expected: whole * decided, ..Term::default() };
        }
        let decay = *at(&self.decay, touch.channel);
        let age = f64::max(journey.end_s() - touch.at_s, 0.0) / DAY_S * decay;
        let left = libm::exp(-age);
        let hazard = whole * decay * left;
        Term {
            hazard,
            expected: whole * (1.0 - left),
            hazard_by_decay: hazard * (1.0 - age),
            expected_by_decay: whole * age * left,
        }
    }
}

impl Layout {
    /// Calls `tell` with the place of each parameter that a touch's effect is a product of, but for its decay.
    pub(super) fn each_place(
        &self,
        journey: &Journey<'_>,
        (place, repeats): (usize, usize),
        mut tell: impl FnMut(usize),
    ) {
        tell(EFFECT);
        tell(self.channel(journey.touches[place].channel as usize));
        let campaign = Some(journey.campaign as usize).filter(|campaign| *campaign < self.campaigns);
        if let Some(campaign) = campaign {
            tell(self.effect(campaign));
        }
        if 0 < place {
            tell(LATER);
            if let Some(campaign) = campaign {
                tell(self.later(campaign));
            }
        }
        if 0 < repeats {
            tell(REPEAT + repeats.min(REPEATS) - 1);
        }
        let ends = self.factors.iter().skip(1).chain([&self.channel]);
        let categories = &journey.categories[place * self.factors.len()..];
        for ((from, to), category) in self.factors.iter().zip(ends).zip(categories) {
            if (*category as usize) < to - from {
                tell(from + *category as usize);
            }
        }
    }
}

/// The row of a number; the last one where it is not known.
pub(super) fn at(rows: &[f64], number: u32) -> &f64 {
    &rows[(number as usize).min(rows.len() - 1)]
}
