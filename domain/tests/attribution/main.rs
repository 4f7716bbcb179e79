//! Every attribution model against worked cases of other people, against brute force, and against what must hold always.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod brute;
mod expected;
mod money;
mod orders;
mod properties;
mod sampled;
mod synthetic;
mod vectors;

use domain::attribution::{Chunk, Credit, Statistics};

/// Statistics of a chunk.
fn seen<S: Statistics>(mut statistics: S, journeys: &Chunk<'_>) -> S {
    statistics.add(journeys);
    statistics
}

/// Fails unless both numbers agree to 1e-9, of their size where they are large.
#[track_caller]
fn near(found: f64, expected: f64) {
    let off = (found - expected).abs();
    assert!(off <= 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}

#[track_caller]
fn near_credit(found: &[Credit], expected: &[Credit]) {
    for channel in 0..found.len().max(expected.len()) {
        let of = |credit: &[Credit]| credit.get(channel).copied().unwrap_or_default();
        near(of(found).conversions, of(expected).conversions);
        near(of(found).value, of(expected).value);
    }
}
