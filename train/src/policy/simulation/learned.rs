//! The learned policy: the engine's own, fed with what partners' histories say.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Money, Rate,
    commission::dynamic::{
        Churn, ChurnAction, Contract, Evidence, Exploring, Policy, RateDecision, RateMode, Standing,
    },
};
use rand::RngExt;

use super::{
    Contender, History, Settings, SimulationError, Spend,
    contenders::{CAP, FLOOR, largest_within},
    elasticity::{Panel, Prior, by_source},
    fraction,
    world::{Shape, dice},
};
use crate::{partner, policy::simulation::world::World};

/// How cautious the learned policy is.
#[derive(Clone, Copy, Debug)]
pub struct Caution {
    /// The rate goes by the value that is exceeded with a probability of one less this.
    pub lower: f64,
    /// Which part of the flat rate's expected cost it may spend.
    pub budget: f64,
    /// What is believed of elasticities beforehand: the mean and the standard deviation.
    pub elasticity: (f64, f64),
}

impl Default for Caution {
    fn default() -> Self {
        Self { lower: 0.45, budget: 1.0, elasticity: (0.7, 0.3) }
    }
}

const MONTH_DAYS: i64 = 30;

/// Of a partner's fraud share as many conversions the program's counts for.
const FRAUD_STRENGTH: f64 = 5.0;

pub(super) struct Learned {
    policy: Policy,
    standings: Vec<Standing>,
    sources: Vec<usize>,
    churn: Vec<f64>,
    shape: Shape,
    spend: Spend,
    caution: Caution,
    seed: u64,
}

impl Learned {
    pub(super) fn new(world: &World, settings: &Settings, seed: u64) -> Self {
        let rate = |ppm: u32| Rate { ppm };
        let policy = Policy {
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
        };
        let contract = Contract {
            floor: FLOOR,
            cap: CAP,
            step: rate(30_000),
            period_days: 28,
            notice_days: 14,
            exploring: rate(10_000),
        };
        Self {
            policy,
            standings: vec![Standing::new(contract, rate(world.shape.flat_ppm)); world.truths.len()],
            sources: world.truths.iter().map(|truth| truth.source).collect(),
            churn: world.truths.iter().map(|truth| truth.churn).collect(),
            shape: world.shape,
            spend: settings.spend,
            caution: settings.caution,
            seed,
        }
    }

    /// What is known of every partner at the middle of the month before `now`.
    fn evidence(&self, seen: &History, now: usize) -> Result<Vec<Known>, SimulationError> {
        let known = now - 1 - self.shape.lag;
        let of = |partner: usize| seen.months[..known].iter().map(move |months| &months[partner]);
        let values: Vec<Vec<f64>> = (0..self.sources.len())
            .map(|partner| of(partner).flat_map(|month| month.predicted.iter().copied()).collect())
            .collect();
        let partners: Vec<_> = (0..values.len())
            .map(|partner| partner::Partner {
                source: self.sources[partner],
                profile: &[],
                clicks: values[partner].len() as u64,
                values: &values[partner],
            })
            .collect();
        let worths = partner::fit(&partners, self.shape.sources)?;
        let fraud = |partner: usize| of(partner).map(|month| month.fraud).sum::<usize>() as f64;
        let tries = |partner: usize| fraud(partner) + values[partner].len() as f64;
        let all = || 0..values.len();
        let usual_fraud = all().map(fraud).sum::<f64>() / f64::max(all().map(tries).sum(), 1.0);
        let panels: Vec<Panel> = all().map(|partner| self.panel(seen, partner, now)).collect();
        let (mean, sd) = self.caution.elasticity;
        let elasticities = by_source(&panels, self.shape.sources, Prior { mean, sd });
        let one = |partner: usize| {
            let worth = worths.worth(&partners[partner])?.per_conversion;
            let elasticity = elasticities[self.sources[partner]];
            let level = panels[partner].level(elasticity, self.shape.conversions);
            let at_present = libm::pow(self.relative(self.standings[partner].rate), elasticity);
            Ok(Known {
                level,
                elasticity,
                evidence: Evidence {
                    model_version: "worth".to_owned(),
                    value: money(worth.expected()),
                    value_lower: money(f64::min(worth.quantile(self.caution.lower), worth.expected())),
                    base: money(self.shape.order),
                    conversions: level * at_present,
                    churn_ratio: self.churn[partner],
                    fraud_risk: (fraud(partner) + FRAUD_STRENGTH * usual_fraud)
                        / (tries(partner) + FRAUD_STRENGTH),
                    quality: 0.5,
                    elasticity: Some(elasticity),
                },
            })
        };
        all().map(one).collect()
    }

    fn panel(&self, seen: &History, partner: usize, now: usize) -> Panel {
        let month = |month: usize| {
            let rate = libm::log(self.relative(seen.rates[month][partner]));
            (rate, seen.months[month][partner].conversions() as f64)
        };
        Panel { source: self.sources[partner], months: (0..now - 1).map(month).collect() }
    }

    /// The rate as a multiple of the flat one.
    fn relative(&self, rate: Rate) -> f64 {
        fraction(rate) / self.shape.flat()
    }

    /// Everybody's decision where the policy pays `part` of the best rate.
    fn decide(&self, known: &[Known], part: f64, now: usize) -> Result<Vec<RateDecision>, SimulationError> {
        let policy =
            Policy { best_share: Rate { ppm: libm::floor(1e6 * part) as u32 }, ..self.policy.clone() };
        let decide = |partner: usize| {
            let draw = dice(self.seed, 3, partner, now).random_range(0..1_000_000);
            let at = day(now as i64 * MONTH_DAYS - MONTH_DAYS / 2);
            Ok(policy.decide(&self.standings[partner], &known[partner].evidence, draw, at)?)
        };
        (0..known.len()).map(decide).collect()
    }

    /// What a month at these rates is expected to cost, in orders.
    fn cost(&self, known: &[Known], rates: impl Iterator<Item = Rate>) -> f64 {
        let cost = |(known, rate): (&Known, Rate)| {
            known.level * libm::pow(self.relative(rate), known.elasticity) * fraction(rate)
        };
        known.iter().zip(rates).map(cost).sum()
    }
}

/// What is known of a partner.
struct Known {
    evidence: Evidence,
    elasticity: f64,
    /// Conversions in a month at the flat rate.
    level: f64,
}

impl Contender for Learned {
    fn name(&self) -> &'static str {
        "learned"
    }

    fn rates(&mut self, seen: &History, now: usize) -> Result<Vec<Rate>, SimulationError> {
        let known = self.evidence(seen, now)?;
        let flat = Rate { ppm: self.shape.flat_ppm };
        let budget = self.caution.budget * self.cost(&known, known.iter().map(|_| flat));
        let part = match self.spend {
            Spend::Free => 1.0,
            Spend::AsFlat => largest_within(budget, |part| {
                let decided = self.decide(&known, part, now);
                decided.map_or(f64::INFINITY, |decided| self.cost(&known, decided.iter().map(|one| one.next)))
            }),
        };
        let decisions = self.decide(&known, part, now)?;
        let begin = day(now as i64 * MONTH_DAYS);
        for (standing, decision) in self.standings.iter_mut().zip(&decisions) {
            *standing = standing.clone().after(decision).at(begin);
        }
        Ok(self.standings.iter().map(|standing| standing.rate).collect())
    }
}

fn day(days: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(days)
}

fn money(value: f64) -> Money {
    Money::new(libm::round(100.0 * value) as i64, "EUR".parse().expect("a currency"))
}
