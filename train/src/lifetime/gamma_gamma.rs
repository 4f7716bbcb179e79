//! What a purchase is worth: the Gamma-Gamma model of spend (Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary
//! Value").

use rayon::prelude::*;

use super::{LifetimeError, Summary, special::digamma};
use crate::lbfgs::{Limits, Loss, minimum};

/// Summaries are added in chunks of this many, and the chunks in their order.
const CHUNK: usize = 4096;
/// What the squared logarithms of the parameters cost, beside the likelihood of all customers.
const PENALTY: f64 = 1e-4;
/// Below this the mean over all customers rests on a few of them, and at one there is none.
const LEAST_Q: f64 = 1.05;

/// Amounts of a customer are gamma distributed with shape `p` and a rate that is gamma distributed over customers with
/// shape `q` and rate `gamma`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    /// The shape of the amounts of one customer.
    pub p: f64,
    /// The shape of the customers' rates.
    pub q: f64,
    /// The rate of the customers' rates, an amount.
    pub gamma: f64,
    /// Whether the likelihood alone wanted a `q` whose mean is infinite or nearly so, and the mean was therefore held at
    /// the one that was seen.
    pub regularised: bool,
}

/// A customer who came back: purchases, their mean and its logarithm, in units of the mean of all.
struct Seen {
    x: f64,
    mean: f64,
    log_mean: f64,
}

impl GammaGamma {
    /// The parameters of the greatest likelihood, from those who came back. Where they have no finite mean (q ≤ 1), they
    /// are sought among those that have the mean which was seen.
    ///
    /// # Errors
    /// When nobody came back and paid.
    pub fn fit(summaries: &[Summary]) -> Result<Self, LifetimeError> {
        let paid = |it: &&Summary| 0.0 < it.mean_amount && 1.0 <= it.frequency;
        let count: f64 = summaries.iter().filter(paid).map(|it| it.frequency).sum();
        let total: f64 = summaries.iter().filter(paid).map(|it| it.frequency * it.mean_amount).sum();
        if count <= 0.0 {
            return Err(LifetimeError::NoRepeats(summaries.len()));
        }
        let unit = total / count;
        let seen = |it: &Summary| {
            let mean = it.mean_amount / unit;
            Seen { x: it.frequency, mean, log_mean: libm::log(mean) }
        };
        let seen: Vec<Seen> = summaries.iter().filter(paid).map(seen).collect();
        let limits = Limits { steps: 400, flat: 1e-13 };
        let start = [4.0, 4.0, 1.0].map(libm::log).to_vec();
        let free = minimum(|at| loss(&seen, at), start, &[0.1; 3], limits);
        let [p, q, gamma] = parameters(&free);
        if LEAST_Q < q {
            return Ok(Self { p, q, gamma: gamma * unit, regularised: false });
        }
        let held = minimum(|at| held_loss(&seen, at), vec![1.0, 0.0], &[0.1; 2], limits);
        let [p, q, gamma] = parameters(&free_of(&held));
        Ok(Self { p, q, gamma: gamma * unit, regularised: true })
    }

    /// The mean amount over all customers.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.p * self.gamma / (self.q - 1.0)
    }

    /// The amount that is expected of a customer's purchases: between the customer's own mean and that of all, nearer to
    /// the customer's with each purchase.
    #[must_use]
    pub fn expected_amount(&self, summary: &Summary) -> f64 {
        let own = self.p * summary.frequency;
        (own * summary.mean_amount + self.p * self.gamma) / (own + self.q - 1.0)
    }
}

fn parameters(logs: &[f64]) -> [f64; 3] {
    [0, 1, 2].map(|place| libm::exp(logs[place].clamp(-30.0, 30.0)))
}

/// ln p, ln q and ln γ of ln p and ln(q − q₀), so that the mean pγ / (q − 1) is one.
fn free_of(held: &[f64]) -> [f64; 3] {
    let above = LEAST_Q - 1.0 + libm::exp(held[1].clamp(-30.0, 30.0));
    [held[0], libm::log1p(above), libm::log(above) - held[0]]
}

