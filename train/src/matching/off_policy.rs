//! What lists would have brought, from a log of what other lists showed with known chances.
//!
//! A row of the log is a place that showed an item, with the chance that it would. The lists that are judged fill such a
//! place with each of their items by a known chance. [`crate::policy`] has the estimators, their intervals over users, and
//! when a log says too little.

use std::collections::BTreeMap;

use crate::policy::{Candidate, ESTIMATORS, Judgement, Log, LogError, Settings, Small, judge};

/// Into how many parts users are parted, so that nobody's own rows say what is expected of them.
const FOLDS: usize = 5;
/// So many rows of an item count as much as what all items have in common.
const USUAL: f64 = 10.0;
/// A smaller chance makes a row count for too many.
const LEAST_CHANCE: f64 = 1e-3;

/// A place that showed something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logged {
    /// Whom it was shown to.
    pub user: u32,
    /// What was shown.
    pub item: u32,
    /// The chance that the place showed it, above 0 and up to 1.
    pub propensity: f64,
    /// What came of it.
    pub value: f64,
}

/// What a place would have brought, by each of [`ESTIMATORS`], where `chances` says with which chance a user's place shows
/// which item: items in order, adding up to one. The doubly robust one expects of an item its mean with other users, drawn
/// towards that of all.
///
/// # Errors
/// When a chance cannot be meant or is too small, or the log has too little in common with the lists.
pub fn estimate(
    log: &[Logged],
    chances: impl Fn(u32) -> Vec<(u32, f64)>,
) -> Result<Vec<Judgement>, LogError> {
    let folds: Vec<Expected> = (0..FOLDS).map(|fold| Expected::without(log, fold)).collect();
    let mut of_users: BTreeMap<u32, (Vec<(u32, f64)>, f64)> = BTreeMap::new();
    // Of each row the item that was shown, and all others as one: nothing else is looked at.
    let (mut probabilities, mut predicted) = (Vec::new(), Vec::new());
    for row in log {
        let expected = &folds[row.user as usize % FOLDS];
        let (chances, all) = of_users.entry(row.user).or_insert_with(|| {
            let chances = chances(row.user);
            let all = chances.iter().map(|(item, chance)| chance * expected.of(*item)).sum();
            (chances, all)
        });
        let place = chances.binary_search_by_key(&row.item, |it| it.0);
        let chance = place.map_or(0.0, |at| chances[at].1.min(1.0));
        let own = expected.of(row.item);
        let others = if chance < 1.0 { (*all - chance * own) / (1.0 - chance) } else { 0.0 };
        probabilities.extend([chance, 1.0 - chance]);
        predicted.extend([own, others]);
    }
    let users: Vec<u32> = log.iter().map(|row| row.user).collect();
    let propensities: Vec<f64> = log.iter().map(|row| row.propensity).collect();
    let rewards: Vec<f64> = log.iter().map(|row| row.value).collect();
    let actions = vec![0; log.len()];
    let log =
        Log { partners: &users, actions: &actions, propensities: &propensities, rewards: &rewards, rates: 2 };
    let lists = Candidate { probabilities: &probabilities, predicted: &predicted };
    let settings = Settings { small: Small::Refuse(LEAST_CHANCE), ..Settings::default() };
    ESTIMATORS.iter().map(|estimator| judge(&settings, &log, &lists, estimator)).collect()
}

/// What is expected of items.
struct Expected {
    items: BTreeMap<u32, f64>,
    usual: f64,
}

impl Expected {
    /// By the users of other parts.
    fn without(log: &[Logged], fold: usize) -> Self {
        let others = || log.iter().filter(|row| row.user as usize % FOLDS != fold);
        let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for row in others() {
            let sum = sums.entry(row.item).or_default();
            *sum = (sum.0 + 1.0, sum.1 + row.value);
        }
        let (count, sum) = sums.values().fold((0.0, 0.0), |all, it| (all.0 + it.0, all.1 + it.1));
        let usual = sum / f64::max(count, 1.0);
        let drawn = |(count, sum): (f64, f64)| (sum + USUAL * usual) / (count + USUAL);
        Self { items: sums.into_iter().map(|(item, sum)| (item, drawn(sum))).collect(), usual }
    }

    fn of(&self, item: u32) -> f64 {
        self.items.get(&item).copied().unwrap_or(self.usual)
    }
}
