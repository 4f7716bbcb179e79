//! Matching as a caller sees it.

mod assignment;
mod market;
mod metrics;
mod places;
mod planted;
