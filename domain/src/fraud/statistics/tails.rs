//! How improbable it is to see so much by chance.

use super::special::{beta_lower, gamma_tails, ln_beta};
use super::{CountError, real};

/// The probability that a Poisson variable of this mean is `count` or more; one where no mean is known (not a number).
#[must_use]
pub fn poisson_upper(count: u64, mean: f64) -> f64 {
    if count == 0 || mean.is_nan() { 1.0 } else { gamma_tails(real(count), mean.max(0.0)).0 }
}

/// The probability of `count` or more successes in `trials` trials, each of which succeeds with `rate`; one where no rate
/// is known (not a number).
#[must_use]
pub fn binomial_upper(count: u64, trials: u64, rate: f64) -> f64 {
    match () {
        () if count == 0 || rate.is_nan() => 1.0,
        () if trials < count => 0.0,
        () => beta_lower(real(count), real(trials - count) + 1.0, rate),
    }
}

/// A rate that differs from source to source: Beta(a, b).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateSpread {
    /// Successes that the spread is worth; above zero.
    pub a: f64,
    /// Failures that the spread is worth; above zero.
    pub b: f64,
}

/// What a rate's spread is held to when sources hardly differ, or differ as if each were either 0 or 1: so many trials
/// the spread is worth.
const WORTH: (f64, f64) = (2.0, 1e5);

impl RateSpread {
    /// The spread of the rates of many sources, each `(successes, trials)`, by moments (Kleinman 1973, with weights by
    /// trials). None when fewer than two sources have trials, or when nothing or everything succeeded.
    #[must_use]
    pub fn of(sources: impl Iterator<Item = (u64, u64)> + Clone) -> Option<Self> {
        let tried = sources.filter(|(_, trials)| *trials != 0);
        let (mut count, mut successes, mut trials, mut squares) = (0_u64, 0.0, 0.0, 0.0);
        for (won, of) in tried.clone() {
            count += 1;
            successes += real(won);
            trials += real(of);
            squares += real(of) * real(of);
        }
        let mean = successes / trials;
        if count < 2 || mean <= 0.0 || 1.0 <= mean {
            return None;
        }
        let between: f64 = tried.map(|(won, of)| real(of) * square(real(won) / real(of) - mean)).sum();
        let sources = real(count);
        // The expectation of `between` for a correlation of ρ within a source is mean·(1 − mean)·(c + ρ·d).
        let chance = sources - 1.0;
        let room = trials - squares / trials - chance;
        let correlation = (between / (mean * (1.0 - mean)) - chance) / room;
        let worth = if correlation <= 0.0 { WORTH.1 } else { 1.0 / correlation - 1.0 };
        let worth = worth.clamp(WORTH.0, WORTH.1);
        Some(Self { a: mean * worth, b: (1.0 - mean) * worth })
    }

    /// The mean rate.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }
}

fn square(value: f64) -> f64 {
    value * value
}

/// The probability of `count` or more successes in `trials` trials of a source whose own rate was drawn from `spread`:
/// the upper tail of the beta-binomial distribution (Skellam 1948).
#[must_use]
pub fn beta_binomial_upper(count: u64, trials: u64, spread: RateSpread) -> f64 {
    if count == 0 {
        return 1.0;
    }
    if trials < count {
        return 0.0;
    }
    let RateSpread { a, b } = spread;
    let (n, k) = (real(trials), real(count));
    let ln_ways = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let mut term = libm::exp(ln_ways + ln_beta(k + a, n - k + b) - ln_beta(a, b));
    let mut sum = 0.0;
    for won in count..=trials {
        sum += term;
        let won = real(won);
        let step = (n - won) / (won + 1.0) * (won + a) / (n - won - 1.0 + b);
        term *= step;
        if step < 1.0 && term / (1.0 - step) < sum * 1e-16 {
            break;
        }
    }
    sum.min(1.0)
}

