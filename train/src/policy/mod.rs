//! Rates judged: what a policy would have brought, from decisions that another one made, and in a world whose truth is known.
//!
//! Decisions of which chance had a part are logged with how probable each was. From them [`judge`] estimates what another
//! policy would have brought, with intervals, and refuses where the log says too little. [`simulation`] lets policies live
//! through the same months in a world that knows what each partner is worth.

mod estimate;
mod judge;
mod log;
mod outcome;
pub mod simulation;
mod surrogate;

#[cfg(test)]
mod logs;
#[cfg(test)]
mod tests;

pub use estimate::{ESTIMATORS, Estimator};
pub use judge::{Interval, Judgement, Settings, Small, Support, judge, judge_by_surrogate};
pub use log::{Candidate, Log, LogError};
pub use outcome::{Contexts, cross_fitted};
pub use surrogate::Surrogate;
