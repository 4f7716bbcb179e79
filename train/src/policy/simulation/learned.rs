//! The learned policy: the engine's own, fed with what partners' histories say.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Rate,
    commission::dynamic::{Churn, ChurnAction, Contract, Exploring, Policy, RateMode, Standing},
};
use rand::RngExt;

use super::{
    Contender, History, Settings, SimulationError, Spend,
    contenders::{CAP, FLOOR},
    world::{Shape, World, dice},
};
use crate::policy::{
    desk::Desk,
    evidence::{Caution, Known, Program, Seen, known},
    fraction,
};

/// How long a month of the simulation is.
pub const MONTH_DAYS: i64 = 30;

/// The rule that the learned policy decides by.
#[must_use]
pub fn policy() -> Policy {
    let rate = |ppm: u32| Rate { ppm };
    Policy {
        version: "learned".to_owned(),
        target: Rate::ONE,
        best_share: Rate::ONE,
        grain: rate(1_000),
        dead_band: rate(5_000),
        reversal_band: rate(10_000),
        calm_days: 60,
        quality_weight: rate(0),
        churn: Churn { from_ppm: 2_000_000, then: ChurnAction::Flag },
        exploring: Exploring { width: rate(10_000), share: rate(100_000) },
        mode: RateMode::Live,
    }
}

/// What every simulated partner agreed to.
#[must_use]
pub fn contract() -> Contract {
    let rate = |ppm: u32| Rate { ppm };
    Contract {
        floor: FLOOR,
        cap: CAP,
        step: rate(30_000),
        period_days: 28,
        notice_days: 14,
        exploring: rate(10_000),
    }
}

pub(super) struct Learned {
    desk: Desk,
    program: Program,
    sources: Vec<usize>,
    shape: Shape,
    spend: Spend,
    caution: Caution,
    seed: u64,
}

impl Learned {
    pub(super) fn new(world: &World, settings: &Settings, seed: u64) -> Self {
        let shape = world.shape;
        let standing = Standing::new(settings.contract, Rate { ppm: shape.flat_ppm });
        Self {
            desk: Desk {
                policy: Policy { mode: RateMode::Live, ..settings.policy.clone() },
                standings: vec![standing; world.truths.len()],
                usual: shape.flat(),
            },
            program: Program {
                sources: shape.sources,
                rate: shape.flat(),
                conversions: shape.conversions,
                currency: "EUR".parse().expect("a currency"),
                model_version: "worth".to_owned(),
            },
            sources: world.truths.iter().map(|truth| truth.source).collect(),
            shape,
            spend: settings.spend,
            caution: settings.caution,
            seed,
        }
    }

    /// What is seen of a partner at the middle of the month before `now`.
    fn seen(&self, history: &History, (partner, rate): (usize, Rate), now: usize) -> Seen {
        let of = |months: usize| history.months[..months].iter().map(move |months| &months[partner]);
        let told = now - 1 - self.shape.lag;
        let values: Vec<f64> = of(told).flat_map(|month| month.predicted.iter().copied()).collect();
        let rates = history.rates.iter().map(|rates| libm::log(self.relative(rates[partner])));
        let counts = of(now - 1).map(|month| month.conversions() as f64);
        Seen {
            source: self.sources[partner],
            honest: values.len() as f64,
            values,
            fraud: of(told).map(|month| month.fraud).sum::<usize>() as f64,
            periods: rates.zip(counts).collect(),
            // Nobody sees customers leave here.
            churn_ratio: 1.0,
            base: self.shape.order,
            at_present: self.relative(rate),
        }
    }

    /// The rate as a multiple of the flat one.
    fn relative(&self, rate: Rate) -> f64 {
        fraction(rate) / self.shape.flat()
    }
}

impl Contender for Learned {
    fn name(&self) -> &'static str {
        "learned"
    }

    fn rates(&mut self, history: &History, now: usize) -> Result<Vec<Rate>, SimulationError> {
        let at = day(now as i64 * MONTH_DAYS - MONTH_DAYS / 2);
        let present = self.desk.rates(at).into_iter().enumerate();
        let seen: Vec<Seen> = present.map(|one| self.seen(history, one, now)).collect();
        let known: Vec<Known> = known(&seen, &self.program, &self.caution)?;
        let flat = Rate { ppm: self.shape.flat_ppm };
        let budget = match self.spend {
            Spend::Free => None,
            Spend::AsFlat => Some(self.caution.budget * self.desk.cost(&known, known.iter().map(|_| flat))),
        };
        let draw = |partner: usize| dice(self.seed, 3, partner, now).random_range(0..1_000_000);
        let draws: Vec<u32> = (0..known.len()).map(draw).collect();
        let decisions = self.desk.decide(&known, budget, &draws, at)?;
        self.desk.follow(&decisions);
        Ok(self.desk.rates(day(now as i64 * MONTH_DAYS)))
    }
}

fn day(days: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(days)
}
