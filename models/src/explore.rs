//! Places that chance fills now and then, with the chance that it had: what policies are judged by later needs both.

use crate::best::{Eligible, Scored};

/// A place of a list, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Who has the place.
    pub item: u32,
    /// Its score.
    pub score: f64,
    /// The chance that it would have this place, given the places before it.
    pub propensity: f64,
    /// Whether chance filled the place.
    pub explored: bool,
}

/// Where chance comes from.
pub trait Draw {
    /// A number from 0 to below 1.
    fn unit(&mut self) -> f64;
    /// A whole number below `length`, all alike.
    fn index(&mut self, length: usize) -> usize;
}

/// A rate that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the rate of exploration is {0}, and must be from 0 to 1")]
pub struct RateError(pub f64);

/// Fills as many places as `best` has from the first on: each with the first of the best that is left, or, with probability `rate`,
/// with any of the eligible that are left, all alike. Whoever is eligible has a chance above zero at each place wherever
/// `rate` is. `score` is asked of those alone whom chance chose.
///
/// # Errors
/// When the rate is no probability.
pub fn fill(
    best: &[Scored],
    eligible: &Eligible,
    rate: f64,
    draw: &mut impl Draw,
    score: impl Fn(u32) -> f64,
) -> Result<Vec<Shown>, RateError> {
    if !(0.0..=1.0).contains(&rate) {
        return Err(RateError(rate));
    }
    let mut left = Eligible::clone(eligible);
    let mut count = left.count();
    let mut shown: Vec<Shown> = Vec::with_capacity(best.len());
    // As many of the best as there are places: at most as many can be taken by chance before they are needed.
    while shown.len() < best.len() && 0 < count {
        let taken = |item: u32, shown: &[Shown]| shown.iter().any(|place| place.item == item);
        let Some(first) = best.iter().find(|scored| !taken(scored.item, &shown)) else { break };
        let explored = draw.unit() < rate;
        let item = if explored { nth(&left, draw.index(count)) } else { first.item };
        let by_chance = rate / count as f64;
        let propensity = by_chance + if item == first.item { 1.0 - rate } else { 0.0 };
        let known = best.iter().find(|scored| scored.item == item);
        let score = known.map_or_else(|| score(item), |scored| scored.score);
        left.remove(item as usize);
        count -= 1;
        shown.push(Shown { item, score, propensity, explored });
    }
    Ok(shown)
}

/// The eligible of this number, counted from zero.
fn nth(eligible: &Eligible, mut number: usize) -> u32 {
    for (at, word) in eligible.words().iter().enumerate() {
        let here = word.count_ones() as usize;
        if number < here {
            let rest = (0..number).fold(*word, |left, _| left & (left - 1));
            return at as u32 * 64 + rest.trailing_zeros();
        }
        number -= here;
    }
    unreachable!("a number below the count of the eligible is one of theirs")
}
