//! Statistics that rules of fraud stand on: whether what a source does could be chance.
//!
//! [`sources`] makes the findings that the rules of single sources read; the rest are the tests it is made of. All of it
//! is computed with `libm`, so that a finding is the same to the last bit wherever it is made again.

mod discovery;
mod shapes;
pub mod sources;
mod special;
mod tails;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use discovery::adjusted;
pub use shapes::{Difference, anderson_darling, kolmogorov_smirnov, kolmogorov_upper};
pub use special::beta_lower;
pub use tails::{RateSpread, beta_binomial_upper, binomial_upper, chi_square, poisson_upper};

use crate::state::names;

/// How much more of something there was than chance explains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Excess {
    /// How many observations it is from.
    pub n: u64,
    /// What was seen: a count, a rate, or a statistic.
    pub seen: f64,
    /// What was to be expected of it.
    pub expected: f64,
    /// How probable so much is by chance.
    pub p: f64,
    /// The same, adjusted for all sources that were tested with it (Benjamini and Hochberg 1995).
    pub q: f64,
    /// Over how many seconds.
    pub window_seconds: u64,
}

names! {
    /// What is odd about the times from click to conversion.
    Oddity: "oddity of times" {
        /// Late as likely as soon, where others thin out: clicks that have nothing to do with the orders.
        Flat = "flat",
        /// Far more within ten seconds than others have: clicks that are sent when an order is seen coming.
        Spike = "spike",
        /// All nearly alike, as no crowd of people is: a script.
        Narrow = "narrow",
        /// Different from others, but in no way that fraud is known by.
        Other = "other",
    }
}

/// How the times from click to conversion of one source differ from those of the others in its campaign.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeShape {
    /// How many conversions of the source were looked at.
    pub n: u64,
    /// The largest distance between both distributions, from 0 to 1 (Kolmogorov and Smirnov's).
    pub distance: f64,
    /// How probable so large a distance is by chance.
    pub p: f64,
    /// The same, adjusted for all sources that were tested with it (Benjamini and Hochberg 1995).
    pub q: f64,
    /// In which way they differ.
    pub oddity: Oddity,
}

/// Counts that cannot be held against what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// Nothing stands beside something.
    #[error("{counts} counts cannot be compared with {expected} expected shares; give as many of both")]
    Classes {
        /// How many counts.
        counts: usize,
        /// How many shares.
        expected: usize,
    },
    /// There is nothing to compare.
    #[error("nothing was counted; wait for the first event")]
    Nothing,
    /// Nothing is expected anywhere.
    #[error(
        "the expected shares sum to nothing or hold one below zero; give shares of which one is above zero"
    )]
    NoShares,
}

/// A count as a real number; counts beyond 2⁵³ are rounded.
#[must_use]
pub(crate) fn real(count: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts 2⁵³ clicks, and statistics would not notice"
    )]
    let value = count as f64;
    value
}

/// The whole number nearest to a real one; zero for what is below.
#[must_use]
pub(crate) fn whole(value: f64) -> u64 {
    libm::round(value.max(0.0)) as u64
}
