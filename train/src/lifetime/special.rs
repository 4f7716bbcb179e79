//! Functions that likelihoods are made of: log-gamma's slope, the logarithm of a sum, and Gauss's hypergeometric series.

/// The derivative of the logarithm of the gamma function, for arguments above zero: stepped up to where the asymptotic
/// series holds (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18).
pub(super) fn digamma(argument: f64) -> f64 {
    let (mut at, mut below) = (argument, 0.0);
    while at < 10.0 {
        below += 1.0 / at;
        at += 1.0;
    }
    let square = 1.0 / (at * at);
    let series = square
        * (1.0 / 12.0
            - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square * (1.0 / 240.0 - square / 132.0))));
    libm::log(at) - 0.5 / at - series - below
}

/// The logarithm of a sum of two numbers that are given by their logarithms; −∞ stands for zero.
pub(super) fn log_sum(one: f64, other: f64) -> f64 {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    if high.is_finite() { high + libm::log1p(libm::exp(low - high)) } else { high }
}

/// ₂F₁(a, b; c; z) by its series, for 0 ≤ z < 1 and a c that is no whole number below one.
pub(super) fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    /// Beyond this z must be within 10⁻⁵ of one, where what is left out does not show.
    const MOST_TERMS: u32 = 2_000_000;
    let (mut term, mut sum) = (1.0, 1.0);
    for place in 0..MOST_TERMS {
        let k = f64::from(place);
        term *= (a + k) * (b + k) / ((c + k) * (k + 1.0)) * z;
        sum += term;
        if term.abs() <= 1e-16 * f64::abs(sum) {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: f64, known: f64) {
        assert!((found - known).abs() <= 1e-12 * known.abs().max(1.0), "{found} is not {known}");
    }

    #[test]
    fn the_slope_of_log_gamma_is_known_at_one_and_at_a_half() {
        check(digamma(1.0), -0.577_215_664_901_532_9);
        check(digamma(0.5), -0.577_215_664_901_532_9 - 2.0 * std::f64::consts::LN_2);
        check(digamma(123.5) - digamma(122.5), 1.0 / 122.5);
    }

    #[test]
    fn the_series_has_its_elementary_cases() {
        check(hypergeometric(1.0, 1.0, 2.0, 0.5), 2.0 * std::f64::consts::LN_2);
        check(hypergeometric(0.3, 1.7, 1.7, 0.9), libm::pow(0.1, -0.3));
        check(hypergeometric(-2.0, 3.0, 4.0, 0.25), 1.0 - 0.375 + 0.0375);
    }

    #[test]
    fn sums_of_logarithms_do_not_overflow() {
        check(log_sum(1000.0, 1000.0), 1000.0 + std::f64::consts::LN_2);
        check(log_sum(f64::NEG_INFINITY, -3.0), -3.0);
        assert!(log_sum(f64::NEG_INFINITY, f64::NEG_INFINITY).is_infinite());
    }
}
