//! The penalised likelihood of many journeys, with its gradient by hand, the same to the last bit on any number of threads.

use rayon::prelude::*;

use super::{
    Examples, Timing,
    examples::Journey,
    hazard::{DAY_S, Rates, Term, at},
    layout::{DECAY, Layout, ORGANIC},
    pace::Pace,
};
use crate::lbfgs::Loss;

/// Journeys are summed in chunks of this many, and the chunks in their order.
const CHUNK: usize = 4096;

/// What is minimised.
pub(super) struct Likelihood<'a> {
    pub(super) layout: Layout,
    examples: &'a Examples,
    rows: Vec<u32>,
    strengths: Vec<f64>,
    centres: Vec<f64>,
    pub(super) pace: Pace,
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(
        layout: Layout,
        examples: &'a Examples,
        rows: Vec<u32>,
        (strengths, centres): (Vec<f64>, Vec<f64>),
    ) -> Self {
        let delays: Vec<(f64, f64)> = match layout.timing {
            Timing::Decaying => Vec::new(),
            Timing::Deciding => {
                rows.iter().filter_map(|row| delay(&examples.journey(*row as usize))).collect()
            }
        };
        Self { layout, examples, rows, strengths, centres, pace: Pace::of(&delays) }
    }

    pub(super) fn rates(&self, parameters: &[f64]) -> Rates {
        Rates::of(&self.layout, parameters, &self.pace)
    }

    /// The negative logarithm of the likelihood, and its derivatives.
    pub(super) fn loss(&self, parameters: &[f64]) -> Loss {
        let rates = self.rates(parameters);
        let chunk = |rows: &[u32]| {
            let mut loss = Loss { value: 0.0, gradient: vec![0.0; self.layout.len] };
            let mut terms = Vec::new();
            rows.iter().for_each(|row| self.add(&rates, *row as usize, (&mut loss, &mut terms)));
            loss
        };
        let mut chunks: Vec<Loss> = self.rows.par_chunks(CHUNK).map(chunk).collect();
        chunks.push(self.untouched(&rates));
        chunks.push(self.penalty(parameters));
        let mut sum = Loss { value: 0.0, gradient: vec![0.0; self.layout.len] };
        for chunk in chunks {
            sum.value += chunk.value;
            sum.gradient.iter_mut().zip(chunk.gradient).for_each(|(sum, more)| *sum += more);
        }
        sum
    }

    /// The curvature of the loss in each parameter alone, near enough for a scale: each conversion weighs its terms by
    /// their shares.
    pub(super) fn scales(&self, parameters: &[f64]) -> Vec<f64> {
        let rates = self.rates(parameters);
        let mut scales = self.strengths.clone();
        let mut terms = Vec::new();
        for row in self.rows.iter().map(|row| *row as usize) {
            let journey = self.examples.journey(row);
            if journey.converted_s.is_none() {
                continue;
            }
            let (organic, repeats) = (rates.organic(&journey), self.examples.repeats(row));
            let total = terms_of(&rates, &journey, repeats, &mut terms) + organic.hazard;
            scales[ORGANIC] += organic.hazard / total;
            if (journey.campaign as usize) < self.layout.campaigns {
                scales[self.layout.organic(journey.campaign as usize)] += organic.hazard / total;
            }
            for (place, (term, repeats)) in terms.iter().zip(repeats).enumerate() {
                let share = term.hazard / total;
                self.layout.each_place(&journey, (place, usize::from(*repeats)), |at| scales[at] += share);
                if self.layout.timing == Timing::Decaying {
                    scales[DECAY] += share;
                    scales[self.layout.decay(journey.touches[place].channel as usize)] += share;
                }
            }
        }
        scales
    }

    fn add(&self, rates: &Rates, row: usize, (loss, terms): (&mut Loss, &mut Vec<Term>)) {
        let (journey, repeats) = (self.examples.journey(row), self.examples.repeats(row));
        if journey.touches.is_empty() && self.layout.timing == Timing::Deciding {
            return;
        }
        let organic = rates.organic(&journey);
        let total = terms_of(rates, &journey, repeats, terms) + organic.hazard;
        let gain = if journey.converted_s.is_some() { 1.0 / total } else { 0.0 };
        loss.value += organic.expected + terms.iter().map(|term| term.expected).sum::<f64>();
        if journey.converted_s.is_some() {
            loss.value -= libm::log(total);
        }
        let slope = organic.expected - gain * organic.hazard;
        loss.gradient[ORGANIC] += slope;
        if (journey.campaign as usize) < self.layout.campaigns {
            loss.gradient[self.layout.organic(journey.campaign as usize)] += slope;
        }
        for (place, (term, repeats)) in terms.iter().zip(repeats).enumerate() {
            let slope = term.expected - gain * term.hazard;
            self.layout.each_place(&journey, (place, usize::from(*repeats)), |at| loss.gradient[at] += slope);
            if self.layout.timing == Timing::Decaying {
                let slope = term.expected_by_decay - gain * term.hazard_by_decay;
                loss.gradient[DECAY] += slope;
                loss.gradient[self.layout.decay(journey.touches[place].channel as usize)] += slope;
            }
        }
    }

    /// Customers without touches; where journeys decide, there is nothing that they decide after.
    fn untouched(&self, rates: &Rates) -> Loss {
        let mut loss = Loss { value: 0.0, gradient: vec![0.0; self.layout.len] };
        if self.layout.timing == Timing::Deciding {
            return loss;
        }
        for organic in self.examples.organic() {
            let rate = *at(&rates.organic, organic.campaign);
            let expected = rate * organic.exposure_s / DAY_S;
            loss.value += expected - organic.conversions * libm::log(rate);
            loss.gradient[ORGANIC] += expected - organic.conversions;
            if (organic.campaign as usize) < self.layout.campaigns {
                loss.gradient[self.layout.organic(organic.campaign as usize)] +=
                    expected - organic.conversions;
            }
        }
        loss
    }

    fn penalty(&self, parameters: &[f64]) -> Loss {
        let apart = parameters.iter().zip(&self.centres).map(|(parameter, centre)| parameter - centre);
        let apart: Vec<f64> = apart.collect();
        let drawn = || self.strengths.iter().zip(&apart);
        let value = drawn().map(|(strength, apart)| 0.5 * strength * apart * apart).sum();
        Loss { value, gradient: drawn().map(|(strength, apart)| strength * apart).collect() }
    }
}

/// The terms of all touches of a journey, and the sum of their hazards.
pub(super) fn terms_of(rates: &Rates, journey: &Journey<'_>, repeats: &[u8], terms: &mut Vec<Term>) -> f64 {
    terms.clear();
    let decided = rates.decided(journey);
    for (place, repeats) in repeats.iter().enumerate() {
        terms.push(rates.touch(journey, (place, usize::from(*repeats)), decided));
    }
    terms.iter().map(|term| term.hazard).sum()
}

/// How long after its last touch a journey converted, and the longest that would have been seen.
fn delay(journey: &Journey<'_>) -> Option<(f64, f64)> {
    let last_s = journey.last_s();
    let converted_s = journey.converted_s.filter(|_| !journey.touches.is_empty())?;
    Some((converted_s - last_s, journey.until_s - last_s))
}
