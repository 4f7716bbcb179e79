//! Partners of whom it is known what they are worth.

use rand::{Rng, RngExt};

use super::Partner;

pub(super) const SOURCES: usize = 8;
const PERIODS: usize = 32;

/// A partner and the truth of it.
#[derive(Clone)]
pub(super) struct Planted {
    pub(super) source: usize,
    /// Two numbers, of which the first tells of the level of values and the second of nothing.
    pub(super) profile: [f64; 2],
    pub(super) clicks: u64,
    pub(super) values: Vec<f64>,
    /// The logarithm of the mean value of a conversion.
    pub(super) log_worth: f64,
    pub(super) converting: f64,
    paying: f64,
    level: f64,
    spread: f64,
}

/// How values are spread beside the lognormal shape that the model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Lognormal,
    /// A gamma distribution of shape one half, which has no long tail and many tiny values.
    Gamma,
}

pub(super) fn normal(dice: &mut impl Rng) -> f64 {
    let (radius, angle): (f64, f64) = (dice.random_range(0.0..1.0), dice.random_range(0.0..1.0));
    (-2.0 * libm::log(1.0 - radius)).sqrt() * libm::cos(std::f64::consts::TAU * angle)
}

impl Planted {
    pub(super) fn partner(&self) -> Partner<'_> {
        Partner { source: self.source, profile: &[], clicks: self.clicks, values: &self.values }
    }

    pub(super) fn with_profile(&self) -> Partner<'_> {
        Partner { profile: &self.profile, ..self.partner() }
    }

    pub(super) fn convert(&mut self, count: usize, shape: Shape, dice: &mut impl Rng) {
        for _ in 0..count {
            self.clicks += 1 + libm::floor(
                libm::log(1.0 - dice.random_range(0.0..1.0)) / libm::log(1.0 - self.converting),
            ) as u64;
            let pays = dice.random_range(0.0..1.0) < self.paying;
            let value = match shape {
                Shape::Lognormal => libm::exp(self.level + self.spread.sqrt() * normal(dice)),
                // The square of a normal number is a gamma number of shape one half and mean one.
                Shape::Gamma => libm::exp(self.level + self.spread / 2.0) * normal(dice).powi(2),
            };
            self.values.push(if pays { value } else { 0.0 });
        }
    }
}

/// Partners whose worth differs within a source by 0.43 of its logarithm and between sources by 0.33, with about six
/// customers in ten who pay, and values whose logarithms spread by 1.25. Profiles tell four tenths of how partners of a source
/// differ.
pub(super) fn plant(partners: usize, shape: Shape, dice: &mut impl Rng) -> Vec<Planted> {
    // Not drawn: eight draws would make sources as different as luck has it.
    let sources = [-1.53, -0.89, -0.49, -0.16, 0.16, 0.49, 0.89, 1.53].map(|apart: f64| 0.33 / 0.93 * apart);
    let one = |_| {
        let source = dice.random_range(0..SOURCES);
        let odds = libm::exp(0.4 + 0.3 * normal(dice));
        let (paying, spread) = (odds / (1.0 + odds), 1.56 * libm::exp(0.1 * normal(dice)));
        let (told, untold) = (0.25 * normal(dice), 0.312 * normal(dice));
        let level = 3.0 + sources[source] + told + untold;
        let mut planted = Planted {
            source,
            profile: [told / 0.25, normal(dice)],
            clicks: 0,
            values: Vec::new(),
            log_worth: libm::log(paying) + level + spread / 2.0,
            converting: 0.03 * libm::exp(0.3 * normal(dice)),
            paying,
            level,
            spread,
        };
        let count = libm::exp(2.7 + 1.7 * normal(dice));
        planted.convert(libm::floor(count.min(5_000.0)) as usize, shape, dice);
        planted
    };
    (0..partners).map(one).collect()
}

/// The same partners, whose level has moved thirty-two times by `step` until the time of which the truth is told; with how
/// many of each one's values are of the first half of that time.
pub(super) fn plant_moving(partners: usize, step: f64, dice: &mut impl Rng) -> Vec<(Planted, usize)> {
    let planted = plant(partners, Shape::Lognormal, dice);
    let one = |mut planted: Planted| {
        let count = planted.values.len();
        (planted.values, planted.clicks) = (Vec::new(), 0);
        let mut early = 0;
        for period in 0..PERIODS {
            let move_by = step * normal(dice);
            planted.level += move_by;
            planted.log_worth += move_by;
            planted.convert(
                count * (period + 1) / PERIODS - count * period / PERIODS,
                Shape::Lognormal,
                dice,
            );
            if period + 1 == PERIODS / 2 {
                early = planted.values.len();
            }
        }
        (planted, early)
    };
    planted.into_iter().map(one).collect()
}
