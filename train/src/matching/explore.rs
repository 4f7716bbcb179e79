//! Places that chance fills now and then, with the chance that it had: what policies are judged by later needs both.

use crate::anomaly::dice::Dice;

use super::{
    MatchingError,
    top::{Eligible, Scored},
};

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

/// Fills as many places as `best` has from the first on: each with the first of them that is left, or, with probability
/// `rate`, with any of the eligible that are left, all alike. Whoever is eligible has a chance above zero at each place
/// wherever `rate` is.
///
/// # Errors
/// When the rate is no probability.
pub fn fill(
    best: &[Scored],
    scores: &[f64],
    eligible: &Eligible,
    rate: f64,
    dice: (u64, u64),
) -> Result<Vec<Shown>, MatchingError> {
    if !(0.0..=1.0).contains(&rate) {
        let allowed = "from 0 to 1";
        return Err(MatchingError::Setting {
            what: "the rate of exploration in list",
            number: 0,
            value: rate,
            allowed,
        });
    }
    let mut dice = Dice::new(dice.0, dice.1);
    let mut left: Vec<u32> = eligible.iter().map(|item| item as u32).collect();
    let mut shown: Vec<Shown> = Vec::with_capacity(best.len());
    // As many of the best as there are places: at most as many can be taken by chance before they are needed.
    while shown.len() < best.len() && !left.is_empty() {
        let taken = |item: u32, shown: &[Shown]| shown.iter().any(|place| place.item == item);
        let Some(first) = best.iter().find(|scored| !taken(scored.item, &shown)) else { break };
        let explored = dice.unit() < rate;
        let item = if explored { left[dice.index(left.len())] } else { first.item };
        let by_chance = rate / left.len() as f64;
        let propensity = by_chance + if item == first.item { 1.0 - rate } else { 0.0 };
        left.retain(|other| *other != item);
        shown.push(Shown { item, score: scores[item as usize], propensity, explored });
    }
    Ok(shown)
}
