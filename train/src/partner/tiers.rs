//! Gold, Silver and Bronze by how probable it is that a partner is worth it, so that nobody flips with every month's luck.

use super::Posterior;

/// A partner's tier, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Everybody else.
    Bronze,
    /// Worth more than the lower boundary.
    Silver,
    /// Worth more than the upper boundary.
    Gold,
}

/// How probable each tier is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chances {
    /// Of being worth less than the lower boundary.
    pub bronze: f64,
    /// Of being worth something between.
    pub silver: f64,
    /// Of being worth more than the upper boundary.
    pub gold: f64,
}

/// Where tiers begin, and how sure one must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tiers {
    silver: f64,
    gold: f64,
    rise: f64,
    fall: f64,
}

/// Boundaries that cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TierError {
    /// Boundaries out of order.
    #[error("silver begins at {silver} and gold at {gold}; both must be above 0, and silver the lower one")]
    Order {
        /// Where silver begins.
        silver: f64,
        /// Where gold begins.
        gold: f64,
    },
    /// A rise that is easier than staying.
    #[error("a partner rises at a probability of {rise} and falls below {fall}; ask for 0 < fall < rise < 1")]
    Hysteresis {
        /// The probability to rise.
        rise: f64,
        /// The probability to stay.
        fall: f64,
    },
}

impl Tiers {
    /// Tiers that begin at these worths (or returns, where posteriors are [`Posterior::per`] cost). A partner rises to a
    /// tier when it belongs there or above with a probability of `rise`, and keeps it while that is at least `fall`.
    ///
    /// # Errors
    /// When boundaries or probabilities are out of order.
    pub fn new(silver: f64, gold: f64, rise: f64, fall: f64) -> Result<Self, TierError> {
        let in_order = 0.0 < silver && silver < gold && gold.is_finite();
        if !in_order {
            return Err(TierError::Order { silver, gold });
        }
        let hysteretic = 0.0 < fall && fall < rise && rise < 1.0;
        if !hysteretic {
            return Err(TierError::Hysteresis { rise, fall });
        }
        Ok(Self { silver: libm::log(silver), gold: libm::log(gold), rise, fall })
    }

    /// How probable each tier is.
    #[must_use]
    pub fn chances(&self, worth: &Posterior) -> Chances {
        let (silver, gold) = (worth.chance_above(self.silver), worth.chance_above(self.gold));
        Chances { bronze: 1.0 - silver, silver: silver - gold, gold }
    }

    /// The tier from now on, after `now`.
    #[must_use]
    pub fn next(&self, now: Tier, worth: &Posterior) -> Tier {
        let reached = |sure: f64| match () {
            () if sure <= worth.chance_above(self.gold) => Tier::Gold,
            () if sure <= worth.chance_above(self.silver) => Tier::Silver,
            () => Tier::Bronze,
        };
        now.clamp(reached(self.rise), reached(self.fall))
    }
}
