//! How far a count may lie from what was planted: as far as chance alone explains.

/// Asserts that `count` of `of` agrees with a probability, within five standard deviations of the binomial (one run in
/// two million would fail by chance, and the seed is fixed).
pub(crate) fn agrees(count: u64, of: u64, probability: f64) {
    let (count, of) = (crate::dice::real(count), crate::dice::real(of));
    let deviation = (of * probability * (1.0 - probability)).sqrt();
    let off = (count - of * probability).abs();
    assert!(off <= 5.0 * deviation + 1.0, "{count} of {of} is {:.4}, not {probability}", count / of);
}
