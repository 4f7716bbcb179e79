//! Partners of whom everything is known, and months that depend on the rates that they are paid.

use domain::Rate;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::History;
use crate::policy::fraction;

/// What a world is like. Spreads are standard deviations of logarithms.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many partners there are.
    pub partners: usize,
    /// Of how many traffic sources.
    pub sources: usize,
    /// What an order comes to.
    pub order: f64,
    /// The rate that a flat program pays, in parts per million.
    pub flat_ppm: u32,
    /// How the value of a conversion differs between sources; its level is such that the flat rate is the best flat rate.
    pub value_of_sources: f64,
    /// How it differs between partners of a source.
    pub value_of_partners: f64,
    /// Which share of customers brings anything.
    pub paying: f64,
    /// How the values of those who do differ.
    pub value_of_customers: f64,
    /// How many conversions a usual partner has in a month at the flat rate.
    pub conversions: f64,
    /// How that differs between partners.
    pub conversions_spread: f64,
    /// The usual elasticity of conversions to the rate.
    pub elasticity: f64,
    /// How that differs between sources, and as much again between their partners.
    pub elasticity_spread: f64,
    /// Which share of partners are fraudsters.
    pub fraudsters: f64,
    /// After how many months fraud and the values of customers are known.
    pub lag: usize,
    /// How far known values are from true ones, which models predict.
    pub prediction_spread: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            partners: 400,
            sources: 8,
            order: 100.0,
            flat_ppm: 100_000,
            value_of_sources: 0.33,
            value_of_partners: 0.42,
            paying: 0.6,
            value_of_customers: 1.25,
            conversions: 12.0,
            conversions_spread: 1.3,
            elasticity: 0.8,
            elasticity_spread: 0.25,
            fraudsters: 0.08,
            lag: 2,
            prediction_spread: 0.3,
        }
    }
}

impl Shape {
    /// A world in which little can be known: partners are four times smaller and more alike, and values are known after four
    /// months and badly.
    #[must_use]
    pub fn few_and_late() -> Self {
        Self {
            conversions: 3.0,
            lag: 4,
            prediction_spread: 0.8,
            value_of_sources: 0.25,
            value_of_partners: 0.35,
            fraudsters: 0.05,
            ..Self::default()
        }
    }

    /// The flat rate as a fraction.
    #[must_use]
    pub fn flat(&self) -> f64 {
        f64::from(self.flat_ppm) / 1e6
    }
}

/// The truth of a partner.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// Its traffic source.
    pub source: usize,
    /// What an honest conversion is worth on average.
    pub value: f64,
    /// How many conversions it has in a month at the flat rate.
    pub conversions: f64,
    /// By how many percent they grow when the rate grows by one.
    pub elasticity: f64,
    /// Which share of them is fraud.
    pub fraud: f64,
    /// How fast its customers leave, as a multiple of the usual.
    pub churn: f64,
}

impl Truth {
    /// What a conversion is worth, fraud among them.
    pub(super) fn honest_value(&self) -> f64 {
        self.value * (1.0 - self.fraud)
    }

    /// How many conversions a rate brings in a month.
    pub(super) fn at(&self, rate: f64, flat: f64) -> f64 {
        self.conversions * libm::pow(rate / flat, self.elasticity)
    }
}

/// A partner's month.
#[derive(Clone, Debug, Default)]
pub struct Month {
    /// What each honest conversion is worth over the horizon.
    pub values: Vec<f64>,
    /// The same as a model predicts it when it is known.
    pub predicted: Vec<f64>,
    /// How many conversions were fraud.
    pub fraud: usize,
    /// What was paid.
    pub spend: f64,
}

impl Month {
    /// How many conversions there were, honest or not.
    #[must_use]
    pub fn conversions(&self) -> usize {
        self.values.len() + self.fraud
    }
}

pub(super) struct World {
    pub(super) shape: Shape,
    pub(super) truths: Vec<Truth>,
    seed: u64,
}

