//! Who really caused an order. What visits do together is a game in which each set of visits has a value: the
//! probability that somebody who made these visits, and no others, buys. A visit's credit is its Shapley value
//! (Shapley 1953), which is the one division that treats equals alike, gives nothing to who does nothing, and sums to
//! the whole; what is bought without any visit is organic.

use domain::money::largest_remainder;

use super::path::MOST;
use crate::{
    dice::{size, whole},
    world::{affiliate::Source, campaign::Together},
};

/// Nobody buys for certain.
const CERTAIN: f64 = 0.95;

/// What two visits of different kinds add to each other: this part of the weaker one.
const SYNERGY: f64 = 0.6;

/// How much more a visit counts when another came before it.
const PREPARED: f64 = 1.5;

/// The visits of one journey and what they do.
#[derive(Clone, Debug)]
pub(crate) struct Game {
    pub(crate) together: Together,
    /// The probability of an order without any visit.
    pub(crate) organic: f64,
    /// For each visit in order: what it does alone, and what kind it is.
    pub(crate) visits: Vec<(f64, Source)>,
}

/// The credit for one order in parts per million, which sum to a million.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credit {
    pub(crate) organic_ppm: u32,
    /// For each visit in order.
    pub(crate) visits_ppm: Vec<u32>,
}

impl Game {
    /// The probability of an order after these visits (the bits of `set`) alone.
    pub(crate) fn value(&self, set: usize) -> f64 {
        let chosen = || self.visits.iter().enumerate().filter(move |(place, _)| set >> place & 1 == 1);
        let alone: f64 = chosen().map(|(_, (effect, _))| effect).sum();
        let more = match self.together {
            Together::Additive => 0.0,
            Together::Order => chosen().skip(1).map(|(_, (effect, _))| effect * (PREPARED - 1.0)).sum(),
            Together::Synergy => {
                let pairs = chosen().flat_map(|(place, one)| {
                    chosen().filter(move |(other, _)| place < *other).map(move |(_, two)| (one, two))
                });
                let unlike = pairs.filter(|(one, two)| one.1 != two.1);
                unlike.map(|(one, two)| SYNERGY * one.0.min(two.0)).sum()
            }
        };
        (self.organic + alone + more).min(CERTAIN)
    }

    /// The probability of an order after all visits.
    pub(crate) fn probability(&self) -> f64 {
        self.value((1 << self.visits.len()) - 1)
    }

    /// The credit that each visit has for an order after all of them.
    pub(crate) fn credit(&self) -> Credit {
        let values = self.shapley();
        let scaled = |value: f64| whole(value.max(0.0) * 1e12);
        let weights: Vec<u64> = std::iter::once(self.value(0)).chain(values).map(scaled).collect();
        let parts = largest_remainder(1_000_000, &weights);
        let mut parts =
            parts.into_iter().map(|part| u32::try_from(part).expect("a part of a million fits into 32 bits"));
        Credit { organic_ppm: parts.next().unwrap_or(0), visits_ppm: parts.collect() }
    }

    /// Each visit's Shapley value in the probability of an order.
    fn shapley(&self) -> Vec<f64> {
        let count = self.visits.len().min(MOST);
        let values: Vec<f64> = (0..1_usize << count).map(|set| self.value(set)).collect();
        let orders = |of: usize| (1..=of).map(size).product::<f64>();
        let weight = |others: usize| orders(others) * orders(count - others - 1) / orders(count);
        let weights: Vec<f64> = (0..count).map(weight).collect();
        let share = |place: usize| {
            let without = (0..values.len()).filter(|set| set >> place & 1 == 0);
            let adds = without
                .map(|set| weights[set.count_ones() as usize] * (values[set | 1 << place] - values[set]));
            adds.sum()
        };
        (0..count).map(share).collect()
    }
}

impl Credit {
    /// The credit of an order that nobody caused, after so many visits.
    pub(crate) fn of_nobody(visits: usize) -> Self {
        Self { organic_ppm: 1_000_000, visits_ppm: vec![0; visits] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn game(together: Together, visits: &[(f64, Source)]) -> Game {
        Game { together, organic: 0.01, visits: visits.to_vec() }
    }

    fn check(together: Together, visits: &[(f64, Source)], organic_ppm: u32, visits_ppm: &[u32]) {
        let credit = game(together, visits).credit();
        assert_eq!(credit, Credit { organic_ppm, visits_ppm: visits_ppm.to_vec() });
    }

    #[test]
    fn a_lone_visit_shares_with_nobody_but_chance() {
        check(Together::Additive, &[(0.03, Source::Blog)], 250_000, &[750_000]);
    }

    #[test]
    fn additive_visits_get_what_they_add() {
        check(
            Together::Additive,
            &[(0.02, Source::Blog), (0.01, Source::Blog)],
            250_000,
            &[500_000, 250_000],
        );
    }

    #[test]
    fn a_visit_that_does_nothing_gets_nothing() {
        check(Together::Synergy, &[(0.03, Source::Blog), (0.0, Source::Coupon)], 250_000, &[750_000, 0]);
    }

    #[test]
    fn synergy_is_shared_by_the_two_who_have_it() {
        // 0.01 organic, 0.02 each alone, 0.012 together: half of it for each.
        check(
            Together::Synergy,
            &[(0.02, Source::Blog), (0.02, Source::Email)],
            161_290,
            &[419_355, 419_355],
        );
    }

    #[test]
    fn who_prepares_the_ground_shares_what_it_brings() {
        // The second alone is worth 0.02, and 0.03 after the first: half of the difference is the first one's.
        let credit = game(Together::Order, &[(0.02, Source::Blog), (0.02, Source::Blog)]).credit();
        assert!(credit.visits_ppm.iter().all(|ppm| (416_666..=416_667).contains(ppm)), "{credit:?}");
    }

    fn by_permutations(game: &Game, place: usize, order: &mut Vec<usize>) -> (f64, f64) {
        if order.len() == game.visits.len() {
            let before = order.iter().take_while(|one| **one != place).fold(0, |set, one| set | 1 << one);
            return (game.value(before | 1 << place) - game.value(before), 1.0);
        }
        let mut sum = (0.0, 0.0);
        for next in 0..game.visits.len() {
            if !order.contains(&next) {
                order.push(next);
                let (value, count) = by_permutations(game, place, order);
                sum = (sum.0 + value, sum.1 + count);
                order.pop();
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn credit_is_the_mean_over_all_orders_and_sums_to_the_whole(
            visits in prop::collection::vec((0.0..0.2_f64, 0..8_usize), 0..5),
            form in 0..3_usize,
        ) {
            let visits: Vec<_> = visits.into_iter().map(|(effect, source)| (effect, Source::ALL[source])).collect();
            let together = [Together::Additive, Together::Synergy, Together::Order][form];
            let game = game(together, &visits);
            let shapley = game.shapley();
            for (place, value) in shapley.iter().enumerate() {
                let (sum, count) = by_permutations(&game, place, &mut Vec::new());
                prop_assert!((sum / count - value).abs() < 1e-12);
            }
            let whole = game.value(0) + shapley.iter().sum::<f64>();
            prop_assert!((whole - game.probability()).abs() < 1e-12);
            let credit = game.credit();
            prop_assert_eq!(credit.organic_ppm + credit.visits_ppm.iter().sum::<u32>(), 1_000_000);
        }
    }
}
