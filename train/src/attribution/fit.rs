//! Learning: the strengths are chosen by held-out journeys, then everything is learned from all.

use super::{
    Examples, Learned, Settings, Timing,
    examples::Journey,
    hazard::DAY_S,
    layout::{EFFECT, Layout, ORGANIC},
    likelihood::Likelihood,
    settings::{FitError, Strengths},
};
use crate::lbfgs::{Limits, minimum};

/// One thing that was tried while something was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The reading of time.
    pub timing: Timing,
    /// The strengths.
    pub strengths: Strengths,
    /// The mean negative logarithm of the probability that was given to what held-out journeys did after their last touch.
    pub log_loss: f64,
}

/// What was learned, and how it was chosen.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The best of what was tried, learned from all journeys.
    pub learned: Learned,
    /// What it was learned with.
    pub strengths: Strengths,
    /// Everything that was tried, in its order.
    pub trials: Vec<Trial>,
    parameters: Vec<f64>,
}

impl Fitted {
    /// What other rows, each as often as it is named, would have taught with the same strengths. The search begins where it
    /// ended before, so that a sample of the same journeys takes few steps.
    #[must_use]
    pub fn again(&self, settings: &Settings, examples: &Examples, rows: Vec<u32>) -> Learned {
        let start = Some(self.parameters.clone());
        learn(settings, examples, rows, (self.learned.timing(), self.strengths), start).0
    }
}

/// Where the search for strengths begins: campaigns and channels that differ by a factor of about e^½.
const BEGIN: Strengths = Strengths { declared: 100.0, organic: 16.0, modifiers: 16.0, channels: 4.0 };
/// What each strength is multiplied with in turn, for as long as that helps.
const STEPS: [f64; 2] = [0.25, 4.0];
/// How often in each direction.
const MOST_STRIDES: usize = 3;

/// Learns from journeys. The same journeys and settings give the same bits, on any number of threads.
///
/// # Errors
/// When there are too few conversions, or nothing but conversions.
pub fn fit(settings: &Settings, examples: &Examples) -> Result<Fitted, FitError> {
    let (found, needed) = (examples.conversions(), settings.least_conversions.max(1));
    if found < needed {
        return Err(FitError::TooFew { found, needed, rule: settings.fallback.rule().name() });
    }
    if examples.len() <= found {
        return Err(FitError::NothingElse);
    }
    let mut choice = Choice::new(settings, examples);
    choice.try_strengths(settings.timing);
    let best = choice.best();
    let rows = (0..examples.len()).map(row).collect();
    let start = choice.found.take().filter(|(of, _)| *of == best.timing).map(|(_, parameters)| parameters);
    let (learned, parameters) = learn(settings, examples, rows, (best.timing, best.strengths), start);
    Ok(Fitted { learned, strengths: best.strengths, trials: choice.trials, parameters })
}

struct Choice<'a> {
    settings: &'a Settings,
    examples: &'a Examples,
    seen: Vec<u32>,
    held_out: Vec<u32>,
    trials: Vec<Trial>,
    /// What the last trial found: the next one begins there.
    found: Option<(Timing, Vec<f64>)>,
}

impl<'a> Choice<'a> {
    fn new(settings: &'a Settings, examples: &'a Examples) -> Self {
        let every = examples.len().div_ceil(settings.choosing_journeys.max(1)).max(1);
        let rows = (0..examples.len()).step_by(every).map(row).enumerate();
        let held_out = settings.held_out.max(2);
        let (out, seen): (Vec<_>, Vec<_>) = rows.partition(|(number, _)| number % held_out == 0);
        let rows = |chosen: Vec<(usize, u32)>| chosen.into_iter().map(|(_, row)| row).collect();
        Self { settings, examples, seen: rows(seen), held_out: rows(out), trials: Vec::new(), found: None }
    }

    /// One strength after the other is moved to where held-out journeys are predicted best.
    fn try_strengths(&mut self, timing: Timing) {
        let mut best = self.settings.strengths.unwrap_or(BEGIN);
        let mut least = self.try_one(timing, best);
        if self.settings.strengths.is_some() {
            return;
        }
        let dials: [fn(&mut Strengths) -> &mut f64; 2] = [|it| &mut it.channels, |it| &mut it.modifiers];
        for dial in dials {
            let from = best;
            for step in STEPS {
                let mut strengths = from;
                for _ in 0..MOST_STRIDES {
                    *dial(&mut strengths) *= step;
                    let log_loss = self.try_one(timing, strengths);
                    if least <= log_loss {
                        break;
                    }
                    (best, least) = (strengths, log_loss);
                }
            }
        }
    }

