//! A policy replayed over what happened, period by period, with only what was known then.
//!
//! [`replay`] says which rates the policy would have paid. What these would have brought is told in two ways that are kept
//! apart: [`outcome`] lets conversions follow a fitted response to the rate, which is an assumption; [`judge_all`] estimates it
//! from decisions of which chance had a part, which takes their propensities and no such assumption.

mod history;
mod off_policy;
mod outcome;
mod replay;

pub use history::{History, HistoryError, Row};
pub use off_policy::{Estimate, GridError, Held, OffPolicy, grid, judge_all};
pub use outcome::{Outcome, elasticities, outcome};
pub use replay::{BacktestError, Decided, Plan, Replay, draw, replay};
