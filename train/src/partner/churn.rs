//! How many of a partner's customers leave, beside those of the whole program.

use super::shares::{Seen, Shares};

/// How many of a partner's customers have left.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// The number of its traffic source.
    pub source: usize,
    /// How many have left.
    pub left: u64,
    /// Of how many it is known.
    pub of: u64,
}

/// The share of customers who leave, of each partner over that of all, drawn towards the partner's source as far as its
/// customers are few; 1 for everybody where nobody left. `sources` is how many sources there are.
#[must_use]
pub fn churn_ratios(partners: &[Leaving], sources: usize) -> Vec<f64> {
    let seen = |it: &Leaving| Seen { source: it.source, successes: it.left as f64, tries: it.of as f64 };
    let all: Vec<Seen> = partners.iter().map(seen).collect();
    let (left, of) = partners.iter().fold((0, 0), |sum, it| (sum.0 + it.left, sum.1 + it.of));
    if left == 0 {
        return vec![1.0; partners.len()];
    }
    let shares = Shares::fit(&all, sources);
    all.iter().map(|it| shares.posterior(it) * of as f64 / left as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_customers_say_little_of_who_leaves() {
        let usual = (0..40).map(|place| Leaving { source: place % 2, left: 18 + place as u64 % 5, of: 40 });
        let mut partners: Vec<Leaving> = usual.collect();
        partners.push(Leaving { source: 0, left: 3, of: 3 });
        partners.push(Leaving { source: 0, left: 600, of: 600 });
        partners.push(Leaving { source: 1, left: 0, of: 0 });
        let ratios = churn_ratios(&partners, 2);
        let program = 1_400.0 / 2_203.0;
        assert!((ratios[41] * program - 1.0).abs() < 0.1, "{}", ratios[41]);
        assert!(ratios[40] < ratios[41] && ratios[42] < ratios[40]);
        assert!(churn_ratios(&[Leaving { source: 0, left: 0, of: 9 }], 1) == [1.0]);
    }
}
