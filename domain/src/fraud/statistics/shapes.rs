//! Whether two samples come from one distribution.

use super::real;

/// How two samples differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The test's statistic.
    pub statistic: f64,
    /// How probable one as large is when both come from one distribution.
    pub p: f64,
}

/// The two-sided test of Kolmogorov and Smirnov (1948) on two samples in ascending order: the largest distance between
/// their distribution functions, and its asymptotic probability with Stephens' correction for small samples (1970). With
/// ties the probability is too large, never too small. None when a sample is empty.
#[must_use]
pub fn kolmogorov_smirnov(one: &[i64], other: &[i64]) -> Option<Difference> {
    let (n, m) = (length(one), length(other));
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < one.len() && j < other.len() {
        let value = one[i].min(other[j]);
        i += count_of(value, &one[i..]);
        j += count_of(value, &other[j..]);
        distance = distance.max((place(i) / n - place(j) / m).abs());
    }
    let root = libm::sqrt(n * m / (n + m));
    let p = kolmogorov_upper((root + 0.12 + 0.11 / root) * distance);
    Some(Difference { statistic: distance, p })
}

/// How often a value begins the sorted sample.
fn count_of(value: i64, sample: &[i64]) -> usize {
    sample.iter().take_while(|it| **it == value).count()
}

fn length(sample: &[i64]) -> f64 {
    place(sample.len())
}

fn place(place: usize) -> f64 {
    real(u64::try_from(place).unwrap_or(u64::MAX))
}

/// The probability that Kolmogorov's limiting variable (1933) is above `x`.
#[must_use]
pub fn kolmogorov_upper(x: f64) -> f64 {
    if x <= 0.05 {
        return 1.0;
    }
    // Where one series converges slowly the other, which is the same function transformed, needs three terms.
    if x < 1.18 {
        let power = -core::f64::consts::PI * core::f64::consts::PI / (8.0 * x * x);
        let sum: f64 = [1.0, 9.0, 25.0, 49.0].iter().map(|odd| libm::exp(odd * power)).sum();
        return 1.0 - libm::sqrt(2.0 * core::f64::consts::PI) / x * sum;
    }
    let term = |step: f64| libm::exp(-2.0 * step * step * x * x);
    (2.0 * (term(1.0) - term(2.0) + term(3.0) - term(4.0))).clamp(0.0, 1.0)
}

/// Standard deviation of the limit of A² under the null: √(2(π² − 9)/3).
const LIMIT_DEVIATION: f64 = 0.761_401_467_846_6;

/// The test of Anderson and Darling on two samples in ascending order, as Scholz and Stephens (1987, equation 7) extended
/// it to ties: it weighs the ends of the distribution, where Kolmogorov and Smirnov's hardly looks. The probability is
/// that of the limiting distribution, as Marsaglia and Marsaglia (2004) approximate it. None when both samples together
/// have fewer than four values, or no two different ones.
#[must_use]
pub fn anderson_darling(one: &[i64], other: &[i64]) -> Option<Difference> {
    let (n, m) = (length(one), length(other));
    let all = n + m;
    if one.is_empty() || other.is_empty() || all < 4.0 {
        return None;
    }
    let (mut i, mut j, mut sum, mut different) = (0, 0, 0.0, 0);
    while i < one.len() || j < other.len() {
        let value = [one.get(i), other.get(j)].into_iter().flatten().min().copied()?;
        let (mine, theirs) = (count_of(value, &one[i..]), count_of(value, &other[j..]));
        let (ties, below) = (place(mine + theirs), place(i + j));
        let middle = below + ties / 2.0;
        let spread = middle * (all - middle) - all * ties / 4.0;
        let gap = all * (place(i) + place(mine) / 2.0) - middle * n;
        // The other sample's gap is the same with the other sign, so that both terms are one.
        if 0.0 < spread {
            sum += ties / all * gap * gap / spread * (1.0 / n + 1.0 / m);
        }
        different += 1;
        i += mine;
        j += theirs;
    }
    if different < 2 {
        return None;
    }
    let statistic = ((all - 1.0) / all * sum - 1.0) / libm::sqrt(anderson_variance(n, m));
    Some(Difference { statistic, p: anderson_upper(1.0 + statistic * LIMIT_DEVIATION) })
}

