//! What a partner is worth: what its customers brought, as far as that says something, and what partners of its kind bring
//! otherwise.
//!
//! A customer's value is zero or, with some probability, lognormal; the probability, the mean and the spread of a partner's
//! customers are each drawn towards those of its traffic source, as strongly as partners of one source are alike (empirical
//! Bayes; Morris 1983, "Parametric Empirical Bayes Inference"). Sources are drawn towards each other in the same way. So a
//! partner with three customers is near its source, and one with three thousand stands for itself.

mod churn;
mod effects;
mod mix;
mod profile;
mod shares;
mod tiers;
mod widening;
mod worth;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod widening_tests;

pub use churn::{Leaving, churn_ratios};
pub use mix::{Efforts, Mix, Mixes, Sold};
pub use tiers::{Chances, Tier, TierError, Tiers};
pub use widening::{Foresight, Widening};
pub use worth::{Partner, Posterior, Worth, WorthError, Worths, fit};
