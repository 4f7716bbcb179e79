//! Matching as a caller sees it.

mod assignment;
mod metrics;
mod places;
mod planted;