fn held_loss(seen: &[Seen], held: &[f64]) -> Loss {
    let free = free_of(held);
    let Loss { value, gradient } = loss(seen, &free);
    let moved = libm::exp(held[1].clamp(-30.0, 30.0));
    let above = LEAST_Q - 1.0 + moved;
    let by_q = gradient[1] * moved / (1.0 + above) + gradient[2] * moved / above;
    Loss { value, gradient: vec![gradient[0] - gradient[2], by_q] }
}

/// The mean negative logarithm of the likelihood (equation 1a) with its derivatives by the logarithms.
fn loss(seen: &[Seen], logs: &[f64]) -> Loss {
    let [p, q, gamma] = parameters(logs);
    let (log_gamma_q, digamma_q, log_gamma) = (libm::lgamma(q), digamma(q), libm::log(gamma));
    let chunk = |rows: &[Seen]| {
        let (mut sum, mut x, mut lgammas, mut digammas) = ([0.0; 4], f64::NAN, 0.0, [0.0; 2]);
        for row in rows {
            let own = p * row.x;
            if row.x.total_cmp(&x).is_ne() {
                x = row.x;
                lgammas = libm::lgamma(own + q) - libm::lgamma(own) - log_gamma_q;
                digammas = [digamma(own + q), digamma(own)];
            }
            let log_all = libm::log(gamma + row.x * row.mean);
            let log_sum = row.log_mean + libm::log(row.x);
            sum[0] += lgammas + q * log_gamma + own * log_sum - row.log_mean - (own + q) * log_all;
            sum[1] += row.x * (digammas[0] - digammas[1] + log_sum - log_all);
            sum[2] += digammas[0] - digamma_q + log_gamma - log_all;
            sum[3] += q / gamma - (own + q) / (gamma + row.x * row.mean);
        }
        sum
    };
    let sums: Vec<[f64; 4]> = seen.par_chunks(CHUNK).map(chunk).collect();
    let total = seen.len() as f64;
    let of = |place: usize| sums.iter().map(|sum| sum[place]).sum::<f64>() / total;
    let (cost, parameters) = (PENALTY / total, [p, q, gamma]);
    let penalty: f64 = logs.iter().map(|log| cost * log * log).sum();
    let slope = |place: usize| 2.0 * cost * logs[place] - parameters[place] * of(place + 1);
    Loss { value: penalty - of(0), gradient: (0..3).map(slope).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::planted::{World, summaries};

    #[test]
    fn parameters_are_found_again() {
        let world = World { customers: 80_000, ..World::default() };
        let found = GammaGamma::fit(&summaries(&world.draw(5), 700)).unwrap();
        let known = world.gamma_gamma;
        assert!((found.p / known.p - 1.0).abs() < 0.05, "{found:?}");
        assert!((found.q / known.q - 1.0).abs() < 0.05, "{found:?}");
        assert!((found.mean() / known.mean() - 1.0).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn an_infinite_mean_is_held_at_the_one_that_was_seen() {
        let heavy = GammaGamma { p: 5.0, q: 0.7, gamma: 3.0, regularised: false };
        let world = World { customers: 4000, gamma_gamma: heavy, ..World::default() };
        let drawn = summaries(&world.draw(3), 700);
        let found = GammaGamma::fit(&drawn).unwrap();
        assert!(found.regularised && 1.0 < found.q, "{found:?}");
        let count: f64 = drawn.iter().map(|it| it.frequency).sum();
        let mean = drawn.iter().map(|it| it.frequency * it.mean_amount).sum::<f64>() / count;
        assert!((found.mean() / mean - 1.0).abs() < 1e-9, "{found:?} and {mean}");
    }

    #[test]
    fn gradients_are_slopes() {
        let row = |x: f64, mean: f64| Seen { x, mean, log_mean: libm::log(mean) };
        let seen = [row(1.0, 0.4), row(3.0, 1.2), row(9.0, 2.0)];
        let check = |loss: &dyn Fn(&[f64]) -> Loss, at: &[f64]| {
            for (place, slope) in loss(at).gradient.into_iter().enumerate() {
                let moved = |by: f64| {
                    let mut moved = at.to_vec();
                    moved[place] += by;
                    loss(&moved).value
                };
                let found = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((found - slope).abs() < 1e-8, "{place}: {found} and {slope}");
            }
        };
        check(&|at| loss(&seen, at), &[0.9, 1.1, 0.3]);
        check(&|at| held_loss(&seen, at), &[0.9, -0.4]);
    }
}
