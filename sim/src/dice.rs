//! Chance that depends on what it is for and on nothing else: every part of the world has streams of its own, keyed
//! by the seed, the part and a number, so that drawing more in one place moves nothing in another.

use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, Gamma, Poisson, StandardNormal};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};
use uuid::Uuid;

/// The number that a whole world follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// What a stream of chance is for.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Part {
    Advertiser = 1,
    Campaign,
    Affiliate,
    Links,
    Reputation,
    Perpetrators,
    Season,
    Probe,
    Person,
    Household,
    Address,
    Handset,
    Mailbox,
    Arrivals,
    Views,
    Patterns,
    Rates,
    Group,
}

impl Seed {
    /// A number that belongs to the `index`-th thing of a part, and to no other.
    pub(crate) fn key(self, part: Part, index: u64) -> u64 {
        mixed(mixed(self.0 ^ mixed(part as u64)) ^ index)
    }

    /// A number that belongs to two numbers together.
    pub(crate) fn key2(self, part: Part, first: u64, second: u64) -> u64 {
        mixed(self.key(part, first) ^ second)
    }

    /// The stream of the `index`-th thing of a part.
    pub(crate) fn dice(self, part: Part, index: u64) -> Dice {
        Dice::of(self.key(part, index))
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that leaves no trace of their order.
pub(crate) fn mixed(bits: u64) -> u64 {
    SplitMix64::seed_from_u64(bits).next_u64()
}

/// One stream of chance (xoshiro256++, Blackman and Vigna 2021).
#[derive(Clone, Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// The stream that belongs to a key.
    pub(crate) fn of(key: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(key))
    }

    /// Sixty-four bits, as a key for streams of their own.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number in `0..limit`; zero when `limit` is zero.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.0.random_range(0..limit) }
    }

    /// A position in a list of `length` things.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        if length == 0 { 0 } else { self.0.random_range(0..length) }
    }

    /// One of some things.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A moment or length in `low..high`.
    pub(crate) fn span(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.below(low.abs_diff(high))).unwrap_or(0)
    }

    /// True in one of `1 / probability` cases.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A standard normal number.
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// A log-normal number by its median and the standard deviation of its logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// An exponential number of this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.0);
        mean * unit
    }

    /// A Pareto number: above `smallest`, with tail index `alpha`.
    pub(crate) fn pareto(&mut self, smallest: f64, alpha: f64) -> f64 {
        smallest * (1.0 - self.unit()).powf(-1.0 / alpha)
    }

    /// A Poisson count; zero when the mean is not above zero.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        Poisson::new(mean).map_or(0, |poisson| whole(poisson.sample(&mut self.0)))
    }

    /// A gamma number; zero when a parameter is not above zero.
    pub(crate) fn gamma(&mut self, shape: f64, scale: f64) -> f64 {
        Gamma::new(shape, scale).map_or(0.0, |gamma| gamma.sample(&mut self.0))
    }

    /// An id of this moment: a UUIDv7 from its milliseconds and 74 bits of this stream.
    pub(crate) fn id<T: From<Uuid>>(&mut self, at_us: i64) -> T {
        let mut bytes = [0; 10];
        self.0.fill_bytes(&mut bytes);
        let millis = u64::try_from(at_us / 1_000).unwrap_or(0);
        T::from(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what a length of time or a count beyond all bounds should do"
)]
/// The whole number below `number`; zero for what is negative or no number.
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

/// The whole number of microseconds in so many seconds; never negative.
pub(crate) fn micros(seconds: f64) -> i64 {
    i64::try_from(whole(seconds * 1e6)).unwrap_or(i64::MAX)
}

/// Picks among weighted things in constant time (Walker 1977, by Vose's construction of 1991).
#[derive(Clone, Debug, Default)]
pub(crate) struct Lots {
    keep: Vec<f64>,
    other: Vec<u32>,
}

impl Lots {
    /// Lots for these weights; negative ones count as zero, and when all are zero each is as likely.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut keep: Vec<f64> = weights.into_iter().map(|weight| weight.max(0.0)).collect();
        let total: f64 = keep.iter().sum();
        let length = keep.len();
        let scale = if total <= 0.0 { 0.0 } else { size(length) / total };
        keep.iter_mut().for_each(|weight| *weight = if total <= 0.0 { 1.0 } else { *weight * scale });
        let mut other: Vec<u32> = (0..).take(length).collect();
        let position = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..length).partition(|&index| keep[index] < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            other[poor] = position(rich);
            keep[rich] -= 1.0 - keep[poor];
            if keep[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        for index in small.into_iter().chain(large) {
            keep[index] = 1.0;
        }
        Self { keep, other }
    }

    /// One position, as likely as its weight says; zero when there are none.
    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        let index = dice.index(self.keep.len());
        let kept = self.keep.get(index).is_none_or(|&keep| dice.unit() < keep);
        if kept { index } else { self.other[index] as usize }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no list here has 2^53 items")]
/// How many, as a number to reckon with.
pub(crate) fn size(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts and amounts here stay below 2^53")]
/// A whole number, as a number to reckon with.
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_key_are_equal_and_of_two_keys_differ() {
        let seed = Seed(7);
        let first = |part, index| seed.dice(part, index).bits();
        assert_eq!(first(Part::Arrivals, 1), first(Part::Arrivals, 1));
        assert_ne!(first(Part::Arrivals, 1), first(Part::Arrivals, 2));
        assert_ne!(first(Part::Arrivals, 1), first(Part::Views, 1));
        assert_ne!(first(Part::Arrivals, 1), Seed(8).dice(Part::Arrivals, 1).bits());
    }

    #[test]
    fn lots_fall_as_their_weights_say() {
        let (weights, mut dice) = ([5.0, 0.0, 3.0, 2.0], Dice::of(1));
        let lots = Lots::new(weights);
        let mut drawn = [0_u64; 4];
        for _ in 0..100_000 {
            drawn[lots.draw(&mut dice)] += 1;
        }
        assert_eq!(drawn[1], 0);
        for (weight, drawn) in weights.iter().zip(drawn) {
            crate::test_counts::agrees(drawn, 100_000, weight / 10.0);
        }
    }

    #[test]
    fn a_median_is_the_middle() {
        let mut dice = Dice::of(2);
        let below = (0..40_000).filter(|_| dice.log_normal(60.0, 1.3) < 60.0).count();
        crate::test_counts::agrees(below as u64, 40_000, 0.5);
    }

    #[test]
    fn lengths_beyond_all_bounds_saturate() {
        assert_eq!(micros(f64::INFINITY), i64::MAX);
        assert_eq!((micros(-3.0), micros(f64::NAN), micros(1.5)), (0, 0, 1_500_000));
    }
}
