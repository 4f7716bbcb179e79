//! Sessions: a version proves itself before it scores, requests that arrive together are scored together, and a new
//! champion takes over while requests run.

mod batch;
mod check;
mod error;
mod graph;
mod joined;
mod serving;
mod trees;

#[cfg(test)]
mod tests;

pub use batch::{Answer, Run, ScoreError, Settings};
pub use check::{Examined, examine};
pub use error::{LoadCause, LoadError, Step};
pub use serving::{Current, PollError, Polled, Serving};
