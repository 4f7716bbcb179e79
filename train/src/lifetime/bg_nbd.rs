//! Who buys again, and who has left for good: the BG/NBD model (Fader, Hardie and Lee 2005, "Counting Your Customers the
//! Easy Way").

use rayon::prelude::*;

use super::{
    LifetimeError, Summary,
    special::{digamma, hypergeometric, log_sum},
};
use crate::lbfgs::{Limits, Loss, minimum};

/// Summaries are added in chunks of this many, and the chunks in their order.
const CHUNK: usize = 2048;
/// What the squared logarithms of the parameters cost, beside the likelihood of all customers.
const PENALTY: f64 = 1e-4;

/// Customers buy at rates that are gamma distributed (shape `r`, rate `alpha`), and leave after a purchase with
/// probabilities that are beta distributed (`a`, `b`). Times have the unit of the summaries that it was fitted on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    /// The shape of the buying rates.
    pub r: f64,
    /// The rate of the buying rates, a time.
    pub alpha: f64,
    /// The first parameter of the chances to leave.
    pub a: f64,
    /// The second one.
    pub b: f64,
}

/// Equal histories and how many customers have them.
struct Counted {
    x: f64,
    recency: f64,
    age: f64,
    count: f64,
}

impl BgNbd {
    /// The parameters of the greatest likelihood.
    ///
    /// # Errors
    /// When nobody came back: nothing can then be said of the time between purchases.
    pub fn fit(summaries: &[Summary]) -> Result<Self, LifetimeError> {
        let counted = counted(summaries);
        let total: f64 = counted.iter().map(|it| it.count).sum();
        let repeats: f64 = counted.iter().map(|it| it.count * it.x).sum();
        if repeats <= 0.0 {
            return Err(LifetimeError::NoRepeats(summaries.len()));
        }
        let ages: f64 = counted.iter().map(|it| it.count * it.age).sum();
        let start = [0.5, f64::max(0.5 * ages / repeats, 1e-6), 0.8, 2.5].map(libm::log).to_vec();
        let limits = Limits { steps: 400, flat: 1e-13 };
        let found = minimum(|at| loss(&counted, total, at), start, &[0.1; 4], limits);
        Ok(Self::at(&found))
    }

    fn at(logs: &[f64]) -> Self {
        let [r, alpha, a, b] = [0, 1, 2, 3].map(|place| libm::exp(logs[place].clamp(-30.0, 30.0)));
        Self { r, alpha, a, b }
    }

    /// The logarithm of a customer's likelihood (equation 6).
    #[must_use]
    pub fn log_likelihood(&self, summary: &Summary) -> f64 {
        let x = summary.frequency;
        self.of_count(x).0 + log_sum(self.active(x, summary.age), self.left(x, summary.recency))
    }

    /// What the likelihood has in common for all who bought as often, and its derivatives by the four parameters.
    fn of_count(&self, x: f64) -> (f64, [f64; 4]) {
        let Self { r, alpha, a, b } = *self;
        let value = libm::lgamma(r + x) - libm::lgamma(r) + r * libm::log(alpha) + libm::lgamma(b + x)
            - libm::lgamma(a + b + x)
            - libm::lgamma(b)
            + libm::lgamma(a + b);
        let both = digamma(a + b) - digamma(a + b + x);
        let slopes = [
            digamma(r + x) - digamma(r) + libm::log(alpha),
            r / alpha,
            both,
            digamma(b + x) - digamma(b) + both,
        ];
        (value, slopes)
    }

    /// The logarithm of what says that the customer is still there.
    fn active(&self, x: f64, age: f64) -> f64 {
        -(self.r + x) * libm::log(self.alpha + age)
    }

    /// The logarithm of what says that the customer left after the last purchase; nobody leaves at the first.
    fn left(&self, x: f64, recency: f64) -> f64 {
        if x < 1.0 {
            return f64::NEG_INFINITY;
        }
        libm::log(self.a / (self.b + x - 1.0)) - (self.r + x) * libm::log(self.alpha + recency)
    }

