//! Rates that follow value: examples that can be followed by hand, and what holds in every history.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod admissions;
mod decisions;
mod exploring;
mod histories;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_bound_is_broken_in_any_history(seed: u64) {
        let tally = histories::check(24, &mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert!(tally.is_ok(), "{}", tally.unwrap_err());
    }
}
