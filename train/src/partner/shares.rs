//! Which share of a partner's tries succeeds, drawn towards its source's: a beta distribution updated by what was seen.

use super::effects::Moment;

/// How many of how many succeeded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) source: usize,
    pub(super) successes: f64,
    pub(super) tries: f64,
}

/// Each source's usual share, and how alike partners of a source are.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    sources: Vec<f64>,
    /// As many tries as the source's share counts for.
    strength: f64,
}

const ROUNDS: usize = 4;
/// As many tries the share of all counts for in a source's.
const TRIES_OF_ALL: f64 = 20.0;

impl Shares {
    /// Fits by the likelihood of the beta-binomial distribution (Skellam 1948).
    pub(super) fn fit(seen: &[Seen], sources: usize) -> Self {
        let mut shares = Self { sources: vec![0.5; sources], strength: 20.0 };
        for _ in 0..ROUNDS {
            shares.sources = usual(seen, sources, shares.strength);
            let usual = shares.sources.clone();
            let likelihood = |log: f64| {
                let strength = libm::exp(log);
                seen.iter().map(|one| one.log_likelihood(usual[one.source], strength)).sum::<f64>()
            };
            shares.strength = libm::exp(highest(likelihood, 0.0, 12.0));
        }
        shares
    }

    /// The partner's share, of which nothing is known before its tries but its source's.
    pub(super) fn posterior(&self, seen: &Seen) -> f64 {
        let usual = self.sources[seen.source];
        (seen.successes + usual * self.strength) / (seen.tries + self.strength)
    }

    /// The logarithm of the partner's share: that of the lognormal distribution with the mean and the variance of the updated
    /// beta distribution (Aitchison and Brown 1957). The logarithm of a beta distribution that is mostly next to nothing has
    /// a variance so large that a lognormal distribution with it would have a mean above any share.
    pub(super) fn log_posterior(&self, source: usize, successes: f64, tries: f64) -> Moment {
        let all = tries + self.strength;
        let share = (successes + self.sources[source] * self.strength) / all;
        let variance = libm::log1p((1.0 - share) / (share * (all + 1.0)));
        Moment { mean: libm::log(share) - variance / 2.0, variance }
    }
}

impl Seen {
    fn log_likelihood(&self, usual: f64, strength: f64) -> f64 {
        let (yes, no) = (usual * strength, (1.0 - usual) * strength);
        log_beta(self.successes + yes, self.tries - self.successes + no) - log_beta(yes, no)
    }
}

/// Each source's share, in which large partners count for no more than they are unlike others.
fn usual(seen: &[Seen], sources: usize, strength: f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); sources];
    let mut all = (1.0, 2.0);
    for one in seen.iter().filter(|one| 0.0 < one.tries) {
        let weight = strength / (strength + one.tries);
        for sum in [&mut sums[one.source], &mut all] {
            sum.0 += weight * one.successes;
            sum.1 += weight * one.tries;
        }
    }
    let of_all = all.0 / all.1;
    sums.into_iter().map(|(yes, tries)| (yes + TRIES_OF_ALL * of_all) / (tries + TRIES_OF_ALL)).collect()
}

fn log_beta(one: f64, other: f64) -> f64 {
    libm::lgamma(one) + libm::lgamma(other) - libm::lgamma(one + other)
}

/// Where the function, which has one hill, is highest (golden section, Kiefer 1953).
fn highest(hill: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let part = 0.618_033_988_749_894_9;
    let (mut left, mut right) = (high - part * (high - low), low + part * (high - low));
    let (mut of_left, mut of_right) = (hill(left), hill(right));
    for _ in 0..40 {
        if of_left < of_right {
            (low, left, of_left) = (left, right, of_right);
            right = low + part * (high - low);
            of_right = hill(right);
        } else {
            (high, right, of_right) = (right, left, of_left);
            left = high - part * (high - low);
            of_left = hill(left);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_that_bring_nothing_make_a_share_small_and_never_more_than_its_mean() {
        let shares = Shares { sources: vec![0.01], strength: 3.0 };
        let mut before = 1.0;
        for tries in [0.0, 1.0, 10.0, 100.0, 1_000.0, 1e6] {
            let Moment { mean, variance } = shares.log_posterior(0, 0.0, tries);
            let expected = libm::exp(mean + variance / 2.0);
            assert!((expected - 0.03 / (tries + 3.0)).abs() < 1e-12, "{tries}: {expected}");
            assert!(expected < before && expected < libm::exp(mean + 1.645 * variance.sqrt()));
            before = expected;
        }
        // Where much was seen it is the logarithm's own variance.
        let seen = shares.log_posterior(0, 400.0, 10_000.0);
        assert!((seen.variance - 1.0 / 400.0).abs() < 2e-4, "{}", seen.variance);
    }
}
