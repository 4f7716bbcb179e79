//! Postbacks that partners asked for: what happens to their conversions is told to the addresses that they entered, at least
//! once each, and again later where an address does not answer.

pub mod attempt;
pub mod courier;
mod schedule;
pub mod telling;
#[cfg(test)]
pub mod testing;
