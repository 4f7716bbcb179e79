//! The older a touch is, the less credit it gets: half for every half-life.

use crate::attribution::{Journey, Rule};

/// Credit in proportion to 2^(−age / half-life), the age taken from the conversion backwards. Without times all touches
/// get the same.
#[derive(Clone, Copy, Debug)]
pub struct TimeDecay {
    name: &'static str,
    half_life_seconds: f64,
}

impl TimeDecay {
    /// The rule of the list: a half-life of 7 days.
    pub const WEEK: Self = Self::new("time_decay", 7 * 24 * 3600);

    /// A rule with another half-life and a name of its own.
    ///
    /// # Panics
    /// When the half-life is zero.
    #[must_use]
    pub const fn new(name: &'static str, half_life_seconds: u32) -> Self {
        assert!(half_life_seconds != 0, "a half-life is at least a second");
        Self { name, half_life_seconds: half_life_seconds as f64 }
    }
}

impl Rule for TimeDecay {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        "The older a click is, the less credit it gets: half as much for every half-life, which is 7 days unless said otherwise."
    }

    fn weigh(&self, journey: &Journey<'_>, weights: &mut [f64]) {
        // Ages count from the youngest touch: the proportions are the same, and old journeys do not vanish below f64.
        let youngest = journey.seconds_before.iter().copied().min().unwrap_or(0);
        weights.fill(1.0);
        for (weight, seconds) in weights.iter_mut().zip(journey.seconds_before) {
            // libm's exponential, because the platform's own may differ in its last bit.
            *weight = libm::exp2(-f64::from(seconds - youngest) / self.half_life_seconds);
        }
    }
}
