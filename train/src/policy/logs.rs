//! Logs of which it is known what every policy would have brought.

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Log;

pub(super) const GRID: [f64; 4] = [-1.5, -0.5, 0.5, 1.5];

/// Months of partners: a context of two numbers, a rate by a softmax of the context, a reward that depends on both, on the
/// partner's own luck and on the month's.
pub(super) struct Made {
    pub(super) partners: Vec<u32>,
    pub(super) actions: Vec<u32>,
    pub(super) propensities: Vec<f64>,
    pub(super) rewards: Vec<f64>,
    pub(super) contexts: Vec<f64>,
    /// Rows × rates: what the logging policy and the policy to be judged would do.
    pub(super) logging: Vec<f64>,
    pub(super) judged: Vec<f64>,
}

pub(super) fn dice(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// A standard normal number (Box and Muller 1958).
pub(super) fn normal(dice: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = (dice.random_range(0.0..1.0), dice.random_range(0.0..1.0));
    (-2.0 * libm::log(1.0 - radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
}

fn softmax(slopes: impl Fn(f64) -> f64) -> Vec<f64> {
    let raw = GRID.map(|rate| libm::exp(slopes(rate)));
    let total: f64 = raw.iter().sum();
    raw.iter().map(|one| one / total).collect()
}

/// A tenth of the decisions are even, so that no rate is ever rarer than one in forty.
fn mixed(probabilities: Vec<f64>) -> Vec<f64> {
    probabilities.into_iter().map(|one| 0.9 * one + 0.1 / GRID.len() as f64).collect()
}

/// The expected reward: partners with a high first number deserve a high rate.
pub(super) fn expected(context: &[f64], rate: f64) -> f64 {
    2.0 + context[0] + 0.5 * context[1] + 0.6 * rate * context[0] - 0.4 * rate * rate
}

/// What the policy that pays by the first number, wants to.
pub(super) fn wanted(context: &[f64]) -> Vec<f64> {
    softmax(|rate| 1.5 * rate * context[0])
}

pub(super) fn make(partners: u32, months: usize, dice: &mut impl Rng) -> Made {
    let mut made = Made {
        partners: Vec::new(),
        actions: Vec::new(),
        propensities: Vec::new(),
        rewards: Vec::new(),
        contexts: Vec::new(),
        logging: Vec::new(),
        judged: Vec::new(),
    };
    for partner in 0..partners {
        let (first, luck) = (normal(dice), normal(dice));
        for _ in 0..months {
            let context = [first, normal(dice)];
            let logging = mixed(softmax(|rate| 0.5 * rate * context[1]));
            let action = chosen(&logging, dice);
            // A reward is skewed, as money is: a lognormal of mean zero beside the partner's luck.
            let month = libm::exp(normal(dice)) - libm::exp(0.5);
            made.partners.push(partner);
            made.actions.push(action as u32);
            made.propensities.push(logging[action]);
            made.rewards.push(expected(&context, GRID[action]) + luck + month);
            made.contexts.extend(context);
            made.logging.extend(logging);
            made.judged.extend(wanted(&context));
        }
    }
    made
}

fn chosen(probabilities: &[f64], dice: &mut impl Rng) -> usize {
    let mut left: f64 = dice.random_range(0.0..1.0);
    for (place, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return place;
        }
    }
    probabilities.len() - 1
}

impl Made {
    pub(super) fn log(&self) -> Log<'_> {
        let Self { partners, actions, propensities, rewards, .. } = self;
        Log { partners, actions, propensities, rewards, rates: GRID.len() }
    }
}

/// What a policy brings on average, by numerical integration over the contexts: both are standard normal.
pub(super) fn truth(policy: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
    let points: Vec<f64> = (-60..=60).map(|step| f64::from(step) / 10.0).collect();
    let density = |at: f64| libm::exp(-at * at / 2.0) / std::f64::consts::TAU.sqrt() / 10.0;
    let mut total = 0.0;
    for first in &points {
        for second in &points {
            let context = [*first, *second];
            let value: f64 = policy(&context)
                .iter()
                .zip(GRID)
                .map(|(chance, rate)| chance * expected(&context, rate))
                .sum();
            total += density(*first) * density(*second) * value;
        }
    }
    total
}
