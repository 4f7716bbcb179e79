//! Time and chance are arguments: the only file that asks the machine what time it is or for a random byte.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// What time it is: the machine's clock in production, a hand-moved one in tests and replays.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `at` until it is moved; clones share the same hands.
    #[must_use]
    pub fn standing_at(at: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(at.timestamp_micros()))))
    }

    /// The time now, in UTC, with microseconds (what Postgres keeps).
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.0 {
            Source::System => system_micros(),
            Source::Manual(hands) => hands.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).expect("a clock's microseconds are within chrono's range")
    }

    /// Moves a standing clock by `by`; the machine's clock cannot be moved and ignores it.
    pub fn advance(&self, by: TimeDelta) {
        if let (Source::Manual(hands), Some(micros)) = (&self.0, by.num_microseconds()) {
            hands.fetch_add(micros, Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn system_micros() -> i64 {
    Utc::now().timestamp_micros()
}

/// Where random bytes come from: the machine in production, a seed in tests and reproducible jobs.
#[derive(Clone, Debug)]
pub struct Chance(Dice);

#[derive(Clone, Debug)]
enum Dice {
    System,
    Seeded(Arc<Mutex<ChaCha20Rng>>),
}

impl Chance {
    /// Cryptographically strong bytes, from a generator of each thread's own (no lock is shared).
    #[must_use]
    pub fn system() -> Self {
        Self(Dice::System)
    }

    /// The same bytes for the same seed, on every machine and in every version (ChaCha20).
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Dice::Seeded(Arc::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))))
    }

    /// The next `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A whole number in `0..limit`; zero when `limit` is zero.
    #[must_use]
    pub fn below(&self, limit: u64) -> u64 {
        match &self.0 {
            _ if limit == 0 => 0,
            Dice::System => system_dice().random_range(0..limit),
            Dice::Seeded(dice) => dice.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..limit),
        }
    }

    fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Dice::System => system_dice().fill_bytes(bytes),
            Dice::Seeded(dice) => dice.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that takes the machine's randomness")]
fn system_dice() -> impl Rng {
    rand::rng()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_clock_moves_only_by_hand_and_for_all_its_clones() {
        let noon = DateTime::from_timestamp(1_769_947_200, 0).unwrap();
        let clock = Clock::standing_at(noon);
        let same_hands = clock.clone();
        clock.advance(TimeDelta::seconds(90));
        assert_eq!(same_hands.now(), noon + TimeDelta::seconds(90));
    }

    #[test]
    fn the_same_seed_gives_the_same_chance() {
        let (once, again) = (Chance::seeded(7), Chance::seeded(7));
        assert_eq!(once.bytes::<16>(), again.bytes::<16>());
        assert_eq!(once.below(1_000), again.below(1_000));
        assert_ne!(Chance::seeded(8).bytes::<16>(), Chance::seeded(7).bytes::<16>());
    }
}