    fn try_one(&mut self, timing: Timing, strengths: Strengths) -> f64 {
        let start = self.found.take().filter(|(of, _)| *of == timing).map(|(_, parameters)| parameters);
        let rows = self.seen.clone();
        let (learned, found) = learn(self.settings, self.examples, rows, (timing, strengths), start);
        self.found = Some((timing, found));
        let log_loss = log_loss(&learned, self.examples, &self.held_out);
        self.trials.push(Trial { timing, strengths, log_loss });
        log_loss
    }

    fn best(&self) -> Trial {
        let best = self.trials.iter().min_by(|one, other| one.log_loss.total_cmp(&other.log_loss));
        *best.expect("the first strengths are always tried")
    }
}

/// Learns with these strengths, from these rows; the parameters come along.
pub(super) fn learn(
    settings: &Settings,
    examples: &Examples,
    rows: Vec<u32>,
    (timing, strengths): (Timing, Strengths),
    from: Option<Vec<f64>>,
) -> (Learned, Vec<f64>) {
    let layout = Layout::of(timing, examples);
    let centres = centres(&layout, examples, &rows, settings.organic_share);
    let start = from.unwrap_or_else(|| centres.clone());
    let strengths = layout.strengths(strengths);
    let likelihood = Likelihood::new(layout, examples, rows, (strengths, centres));
    let scales = likelihood.scales(&start);
    let limits = Limits { steps: settings.most_steps, flat: 1e-9 };
    let parameters = minimum(|at| likelihood.loss(at), start, &scales, limits);
    let rates = likelihood.rates(&parameters);
    (Learned::new(rates, examples.factors(), examples.conversions(), settings), parameters)
}

/// What parameters are drawn to, and where the search begins: the declared share of each campaign's conversions is
/// organic, all touches do alike for the rest, and what they do is gone in a day.
fn centres(layout: &Layout, examples: &Examples, rows: &[u32], organic_share: f64) -> Vec<f64> {
    let mut of_campaign = vec![Tally::default(); layout.campaigns];
    let mut all = Tally { conversions: 1.0, touches: 1.0, at_risk: 1.0 };
    for journey in rows.iter().map(|row| examples.journey(*row as usize)) {
        let tally = Tally {
            conversions: f64::from(u8::from(journey.converted_s.is_some())),
            touches: journey.touches.len() as f64,
            at_risk: match layout.timing {
                Timing::Decaying => journey.end_s() / DAY_S,
                Timing::Deciding => f64::from(u8::from(!journey.touches.is_empty())),
            },
        };
        all.add(tally);
        if let Some(campaign) = of_campaign.get_mut(journey.campaign as usize) {
            campaign.add(tally);
        }
    }
    let share = organic_share.clamp(1e-3, 1.0 - 1e-3);
    let mut centres = vec![0.0; layout.len];
    let rate = all.conversions / all.at_risk;
    centres[ORGANIC] = libm::log(share * rate);
    centres[EFFECT] = libm::log((1.0 - share) * all.conversions / all.touches);
    if layout.timing == Timing::Deciding {
        for (number, campaign) in of_campaign.iter().enumerate() {
            // As if ten conversions at the rate of all had been seen besides.
            let own = (campaign.conversions + 10.0) / (campaign.at_risk + 10.0 / rate);
            centres[layout.organic(number)] = libm::log(own / rate);
        }
    }
    centres
}

/// What happened on some journeys.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    conversions: f64,
    touches: f64,
    /// Days (decaying), or journeys (deciding).
    at_risk: f64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.conversions += other.conversions;
        self.touches += other.touches;
        self.at_risk += other.at_risk;
    }
}

/// How well what happened after the last touch is predicted.
fn log_loss(learned: &Learned, examples: &Examples, rows: &[u32]) -> f64 {
    let journeys = rows.iter().map(|row| examples.journey(*row as usize));
    let (mut sum, mut count) = (0.0, 0.0);
    for journey in journeys.filter(|journey| !journey.touches.is_empty()) {
        sum += surprise(learned, &journey);
        count += 1.0;
    }
    sum / f64::max(count, 1.0)
}

fn surprise(learned: &Learned, journey: &Journey<'_>) -> f64 {
    let probability = learned.probability(journey, journey.until_s - journey.last_s());
    let given = if journey.converted_s.is_some() { probability } else { 1.0 - probability };
    -libm::log(given.clamp(1e-12, 1.0))
}

fn row(number: usize) -> u32 {
    u32::try_from(number).expect("there are fewer than four billion journeys")
}
