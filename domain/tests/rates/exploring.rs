//! What is left to chance: how often, how far, and that its probability is told.

use std::collections::BTreeSet;

use domain::{
    Rate,
    commission::dynamic::{Exploring, Policy, RateReason, Standing},
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    decisions::{evidence, policy, rate, standing},
    histories,
};

fn exploring() -> Policy {
    Policy { exploring: Exploring { width: rate("2"), share: rate("20") }, ..policy() }
}

#[test]
fn a_fifth_of_the_draws_try_another_rate() {
    let tried = |draw: u32| {
        let decision = exploring().decide(&standing(), &evidence(), draw, histories::noon()).unwrap();
        (decision.next.to_string(), decision.propensity_ppm())
    };
    // 9.9 % would be hardly another rate than the 10 % of now; 10.5 % is the nearest that is.
    assert_eq!(tried(0), ("10.5%".to_owned(), 100_000));
    assert_eq!(tried(99_999), ("10.5%".to_owned(), 100_000));
    assert_eq!(tried(100_000), ("11.9%".to_owned(), 800_000));
    assert_eq!(tried(899_999), ("11.9%".to_owned(), 800_000));
    assert_eq!(tried(900_000), ("13.9%".to_owned(), 100_000));
}

#[test]
fn who_did_not_agree_is_not_tried() {
    let mut standing = standing();
    standing.contract.exploring = Rate { ppm: 0 };
    for draw in [0, 500_000, 999_999] {
        let decision = exploring().decide(&standing, &evidence(), draw, histories::noon()).unwrap();
        assert_eq!((decision.next, decision.propensity_ppm()), (rate("11.9"), 1_000_000));
        assert!(decision.parts.iter().all(|part| part.reason != RateReason::Exploration));
    }
}

#[test]
fn a_rate_to_which_bounds_lead_two_ways_has_the_probability_of_both() {
    let mut standing = standing();
    standing.contract.cap = rate("11.9");
    let decision = exploring().decide(&standing, &evidence(), 999_999, histories::noon()).unwrap();
    assert_eq!((decision.next, decision.propensity_ppm()), (rate("11.9"), 900_000));
}

proptest! {
    #[test]
    fn the_probabilities_of_all_rates_sum_to_one(seed: u64) {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let (policy, contract) = (histories::policy(&mut chance), histories::contract(&mut chance));
        let (evidence, standing) = (histories::evidence(&mut chance), Standing::new(contract, contract.cap));
        let share = policy.exploring.share.ppm;
        let mut chosen = BTreeSet::new();
        for draw in [0, share / 2, 999_999] {
            let decision = policy.decide(&standing, &evidence, draw, histories::noon()).unwrap();
            prop_assert_eq!(decision.choices.iter().map(|choice| choice.propensity_ppm).sum::<u32>(), 1_000_000);
            prop_assert!(decision.choices.is_sorted_by(|one, other| one.rate < other.rate));
            prop_assert!(decision.choices.iter().any(|choice| choice.rate == decision.next));
            chosen.insert((decision.next, decision.propensity_ppm()));
            // Whatever chance says, the choices are the same, and each of them is chosen by some throw.
            prop_assert!(chosen.len() <= decision.choices.len());
        }
        let decision = policy.decide(&standing, &evidence, 0, histories::noon()).unwrap();
        let told: BTreeSet<_> = decision.choices.iter().map(|choice| (choice.rate, choice.propensity_ppm)).collect();
        prop_assert_eq!(chosen, told);
    }
}
