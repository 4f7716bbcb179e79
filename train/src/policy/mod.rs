//! Rates judged: what a policy would have brought, from decisions that another one made, and in a world whose truth is known.
//!
//! Decisions of which chance had a part are logged with how probable each was. From them [`judge`] estimates what another
//! policy would have brought, with intervals, and refuses where the log says too little. [`backtest`] replays a policy over what
//! happened, with only what was known then. [`simulation`] lets policies live through the same months in a world that knows what
//! each partner is worth. Both feed the policy with [`evidence`] from histories, and decide at one [`desk`].

pub mod backtest;
pub mod desk;
mod estimate;
pub mod evidence;
mod judge;
mod log;
mod outcome;
pub mod response;
pub mod simulation;
mod surrogate;
pub mod tiers;

#[cfg(test)]
mod logs;
#[cfg(test)]
mod tests;

pub use estimate::{ESTIMATORS, Estimator};
pub use judge::{Interval, Judgement, Settings, Small, Support, judge, judge_by_surrogate};
pub use log::{Candidate, Log, LogError};
pub use outcome::{Contexts, cross_fitted};
pub use surrogate::Surrogate;

/// The rate as a fraction.
pub(crate) fn fraction(rate: domain::Rate) -> f64 {
    f64::from(rate.ppm) / 1e6
}