pub(super) fn normal(dice: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = (dice.random_range(0.0..1.0), dice.random_range(0.0..1.0));
    (-2.0 * libm::log(1.0 - radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
}

/// Dice for one purpose: streams of different purposes have nothing to do with each other.
pub(super) fn dice(seed: u64, purpose: u64, partner: usize, month: usize) -> Xoshiro256PlusPlus {
    let words = [seed, purpose, partner as u64, month as u64];
    let mut bytes = [0; 32];
    for (place, word) in words.into_iter().enumerate() {
        bytes[place * 8..place * 8 + 8].copy_from_slice(&(word.wrapping_add(1)).to_le_bytes());
    }
    let mut dice = Xoshiro256PlusPlus::from_seed(bytes);
    // Seeds that are nearly alike give first numbers that are.
    for _ in 0..16 {
        dice.next_u64();
    }
    dice
}

impl World {
    pub(super) fn new(shape: &Shape, seed: u64) -> Self {
        let mut dice = dice(seed, 0, 0, 0);
        let dice = &mut dice;
        let sources: Vec<(f64, f64)> = (0..shape.sources)
            .map(|_| (shape.value_of_sources * normal(dice), shape.elasticity_spread * normal(dice)))
            .collect();
        let truth = |_| {
            let source = dice.random_range(0..shape.sources);
            let (value, elasticity) = sources[source];
            let better = value + shape.value_of_partners * normal(dice);
            let responds = elasticity + shape.elasticity_spread * normal(dice);
            let cheats = dice.random_range(0.0..1.0) < shape.fraudsters;
            Truth {
                source,
                value: libm::exp(better),
                conversions: shape.conversions * libm::exp(shape.conversions_spread * normal(dice)),
                elasticity: shape.elasticity * libm::exp(responds),
                fraud: if cheats { dice.random_range(0.3..0.9) } else { dice.random_range(0.0..0.04) },
                churn: libm::exp(-0.5 * better + 0.2 * normal(dice)),
            }
        };
        let mut truths: Vec<Truth> = (0..shape.partners).map(truth).collect();
        let scale = worth_the_flat_rate(shape, &truths);
        truths.iter_mut().for_each(|truth| truth.value *= scale);
        Self { shape: *shape, truths, seed }
    }

    /// What a partner does in a month at a rate. Policies that pay the same see the same.
    pub(super) fn month(&self, partner: usize, month: usize, rate: f64) -> Month {
        let (truth, shape) = (&self.truths[partner], &self.shape);
        let mut dice = dice(self.seed, 1, partner, month);
        let total = poisson(truth.at(rate, shape.flat()), &mut dice);
        let mut made = Month { spend: rate * shape.order * total as f64, ..Month::default() };
        let spread = shape.value_of_customers;
        let level = libm::log(truth.value / shape.paying) - spread * spread / 2.0;
        let apart = shape.prediction_spread;
        for _ in 0..total {
            let [fraud, pays] = [dice.random_range(0.0..1.0), dice.random_range(0.0..1.0)];
            let (size, miss) = (normal(&mut dice), normal(&mut dice));
            if fraud < truth.fraud {
                made.fraud += 1;
                continue;
            }
            let value = if pays < shape.paying { libm::exp(level + spread * size) } else { 0.0 };
            made.values.push(value);
            made.predicted.push(value * libm::exp(apart * miss - apart * apart / 2.0));
        }
        made
    }

    /// The rate of a month that nobody decides, and how probable it was: the flat one, or in a third of months a fifth higher
    /// or lower.
    pub(super) fn tried(&self, partner: usize, month: usize) -> (Rate, f64) {
        let flat = self.shape.flat_ppm;
        match dice(self.seed, 2, partner, month).random_range(0..6) {
            0 => (Rate { ppm: flat / 5 * 4 }, 1.0 / 6.0),
            1 => (Rate { ppm: flat / 5 * 6 }, 1.0 / 6.0),
            _ => (Rate { ppm: flat }, 2.0 / 3.0),
        }
    }

    /// The months at the flat rate, of which a third was tried a fifth higher or lower.
    pub(super) fn before(&self, months: usize) -> History {
        let rate = |partner: usize, month: usize| self.tried(partner, month).0;
        let mut history = History { months: Vec::new(), rates: Vec::new() };
        for month in 0..months {
            let rates: Vec<Rate> = (0..self.truths.len()).map(|partner| rate(partner, month)).collect();
            let of = |(partner, rate): (usize, &Rate)| self.month(partner, month, fraction(*rate));
            history.months.push(rates.iter().enumerate().map(of).collect());
            history.rates.push(rates);
        }
        history
    }
}

/// By how much all values must be scaled so that the flat rate is the best of all flat rates, which is what the others are
/// to beat: there the slope of the profit, the sum of `conversions · (ε (value − cost) − cost)`, is zero.
fn worth_the_flat_rate(shape: &Shape, truths: &[Truth]) -> f64 {
    let cost = shape.flat() * shape.order;
    let costs: f64 = truths.iter().map(|truth| truth.conversions * cost * (1.0 + truth.elasticity)).sum();
    let values: f64 =
        truths.iter().map(|truth| truth.conversions * truth.elasticity * truth.honest_value()).sum();
    costs / values
}

/// A Poisson number (Knuth 1969), large means in parts.
fn poisson(mean: f64, dice: &mut impl Rng) -> usize {
    let (mut left, mut count) = (mean, 0);
    while 0.0 < left {
        let part = f64::min(left, 20.0);
        let least = libm::exp(-part);
        let mut product: f64 = dice.random_range(0.0..1.0);
        while least < product {
            count += 1;
            product *= dice.random_range(0.0..1.0);
        }
        left -= part;
    }
    count
}