    /// The chance that a customer has not left. It is one for those who bought once: nobody leaves before a purchase
    /// after the first.
    #[must_use]
    pub fn p_alive(&self, summary: &Summary) -> f64 {
        let (x, active) = (summary.frequency, self.active(summary.frequency, summary.age));
        libm::exp(active - log_sum(active, self.left(x, summary.recency)))
    }

    /// The buying rate that is expected of a customer who has not left.
    #[must_use]
    pub fn rate(&self, summary: &Summary) -> f64 {
        (self.r + summary.frequency) / (self.alpha + summary.age)
    }

    /// How many purchases are expected of a customer in the next `span` of time (equation 10, after Euler's transformation
    /// of the hypergeometric function, which keeps both factors of its product in bounds).
    #[must_use]
    pub fn expected_purchases(&self, summary: &Summary, span: f64) -> f64 {
        let (Self { r, alpha, b, .. }, x) = (*self, summary.frequency);
        // At one the formula is 0 / 0, and continuous around it.
        let a = if (self.a - 1.0).abs() < 1e-6 { 1.0 + 1e-6 } else { self.a };
        let both = a + b + x - 1.0;
        let both = if both.abs() < 1e-9 { 1e-9 } else { both };
        let z = span / (alpha + summary.age + span);
        let series = hypergeometric(a + b - 1.0 - r, a - 1.0, both, z);
        let stays = libm::exp((a - 1.0) * libm::log1p(-z)) * series;
        f64::max(both / (a - 1.0) * (1.0 - stays), 0.0) * self.p_alive(summary)
    }
}

/// Histories that occur, each once.
fn counted(summaries: &[Summary]) -> Vec<Counted> {
    let key = |it: &Summary| [it.frequency, it.recency, it.age];
    let mut keys: Vec<[f64; 3]> = summaries.iter().map(key).collect();
    let order = |one: &[f64; 3], other: &[f64; 3]| {
        let pairs = one.iter().zip(other);
        pairs
            .map(|(one, other)| one.total_cmp(other))
            .fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    };
    keys.sort_unstable_by(order);
    let same = keys.chunk_by(|one, other| order(one, other).is_eq());
    same.map(|same| Counted { x: same[0][0], recency: same[0][1], age: same[0][2], count: same.len() as f64 })
        .collect()
}

/// The mean negative logarithm of the likelihood with its derivatives by the logarithms of the parameters.
fn loss(counted: &[Counted], total: f64, logs: &[f64]) -> Loss {
    let model = BgNbd::at(logs);
    let chunk = |rows: &[Counted]| {
        let (mut sum, mut x, mut shared) = ([0.0; 5], f64::NAN, (0.0, [0.0; 4]));
        for row in rows {
            if row.x.total_cmp(&x).is_ne() {
                x = row.x;
                shared = model.of_count(x);
            }
            model.add(row, &shared, &mut sum);
        }
        sum
    };
    let sums: Vec<[f64; 5]> = counted.par_chunks(CHUNK).map(chunk).collect();
    let of = |place: usize| sums.iter().map(|sum| sum[place]).sum::<f64>() / total;
    let cost = PENALTY / total;
    let parameters = [model.r, model.alpha, model.a, model.b];
    let penalty: f64 = logs.iter().map(|log| cost * log * log).sum();
    let slope = |place: usize| 2.0 * cost * logs[place] - parameters[place] * of(place + 1);
    Loss { value: penalty - of(0), gradient: (0..4).map(slope).collect() }
}

