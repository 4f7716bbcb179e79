//! Chance that depends on what it is for and on nothing else: every part of the world has streams of its own, keyed
//! by the seed, the part and a number, so that drawing more in one place moves nothing in another. Logarithms and
//! exponentials are those of a library of our own tree and not the machine's, whose last digits differ from one to the
//! next: the same seed gives the same world everywhere.

pub(crate) use libm::exp;
use libm::{log, pow};
use rand::{Rng, RngExt, SeedableRng};
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
    Regulars,
    Budgets,
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

    /// A standard normal number, by inverting the distribution function: one draw each.
    pub(crate) fn normal(&mut self) -> f64 {
        // Never 0 nor 1, whose quantiles are infinite.
        normal_quantile(self.unit() + f64::EPSILON / 4.0)
    }

    /// A log-normal number by its median and the standard deviation of its logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// An exponential number of this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * log(1.0 - self.unit())
    }

    /// A Pareto number: above `smallest`, with tail index `alpha`.
    pub(crate) fn pareto(&mut self, smallest: f64, alpha: f64) -> f64 {
        smallest * pow(1.0 - self.unit(), -1.0 / alpha)
    }

    /// A Poisson count, zero when the mean is not above zero: how many exponential pauses fit into the mean, which costs
    /// as many draws as there are things to make.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let (mut left, mut count) = (mean, 0);
        while 0.0 < left {
            // A product of uniform numbers stands for a sum of pauses as long as its limit is no denormal number.
            let part = left.min(500.0);
            left -= part;
            let (limit, mut product) = (exp(-part), self.unit());
            while limit < product {
                count += 1;
                product *= self.unit();
            }
        }
        count
    }

    /// A gamma number (Marsaglia and Tsang 2000), for a shape of at least one.
    pub(crate) fn gamma(&mut self, shape: f64, scale: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let (z, unit) = (self.normal(), 1.0 - self.unit());
            let v = (1.0 + c * z) * (1.0 + c * z) * (1.0 + c * z);
            if 0.0 < v && log(unit) < 0.5 * z * z + d - d * v + d * log(v) {
                return d * v * scale;
            }
        }
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

/// The normal number below which this share of all lies (Wichura, Algorithm AS 241, Applied Statistics 37, 1988): to
/// about sixteen digits.
fn normal_quantile(share: f64) -> f64 {
    let off = share - 0.5;
    if off.abs() <= 0.425 {
        let r = 0.180_625 - off * off;
        return off * ratio(&MIDDLE, r);
    }
    let r = (-log(if off < 0.0 { share } else { 1.0 - share })).sqrt();
    let far = if r <= 5.0 { ratio(&OUTER, r - 1.6) } else { ratio(&TAIL, r - 5.0) };
    if off < 0.0 { -far } else { far }
}

/// A numerator's and a denominator's coefficients, the highest power first.
type Ratio = [[f64; 8]; 2];

fn ratio(of: &Ratio, x: f64) -> f64 {
    let [above, below] = of.map(|coefficients| coefficients.iter().fold(0.0, |sum, it| sum * x + it));
    above / below
}

#[rustfmt::skip]
const MIDDLE: Ratio = [
    [2_509.080_928_730_122_7, 33_430.575_583_588_13, 67_265.770_927_008_7, 45_921.953_931_549_87, 13_731.693_765_509_46, 1_971.590_950_306_551_4, 133.141_667_891_784_38, 3.387_132_872_796_366_5],
    [5_226.495_278_852_854, 28_729.085_735_721_943, 39_307.895_800_092_71, 21_213.794_301_586_597, 5_394.196_021_424_751, 687.187_007_492_057_9, 42.313_330_701_600_91, 1.0],
];
#[rustfmt::skip]
const OUTER: Ratio = [
    [7.745_450_142_783_414e-4, 0.022_723_844_989_269_184, 0.241_780_725_177_450_6, 1.270_458_252_452_368_4, 3.647_848_324_763_204_5, 5.769_497_221_460_691, 4.630_337_846_156_546, 1.423_437_110_749_683_5],
    [1.050_750_071_644_416_9e-9, 5.475_938_084_995_345e-4, 0.015_198_666_563_616_457, 0.148_103_976_427_480_08, 0.689_767_334_985_1, 1.676_384_830_183_803_8, 2.053_191_626_637_759, 1.0],
];
#[rustfmt::skip]
const TAIL: Ratio = [
    [2.010_334_399_292_288_1e-7, 2.711_555_568_743_487_6e-5, 0.001_242_660_947_388_078_4, 0.026_532_189_526_576_124, 0.296_560_571_828_504_87, 1.784_826_539_917_291_3, 5.463_784_911_164_114, 6.657_904_643_501_103],
    [2.044_263_103_389_939_8e-15, 1.421_511_758_316_446e-7, 1.846_318_317_510_054_8e-5, 7.868_691_311_456_133e-4, 0.014_875_361_290_850_615, 0.136_929_880_922_735_8, 0.599_832_206_555_888, 1.0],
];

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
    fn quantiles_are_those_of_the_tables() {
        let table = [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813_6),
            (1e-10, -6.361_340_902_404_056),
            (1e-15, -7.941_345_326_170_998),
        ];
        for (share, quantile) in table {
            let found = normal_quantile(share);
            assert!((found - quantile).abs() < 1e-13 * quantile.abs().max(1.0), "{share}: {found}");
        }
    }

    #[test]
    fn counts_and_rates_have_the_mean_and_variance_that_they_should() {
        let mut dice = Dice::of(4);
        let mut check = |mean: f64, variance: f64, draw: &mut dyn FnMut(&mut Dice) -> f64| {
            let drawn: Vec<f64> = (0..20_000).map(|_| draw(&mut dice)).collect();
            let found = drawn.iter().sum::<f64>() / 20_000.0;
            let spread = drawn.iter().map(|it| (it - found) * (it - found)).sum::<f64>() / 20_000.0;
            assert!((found - mean).abs() < 5.0 * (variance / 20_000.0).sqrt(), "{found}, not {mean}");
            assert!((spread / variance - 1.0).abs() < 0.1, "{spread}, not {variance}");
        };
        check(0.3, 0.3, &mut |dice| real(dice.poisson(0.3)));
        check(1_200.0, 1_200.0, &mut |dice| real(dice.poisson(1_200.0)));
        check(3.0, 6.0, &mut |dice| dice.gamma(1.5, 2.0));
        check(7.0, 49.0, &mut |dice| dice.exponential(7.0));
        check(0.0, 1.0, &mut Dice::normal);
        assert_eq!((dice.poisson(0.0), dice.poisson(-1.0)), (0, 0));
    }

    #[test]
    fn lengths_beyond_all_bounds_saturate() {
        assert_eq!(micros(f64::INFINITY), i64::MAX);
        assert_eq!((micros(-3.0), micros(f64::NAN), micros(1.5)), (0, 0, 1_500_000));
    }
}
