//! BG/NBD and Gamma-Gamma against worked cases and against their own definitions.

use models::graph::lifetime::{BgNbd, GammaGamma, Histories};
use proptest::prelude::*;

use crate::running::{Answers, refusal, run_on, same};

/// A customer: purchases after the first, days to the last, days since the first, mean amount.
type Customer = [f64; 4];

fn answers((bg_nbd, gamma_gamma): (BgNbd, GammaGamma), span: f64, customers: &[Customer]) -> Answers {
    run_on((4, customers.as_flattened()), |graph, x| {
        let mut column = |place| graph.columns(x, &[place]);
        let [frequency, recency, age, mean_amount] = [column(0)?, column(1)?, column(2)?, column(3)?];
        let known = Histories { frequency, recency, age, mean_amount };
        let purchases = bg_nbd.add(graph, &known, span)?;
        let amount = gamma_gamma.add(graph, &known)?;
        Ok(vec![
            ("expected", purchases.expected),
            ("p_alive", purchases.p_alive),
            ("rate", purchases.rate),
            ("amount", amount),
        ])
    })
}

/// The parameters that the paper found for CDNOW's customers, in weeks.
const PAPER: BgNbd = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
const AMOUNTS: GammaGamma = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };

#[test]
fn the_papers_customers_are_expected_to_do_what_the_papers_say() {
    // Fader, Hardie and Lee 2005, note on implementation: x = 2, tx = 30.43, T = 38.86, t = 39 weeks. Fader and Hardie 2013:
    // customers of CDNOW who bought once are expected to pay about the mean of all, 35.2.
    let said = answers((PAPER, AMOUNTS), 39.0, &[[2.0, 30.43, 38.86, 20.0], [0.0, 0.0, 38.86, f64::NAN]]);
    same(&said["expected"][..1], &[1.2260], 2e-4);
    same(&said["amount"][1..], &[6.25 * 15.44 / 2.74], 1e-12);
    same(&said["p_alive"][1..], &[1.0], 0.0);
    let paid = (6.25 * 2.0 * 20.0 + 6.25 * 15.44) / (6.25 * 2.0 + 2.74);
    same(&said["amount"][..1], &[paid], 1e-12);
}

/// The expectation as an integral over the chance `p` to leave (Fader, Hardie and Lee 2005, section 4.2): a customer who
/// is there buys `(1 − (1 + p t / (α + T))^−(r + x)) / p` times. Substituted so that neither end of the beta density is
/// singular, and summed by Simpson's rule.
fn integral(of: BgNbd, [x, recency, age, _]: Customer, span: f64) -> f64 {
    let (a, b, shape) = (of.a, of.b + x, of.r + x);
    let log_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let inner = |p: f64| -libm::expm1(-shape * libm::log1p(p * span / (of.alpha + age))) / p;
    // p = e^u / (1 + e^u) makes of the beta density p^a (1 − p)^b du.
    let (from, to, steps) = (-120.0 / a.min(2.0), 80.0 / b.min(2.0), 400_000);
    let width = (to - from) / f64::from(steps);
    let sum: f64 = (0..=steps)
        .map(|step| {
            let u = from + width * f64::from(step);
            let (log_p, log_rest) = (-libm::log1p(libm::exp(-u)), -libm::log1p(libm::exp(u)));
            let weight = if step == 0 || step == steps { 1.0 } else { [2.0, 4.0][step as usize % 2] };
            weight * libm::exp(a * log_p + b * log_rest - log_beta) * inner(libm::exp(log_p))
        })
        .sum();
    let silence = libm::pow((of.alpha + age) / (of.alpha + recency), shape);
    let stays = if x < 1.0 { 1.0 } else { 1.0 / (1.0 + of.a / (of.b + x - 1.0) * silence) };
    stays * sum * width / 3.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn expectations_are_their_integral(
        (r, alpha, a, b) in (0.05_f64..3.0, 1.0_f64..90.0, 0.2_f64..4.0, 0.2_f64..6.0),
        (x, age, part) in (0_u32..40, 0.0_f64..900.0, 0.0_f64..1.0),
        span in 7.0_f64..400.0,
    ) {
        // Around one the formula is a difference of numbers that are nearly equal.
        let a = if (a - 1.0).abs() < 1e-3 { 1.002 } else { a };
        let bg_nbd = BgNbd { r, alpha, a, b };
        let recency = if x == 0 { 0.0 } else { part * age };
        let customer = [f64::from(x), recency, age, 10.0];
        let said = answers((bg_nbd, AMOUNTS), span, &[customer]);
        same(&said["expected"], &[integral(bg_nbd, customer, span)], 1e-7);
        same(&said["rate"], &[(r + f64::from(x)) / (alpha + age)], 1e-12);
    }
}

#[test]
fn many_purchases_stay_finite() {
    let said = answers((PAPER, AMOUNTS), 520.0, &[[5000.0, 700.0, 700.0, 5.0], [0.0, 0.0, 0.0, 0.0]]);
    assert!(said.values().flatten().all(|number| number.is_finite() && 0.0 <= *number));
    assert!(500.0 < said["expected"][0]);
}

#[test]
fn parameters_without_meaning_are_refused() {
    let add = |bg_nbd: BgNbd, gamma_gamma: GammaGamma| {
        refusal(4, move |graph, x| {
            let mut column = |place| graph.columns(x, &[place]);
            let [frequency, recency, age, mean_amount] = [column(0)?, column(1)?, column(2)?, column(3)?];
            let known = Histories { frequency, recency, age, mean_amount };
            gamma_gamma.add(graph, &known)?;
            bg_nbd.add(graph, &known, 365.0).map(|_| ())
        })
    };
    let endless = add(PAPER, GammaGamma { q: 0.9, ..AMOUNTS });
    assert!(endless.contains("has no finite mean"), "{endless}");
    let nothing = add(BgNbd { a: 0.0, ..PAPER }, AMOUNTS);
    assert!(nothing.contains("is not all above zero"), "{nothing}");
    let slow = add(BgNbd { alpha: 1e-4, ..PAPER }, AMOUNTS);
    assert!(slow.contains("more than 8192 terms"), "{slow}");
}