/// Pearson's χ² of counts against the shares that were to be expected (Pearson 1900), and the probability of a larger
/// one. Neighbouring classes are put together until each is expected to hold five (Cochran 1954).
///
/// # Errors
/// When the classes differ in number, nothing was counted, or no shares are expected.
pub fn chi_square(counts: &[u64], expected: &[f64]) -> Result<(f64, f64), CountError> {
    if counts.len() != expected.len() {
        return Err(CountError::Classes { counts: counts.len(), expected: expected.len() });
    }
    let (all, weight): (u64, f64) = (counts.iter().sum(), expected.iter().sum());
    if all == 0 {
        return Err(CountError::Nothing);
    }
    if weight.is_nan() || weight <= 0.0 || expected.iter().any(|share| share.is_nan() || *share < 0.0) {
        return Err(CountError::NoShares);
    }
    let scale = real(all) / weight;
    let mut classes: Vec<(f64, f64)> = Vec::with_capacity(counts.len());
    let (mut seen, mut due) = (0.0, 0.0);
    for (count, share) in counts.iter().zip(expected) {
        seen += real(*count);
        due += share * scale;
        if 5.0 <= due {
            classes.push((seen, due));
            (seen, due) = (0.0, 0.0);
        }
    }
    match classes.last_mut() {
        Some(last) => *last = (last.0 + seen, last.1 + due),
        None => classes.push((seen, due)),
    }
    let statistic: f64 = classes.iter().map(|(seen, due)| square(seen - due) / due).sum();
    let freedom = real(u64::try_from(classes.len()).unwrap_or(u64::MAX)) - 1.0;
    let p = if freedom < 1.0 { 1.0 } else { gamma_tails(freedom / 2.0, statistic / 2.0).1 };
    Ok((statistic, p))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are SciPy 1.17's.
    fn check(name: &str, value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-9, "{name}: {value} is not {expected}");
    }

    #[test]
    fn poisson_tails_are_those_of_the_tables() {
        for (count, mean, upper) in [
            (5, 1.2, 0.007_745_788_276_441_408),
            (20, 3.0, 8.314_423_588_191_718e-11),
            (7, 7.5, 0.621_845_305_676_530_6),
            (60, 2.0, 1.938_678_163_061_312e-65),
            (1, 0.001, 0.000_999_500_166_625_008_2),
        ] {
            check("Poisson", poisson_upper(count, mean), upper);
        }
        check("nothing", poisson_upper(0, 3.0), 1.0);
    }

    #[test]
    fn what_is_not_known_is_never_improbable() {
        check("Poisson", poisson_upper(9, f64::NAN), 1.0);
        check("binomial", binomial_upper(9, 10, f64::NAN), 1.0);
    }

    #[test]
    fn binomial_tails_are_those_of_the_tables() {
        for (count, trials, rate, upper) in
            [(8, 10, 0.5, 0.054_687_5), (20, 100, 0.05, 1.052_295_342_014_728_9e-7), (3, 3, 0.01, 1e-6)]
        {
            check("binomial", binomial_upper(count, trials, rate), upper);
        }
        assert!(binomial_upper(11, 10, 0.5) < f64::MIN_POSITIVE);
    }

    #[test]
    fn beta_binomial_tails_are_those_of_the_tables() {
        for (count, trials, a, b, upper) in [
            (5, 20, 2.0, 38.0, 0.014_279_895_051_373_614),
            (30, 200, 3.0, 97.0, 0.000_196_122_103_703_899_6),
            (10, 10, 1.0, 1.0, 0.090_909_090_909_090_91),
            (1, 50, 0.5, 99.0, 0.185_219_823_493_260_05),
        ] {
            check("beta-binomial", beta_binomial_upper(count, trials, RateSpread { a, b }), upper);
        }
    }

    #[test]
    fn chi_square_is_that_of_the_tables() {
        // Mendel's peas (1866): 315, 108, 101 and 32 where 9 : 3 : 3 : 1 was expected; χ² = 0.470.
        let (statistic, p) = chi_square(&[315, 108, 101, 32], &[9.0, 3.0, 3.0, 1.0]).unwrap();
        check("statistic", statistic, 0.470_023_980_815_347_7);
        check("p", p, 0.925_425_895_103_616);
        assert_eq!(chi_square(&[0, 0], &[1.0, 1.0]), Err(CountError::Nothing));
        assert_eq!(chi_square(&[1, 0], &[0.0, 0.0]), Err(CountError::NoShares));
        assert_eq!(chi_square(&[1], &[0.5, 0.5]), Err(CountError::Classes { counts: 1, expected: 2 }));
    }

    #[test]
    fn classes_that_expect_too_little_are_put_together() {
        let (statistic, p) = chi_square(&[1, 0, 1, 0, 2], &[1.0; 5]).unwrap();
        assert!(statistic.abs() < 1e-12 && (p - 1.0).abs() < 1e-12, "{statistic} {p}");
    }

    #[test]
    fn a_spread_is_found_again_in_what_was_drawn_from_it() {
        // Half of the sources convert 2 % and half 6 %: a mean of 4 % and a standard deviation of 2 points.
        let sources = (0..200).map(|source| if source % 2 == 0 { (40, 2_000) } else { (120, 2_000) });
        let spread = RateSpread::of(sources).unwrap();
        check("mean", spread.mean(), 0.04);
        let deviation = libm::sqrt(spread.mean() * (1.0 - spread.mean()) / (spread.a + spread.b + 1.0));
        assert!((deviation - 0.02).abs() < 0.001, "{deviation}");
        assert_eq!(RateSpread::of([(1, 10)].into_iter()), None);
        assert_eq!(RateSpread::of([(0, 10), (0, 20)].into_iter()), None);
    }
}