impl BgNbd {
    fn add(&self, row: &Counted, (value, slopes): &(f64, [f64; 4]), sum: &mut [f64; 5]) {
        let (active, left) = (self.active(row.x, row.age), self.left(row.x, row.recency));
        let both = log_sum(active, left);
        let (stays, leaves) = (libm::exp(active - both), libm::exp(left - both));
        let [until_now, until_last] = [self.alpha + row.age, self.alpha + row.recency];
        let last = if row.x < 1.0 { 0.0 } else { leaves / (self.b + row.x - 1.0) };
        sum[0] += row.count * (value + both);
        let by = [
            -stays * libm::log(until_now) - leaves * libm::log(until_last),
            -(self.r + row.x) * (stays / until_now + leaves / until_last),
            leaves / self.a,
            -last,
        ];
        for place in 0..4 {
            sum[place + 1] += row.count * (slopes[place] + by[place]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::planted::{World, summaries};

    const KNOWN: BgNbd = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };

    fn summary(frequency: f64, recency: f64, age: f64) -> Summary {
        Summary { frequency, recency, age, mean_amount: 0.0 }
    }

    #[test]
    fn the_papers_customer_is_expected_to_buy_as_the_paper_says() {
        // Fader, Hardie and Lee 2005, in their note on implementation: x = 2, tx = 30.43, T = 38.86, t = 39 weeks.
        let expected = KNOWN.expected_purchases(&summary(2.0, 30.43, 38.86), 39.0);
        assert!((expected - 1.2260).abs() < 2e-4, "{expected}");
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let histories = counted(&[summary(0.0, 0.0, 9.0), summary(3.0, 5.0, 9.0), summary(1.0, 2.0, 30.0)]);
        let at = [-0.3, 0.8, 0.1, 0.9];
        let gradient = loss(&histories, 3.0, &at).gradient;
        for place in 0..4 {
            let moved = |by: f64| {
                let mut moved = at;
                moved[place] += by;
                loss(&histories, 3.0, &moved).value
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-8, "{place}: {slope} and {}", gradient[place]);
        }
    }

    #[test]
    fn expectations_agree_with_what_is_drawn() {
        // A day here is an hour or two elsewhere, so that hardly any two purchases fall on one.
        let bg_nbd = BgNbd { r: 0.6, alpha: 240.0, a: 1.2, b: 4.0 };
        let world = World { customers: 40_000, joining_days: 3600.0, days: 7200, bg_nbd, ..World::default() };
        let drawn = world.draw(11);
        let found = BgNbd::fit(&summaries(&drawn, 4800)).unwrap();
        for (known, found) in [(bg_nbd.r, found.r), (bg_nbd.alpha, found.alpha)] {
            assert!((found / known - 1.0).abs() < 0.06, "{found} is not near {known}");
        }
        let mean = |it: BgNbd| it.a / (it.a + it.b);
        assert!((mean(found) - mean(bg_nbd)).abs() < 0.02, "{found:?}");
        let everybody = drawn.known_at(4800);
        let expected: f64 =
            summaries(&drawn, 4800).iter().map(|it| bg_nbd.expected_purchases(it, 2400.0)).sum();
        let bought =
            |customer: &usize| drawn.until(*customer, 7200).len() - drawn.until(*customer, 4800).len();
        let bought: usize = everybody.iter().map(bought).sum();
        assert!((expected / bought as f64 - 1.0).abs() < 0.04, "{expected} expected, {bought} bought");
    }

    #[test]
    fn many_purchases_and_long_spans_stay_finite() {
        for x in [0.0, 1.0, 300.0, 5000.0] {
            let history = summary(x, 600.0, 700.0);
            let mut last = 0.0;
            for span in [0.0, 1e-6, 1.0, 365.0, 1e5] {
                let expected = KNOWN.expected_purchases(&history, span);
                assert!(last <= expected && expected.is_finite(), "{x} {span}: {expected} after {last}");
                last = expected;
            }
            assert!((0.0..=1.0).contains(&KNOWN.p_alive(&history)));
        }
    }

    #[test]
    fn where_nobody_came_back_nothing_is_fitted() {
        assert_eq!(BgNbd::fit(&[summary(0.0, 0.0, 5.0)]), Err(LifetimeError::NoRepeats(1)));
    }
}