/// The variance of A² for two samples (Scholz and Stephens 1987, equation 4).
fn anderson_variance(n: f64, m: f64) -> f64 {
    let all = n + m;
    let big_h = 1.0 / n + 1.0 / m;
    let (mut h, mut g, mut step) = (0.0, 0.0, all - 1.0);
    // g is the sum over i < j < N of 1 / ((N − i) j), gathered from the inside out.
    let mut inner = 0.0;
    while 1.5 < step {
        inner += 1.0 / step;
        g += inner / (all - step + 1.0);
        step -= 1.0;
    }
    h += inner + 1.0;
    let a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * big_h;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * big_h - 8.0 * h + 4.0 * g - 6.0;
    let c =
        (6.0 * h + 2.0 * g - 2.0) * 4.0 + (4.0 * h - 4.0 * g + 6.0) * 2.0 + (2.0 * h - 6.0) * big_h + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    let numerator = ((a * all + b) * all + c) * all + d;
    numerator / ((all - 1.0) * (all - 2.0) * (all - 3.0))
}

/// The probability that the limit of A² is above `z`.
fn anderson_upper(z: f64) -> f64 {
    /// Beyond it the approximation falls too fast; the true tail falls by a factor of e at most for each unit.
    const END: f64 = 8.0;
    if z <= 0.0 {
        return 1.0;
    }
    if z < 2.0 {
        let polynomial = 2.000_12
            + (0.247_105 - (0.064_982_1 - (0.034_796_2 - (0.011_672 - 0.001_686_91 * z) * z) * z) * z) * z;
        return 1.0 - libm::exp(-1.233_714_1 / z) / libm::sqrt(z) * polynomial;
    }
    let at = z.min(END);
    let polynomial =
        1.077_6 - (2.306_95 - (0.434_24 - (0.082_433 - (0.008_056 - 0.000_314_6 * at) * at) * at) * at) * at;
    -libm::expm1(-libm::exp(polynomial)) * libm::exp(at - z)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [i64; 10] = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20];
    const OTHER: [i64; 12] = [7, 9, 15, 22, 24, 26, 28, 30, 32, 34, 36, 38];

    fn close(value: f64, expected: f64, tolerance: f64) {
        assert!((value / expected - 1.0).abs() < tolerance, "{value} is not {expected}");
    }

    #[test]
    fn kolmogorovs_distribution_is_that_of_the_tables() {
        for (x, upper) in [
            (0.5, 0.963_945_243_664_875_1),
            (0.827_57, 0.500_005_590_516_114_3),
            (1.358_1, 0.049_999_630_431_667_4),
            (1.627_6, 0.010_001_537_333_060_776),
            (3.0, 3.045_995_948_942_526e-8),
        ] {
            close(kolmogorov_upper(x), upper, 1e-9);
        }
    }

    #[test]
    fn the_distance_of_two_samples_is_the_largest_between_their_functions() {
        let difference = kolmogorov_smirnov(&ONE, &OTHER).unwrap();
        close(difference.statistic, 0.75, 1e-12);
        // SciPy's exact probability is 0.00136; the corrected limit is 0.0021.
        assert!((0.001..0.003).contains(&difference.p), "{}", difference.p);
        assert_eq!(kolmogorov_smirnov(&ONE, &[]), None);
        let same = kolmogorov_smirnov(&ONE, &ONE).unwrap();
        assert!(same.statistic.abs() < 1e-12 && 0.999 < same.p);
    }

    #[test]
    fn anderson_and_darlings_statistic_is_that_of_scholz_and_stephens() {
        // SciPy 1.17, anderson_ksamp: 5.297322844703636 with p = 0.0027, and with ties 0.8515265468894458 with p = 0.146.
        let difference = anderson_darling(&ONE, &OTHER).unwrap();
        close(difference.statistic, 5.297_322_844_703_636, 1e-9);
        close(difference.p, 0.002_7, 0.05);
        let tied = anderson_darling(&[1, 1, 2, 2, 3, 5, 8], &[2, 2, 3, 3, 4, 4, 9, 9]).unwrap();
        close(tied.statistic, 0.851_526_546_889_445_8, 1e-9);
        close(tied.p, 0.146, 0.05);
        assert_eq!(anderson_darling(&[1, 1], &[1, 1]), None);
    }

    #[test]
    fn the_limit_of_a_squared_has_the_critical_values_of_the_tables() {
        // Marsaglia and Marsaglia 2004: the upper 10, 5 and 1 % points are 1.933, 2.492 and 3.857.
        for (z, upper) in [(1.933, 0.1), (2.492, 0.05), (3.857, 0.01)] {
            close(anderson_upper(z), upper, 0.03);
        }
        let far: Vec<f64> = (2..60).map(|z| anderson_upper(f64::from(z))).collect();
        assert!(far.is_sorted_by(|near, next| next < near));
    }
}
