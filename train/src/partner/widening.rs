//! How much less sure partners' worth is than their conversions say by themselves: partners, campaigns and prices move in time,
//! and no model of values is quite right.
//!
//! What earlier conversions let expect is held against the mean that later ones brought. Of how far these are apart, the
//! posterior explains a part and the chance of the later mean another; the variance that is left is found by moments (Paule
//! and Mandel 1982; DerSimonian and Laird 1986). The same of halves that are drawn, and not of two times, says what of it is not
//! time's; the rest, drawn to zero as far as it may be chance (James and Stein 1961), is added to the variance of every posterior.
//! Where a level walks at random, the mean over any first part of the time is as far from the mean of the rest as the mean over
//! all of it is from where the level has come to, so that what was measured in the past is what is needed now.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Posterior, effects::variance};

/// The chance of means of fewer conversions is not looked at.
const LEAST_PART: usize = 5;
/// The chance of later means that are judged by is no more than this variance of their logarithm.
const MOST_CHANCE: f64 = 0.25;
/// Fewer partners say nothing of how they move.
const LEAST_PARTNERS: usize = 20;
/// How often parts of a partner's conversions are drawn to see what is chance.
const DRAWS: usize = 8;

/// What earlier conversions of a partner let expect, and what later ones brought.
#[derive(Clone, Debug)]
pub struct Foresight {
    /// What was expected.
    pub expected: Posterior,
    /// What came, in an order that does not depend on anything but what came.
    pub came: Vec<f64>,
}

/// What is unsure beyond what posteriors say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Widening {
    /// The variance that is added to that of logarithms.
    pub variance: f64,
    /// The standard error of what was measured.
    pub error: f64,
    /// By how much the logarithm of what came was above what was expected, over all.
    pub shift: f64,
    /// Of how many partners it was told.
    pub partners: usize,
}

/// How far what came is from what was expected beyond what is unsure of both.
#[derive(Clone, Copy, Debug)]
struct Excess {
    variance: f64,
    error: f64,
    shift: f64,
    partners: usize,
}

/// A mean that came beside what was expected of it.
struct Apart {
    /// Of the logarithm.
    by: f64,
    /// The variance that was to be expected.
    variance: f64,
}

impl Widening {
    /// Estimates it from what was foreseen of later conversions by earlier ones, and of half of the conversions, drawn without
    /// regard to time, by the other half.
    #[must_use]
    pub fn of(by_time: &[Foresight], by_draw: &[Foresight]) -> Self {
        let Some((of_time, of_draw)) = excess(by_time).zip(excess(by_draw)) else { return Self::default() };
        let found = f64::max(of_time.variance - of_draw.variance, 0.0);
        let error = (of_time.error * of_time.error + of_draw.error * of_draw.error).sqrt();
        let variance =
            if 0.0 < found { found * f64::max(1.0 - (error / found) * (error / found), 0.0) } else { 0.0 };
        Self { variance, error, shift: of_time.shift, partners: of_time.partners }
    }

    /// The same with what is unsure besides; the number to expect stays.
    #[must_use]
    pub fn widen(&self, posterior: &Posterior) -> Posterior {
        Posterior {
            log_mean: posterior.log_mean - self.variance / 2.0,
            log_sd: (posterior.log_sd * posterior.log_sd + self.variance).sqrt(),
        }
    }
}

fn excess(all: &[Foresight]) -> Option<Excess> {
    let chance = Chance::of_parts(all);
    let apart: Vec<Apart> = all.iter().filter_map(|it| it.apart(&chance)).collect();
    if apart.len() < LEAST_PARTNERS {
        return None;
    }
    let weight = |it: &Apart, more: f64| 1.0 / (it.variance + more);
    let weights = |more: f64| apart.iter().map(|it| weight(it, more)).sum::<f64>();
    let shift = |more: f64| apart.iter().map(|it| weight(it, more) * it.by).sum::<f64>() / weights(more);
    let squares = |more: f64| {
        let shift = shift(more);
        apart.iter().map(move |it| (it.by - shift) * (it.by - shift) * weight(it, more))
    };
    let found = variance(|more| squares(more).sum::<f64>() - (apart.len() as f64 - 1.0));
    let noise: f64 = squares(found).map(|it| (it - 1.0) * (it - 1.0)).sum();
    let error = noise.sqrt() / weights(found);
    Some(Excess { variance: found, error, shift: shift(found), partners: apart.len() })
}

impl Foresight {
    fn apart(&self, chance: &Chance) -> Option<Apart> {
        let (mean, chance) = (mean(&self.came), chance.of(self.came.len()));
        (0.0 < mean && chance <= MOST_CHANCE).then(|| Apart {
            // The mean of a logarithm is below the logarithm of a mean.
            by: libm::log(mean) + chance / 2.0 - self.expected.log_mean,
            variance: self.expected.log_sd * self.expected.log_sd + chance,
        })
    }
}

/// How the logarithm of the mean of so many conversions of one time varies.
struct Chance(Vec<(usize, f64)>);

impl Chance {
    /// Tells it from how parts of the same partner's conversions differ, which are of the same time: for each number of
    /// conversions, and twice that, and so on, from partners who have two parts of so many.
    fn of_parts(all: &[Foresight]) -> Self {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(0);
        let mut of_sizes = Vec::new();
        for size in (0..usize::BITS).map_while(|doubled| LEAST_PART.checked_shl(doubled)) {
            let large: Vec<&Foresight> = all.iter().filter(|it| 2 * size <= it.came.len()).collect();
            let (mut squares, mut count) = (0.0, 0.0);
            for it in large.iter().filter(|_| LEAST_PARTNERS <= large.len()) {
                let mut came = it.came.clone();
                for _ in 0..DRAWS {
                    for place in 0..2 * size {
                        let other = dice.random_range(place..came.len());
                        came.swap(place, other);
                    }
                    let (one, other) = (mean(&came[..size]), mean(&came[size..2 * size]));
                    if 0.0 < one && 0.0 < other {
                        let apart = libm::log(one / other);
                        squares += apart * apart / 2.0;
                        count += 1.0;
                    }
                }
            }
            if count <= 0.0 {
                break;
            }
            of_sizes.push((size, squares / count));
        }
        Self(of_sizes)
    }

    fn of(&self, count: usize) -> f64 {
        let known = self.0.iter().rev().find(|(size, _)| *size <= count);
        known.map_or(f64::INFINITY, |(size, variance)| variance * *size as f64 / count as f64)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / f64::max(values.len() as f64, 1.0)
}
