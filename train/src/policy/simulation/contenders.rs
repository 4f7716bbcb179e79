//! The policies that learn nothing, and the one that knows everything.

use domain::Rate;

use super::{
    Contender, History, SimulationError, Spend,
    world::{Month, Truth, World},
};
use crate::policy::{desk::largest_within, fraction, tiers::Tiers};

/// Rates stay between these, whoever sets them.
pub(super) const FLOOR: Rate = Rate { ppm: 20_000 };
pub(super) const CAP: Rate = Rate { ppm: 300_000 };

/// Pays everybody the same.
pub(super) struct Flat {
    rates: Vec<Rate>,
}

impl Flat {
    pub(super) fn new(world: &World) -> Self {
        Self { rates: vec![Rate { ppm: world.shape.flat_ppm }; world.truths.len()] }
    }
}

impl Contender for Flat {
    fn name(&self) -> &'static str {
        "flat"
    }

    fn rates(&mut self, _: &History, _: usize) -> Result<Vec<Rate>, SimulationError> {
        Ok(self.rates.clone())
    }
}

/// Pays by the number of conversions in the month before.
pub(super) struct Tiered {
    tiers: Tiers,
}

impl Tiered {
    pub(super) fn new(world: &World) -> Self {
        Self { tiers: Tiers::around(Rate { ppm: world.shape.flat_ppm }) }
    }
}

impl Contender for Tiered {
    fn name(&self) -> &'static str {
        "tiers"
    }

    fn rates(&mut self, seen: &History, now: usize) -> Result<Vec<Rate>, SimulationError> {
        let rate = |month: &Month| self.tiers.rate(month.conversions() as f64);
        Ok(seen.months[now - 1].iter().map(rate).collect())
    }
}

/// Pays what brings the most, as the truth says.
pub(super) struct Oracle {
    rates: Vec<Rate>,
}

impl Oracle {
    /// The profit of a partner is greatest at `value / order · ε / (1 + ε)`; under a budget everybody gets the same part of
    /// that, as large as the budget admits.
    pub(super) fn new(world: &World, spend: Spend) -> Self {
        let (shape, flat) = (&world.shape, world.shape.flat());
        let rate = |truth: &Truth, part: f64| {
            let best = truth.honest_value() / shape.order * truth.elasticity / (1.0 + truth.elasticity);
            (part * best).clamp(fraction(FLOOR), fraction(CAP))
        };
        let cost = |part: f64| -> f64 {
            world.truths.iter().map(|truth| truth.at(rate(truth, part), flat) * rate(truth, part)).sum()
        };
        let budget: f64 = world.truths.iter().map(|truth| truth.conversions * flat).sum();
        let part = match spend {
            Spend::Free => 1.0,
            Spend::AsFlat => largest_within(budget, cost),
        };
        let ppm = |truth: &Truth| Rate { ppm: libm::round(1e6 * rate(truth, part)) as u32 };
        Self { rates: world.truths.iter().map(ppm).collect() }
    }
}

impl Contender for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn rates(&mut self, _: &History, _: usize) -> Result<Vec<Rate>, SimulationError> {
        Ok(self.rates.clone())
    }
}
