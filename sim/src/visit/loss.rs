//! What tracking never sees, and why. Published estimates of the loss lie between 15 and 40 % of conversions.

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// Why a journey's traces are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A blocker lets no click or impression through; the order arrives as if nobody had sent the customer.
    Blocker,
    /// The browser throws the cookie away: each visit seems to be another's, and the order names no click.
    Prevention,
    /// The visitor consents to nothing: no device, no session on the order, and no click.
    Consent,
    /// The visitor buys on another device than the one that they clicked on.
    CrossDevice,
}

/// Which share of honest journeys is lost, by cause; the usual quarter lies within what is published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    /// Of [`Cause::Blocker`].
    pub blocker: f64,
    /// Of [`Cause::Prevention`].
    pub prevention: f64,
    /// Of [`Cause::Consent`].
    pub consent: f64,
    /// Of [`Cause::CrossDevice`].
    pub cross_device: f64,
}

impl Default for Losses {
    fn default() -> Self {
        Self::of(0.25)
    }
}

impl Losses {
    /// So much loss in all, divided among the causes in the usual proportions (chosen).
    #[must_use]
    pub fn of(total: f64) -> Self {
        Self {
            blocker: 0.28 * total,
            prevention: 0.32 * total,
            consent: 0.20 * total,
            cross_device: 0.20 * total,
        }
    }

    /// The loss in all.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.by_cause().iter().map(|(_, share)| share).sum()
    }

    /// The share of each cause.
    #[must_use]
    pub fn by_cause(&self) -> [(Cause, f64); 4] {
        [
            (Cause::Blocker, self.blocker),
            (Cause::Prevention, self.prevention),
            (Cause::Consent, self.consent),
            (Cause::CrossDevice, self.cross_device),
        ]
    }

    /// Whether a journey is lost, and why.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Option<Cause> {
        let mut luck = dice.unit();
        for (cause, share) in self.by_cause() {
            if luck < share {
                return Some(cause);
            }
            luck -= share;
        }
        None
    }
}
