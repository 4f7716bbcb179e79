//! Policies live through the same months in a world whose truth is known: flat, tiers, learned, and an oracle.
//!
//! All begin with the same months at the flat rate, of which some partners and months are tried a little higher or lower.
//! Then each sets every partner's rate month by month and sees only what it may: conversions at once, fraud and the values of
//! customers some months late. The oracle sees the truth.

mod contenders;
mod learned;
mod power;
mod world;

#[cfg(test)]
mod tests;

use domain::{
    Rate,
    commission::dynamic::{Contract, Policy, RateError},
};

pub use learned::{MONTH_DAYS, contract, policy};
pub use power::{Power, PowerError, power};
pub use world::{Month, Shape, Truth};

use self::{
    contenders::{Flat, Oracle, Tiered},
    learned::Learned,
    world::World,
};
use super::{evidence::Caution, fraction};
use crate::partner::WorthError;

/// How much a policy may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// What it expects the flat rate to cost, and no more.
    AsFlat,
    /// What pays.
    Free,
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the world is like.
    pub shape: Shape,
    /// How many months everybody has at the flat rate.
    pub before: usize,
    /// How many months the policies then decide.
    pub months: usize,
    /// How much they may spend.
    pub spend: Spend,
    /// The rule that the learned policy decides by.
    pub policy: Policy,
    /// What every partner agreed to.
    pub contract: Contract,
    /// How cautious the learned policy is.
    pub caution: Caution,
}

impl Settings {
    /// Six months at the flat rate and twelve that the policies decide.
    #[must_use]
    pub fn new(shape: Shape, spend: Spend) -> Self {
        let caution = Caution::default();
        Self { shape, before: 6, months: 12, spend, policy: policy(), contract: contract(), caution }
    }
}

/// A policy among others.
trait Contender {
    fn name(&self) -> &'static str;

    /// Every partner's rate in month `now`, from what was seen in the months before.
    fn rates(&mut self, seen: &History, now: usize) -> Result<Vec<Rate>, SimulationError>;
}

/// What happened so far: the months of each partner, and the rates that were paid.
struct History {
    months: Vec<Vec<Month>>,
    rates: Vec<Vec<Rate>>,
}

/// What a policy came to over the months that it decided, in the world's currency.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which policy.
    pub name: &'static str,
    /// What the customers were worth.
    pub value: f64,
    /// What was paid in commissions.
    pub spend: f64,
    /// Each partner's mean rate over the last half of the months.
    pub rates: Vec<f64>,
}

impl Outcome {
    /// What was earned after commissions.
    #[must_use]
    pub fn profit(&self) -> f64 {
        self.value - self.spend
    }

    /// What was earned after commissions for each unit spent on them.
    #[must_use]
    pub fn roi(&self) -> f64 {
        self.profit() / self.spend
    }
}

/// A world's outcomes under each policy.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Flat, tiers, learned, oracle.
    pub outcomes: Vec<Outcome>,
    /// The flat rate.
    pub flat: f64,
}

/// So far below the flat rate a partner counts as cut: half a percentage point.
const CUT: f64 = 0.005;

impl Comparison {
    /// Which share of good partners the learned policy cut: of those whom the oracle pays at least `better` times the flat
    /// rate, who ended more than half a percentage point below it.
    #[must_use]
    pub fn good_cut(&self, better: f64) -> f64 {
        let (learned, oracle) = (&self.outcomes[2], &self.outcomes[3]);
        let good = || (0..oracle.rates.len()).filter(|place| better * self.flat <= oracle.rates[*place]);
        let cut = good().filter(|place| learned.rates[*place] < self.flat - CUT).count();
        cut as f64 / good().count().max(1) as f64
    }
}

/// Why a simulation ended early.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// Too little to learn from.
    #[error(transparent)]
    Worth(#[from] WorthError),
    /// A rate could not be decided.
    #[error(transparent)]
    Rate(#[from] RateError),
}

/// Simulates one world under all policies; the same seed gives the same numbers.
///
/// # Errors
/// When the learned policy has too little to learn from.
pub fn compare(settings: &Settings, seed: u64) -> Result<Comparison, SimulationError> {
    let world = World::new(&settings.shape, seed);
    let contenders: [Box<dyn Contender>; 4] = [
        Box::new(Flat::new(&world)),
        Box::new(Tiered::new(&world)),
        Box::new(Learned::new(&world, settings, seed)),
        Box::new(Oracle::new(&world, settings.spend)),
    ];
    let outcomes = contenders
        .into_iter()
        .map(|mut contender| live(settings, &world, contender.as_mut()))
        .collect::<Result<Vec<Outcome>, SimulationError>>()?;
    Ok(Comparison { outcomes, flat: settings.shape.flat() })
}

/// A partner's month at a rate that chance chose.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The number of the partner, from 0.
    pub partner: usize,
    /// The number of the month, from 0.
    pub month: usize,
    /// What was paid.
    pub rate: Rate,
    /// How probable that was.
    pub propensity: f64,
    /// What came of it.
    pub made: Month,
}

/// A world whose rates nobody decides, month by month: who its partners are, and what happened to them. The same seed is the
/// world of [`compare`], as it was before the policies began.
#[must_use]
pub fn undecided(shape: &Shape, months: usize, seed: u64) -> (Vec<Truth>, Vec<Tried>) {
    let world = World::new(shape, seed);
    let tried = |(month, partner): (usize, usize)| {
        let (rate, propensity) = world.tried(partner, month);
        Tried { partner, month, rate, propensity, made: world.month(partner, month, fraction(rate)) }
    };
    let all = (0..months).flat_map(|month| (0..world.truths.len()).map(move |partner| (month, partner)));
    let tried = all.map(tried).collect();
    (world.truths, tried)
}

fn live(
    settings: &Settings,
    world: &World,
    contender: &mut dyn Contender,
) -> Result<Outcome, SimulationError> {
    let mut history = world.before(settings.before);
    let mut outcome =
        Outcome { name: contender.name(), value: 0.0, spend: 0.0, rates: vec![0.0; world.truths.len()] };
    let last = settings.months - settings.months / 2;
    for month in 0..settings.months {
        let now = settings.before + month;
        let rates = contender.rates(&history, now)?;
        let months: Vec<Month> =
            (0..rates.len()).map(|partner| world.month(partner, now, fraction(rates[partner]))).collect();
        outcome.value += months.iter().flat_map(|month| &month.values).sum::<f64>();
        outcome.spend += months.iter().map(|month| month.spend).sum::<f64>();
        if settings.months - last <= month {
            for (sum, rate) in outcome.rates.iter_mut().zip(&rates) {
                *sum += fraction(*rate) / last as f64;
            }
        }
        history.months.push(months);
        history.rates.push(rates);
    }
    Ok(outcome)
}
