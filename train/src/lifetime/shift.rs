//! What moves between the windows that are learned from and the customers that are predicted: ages, features and levels.

use super::{Snapshot, Transactions, features::Anchor};
use crate::anomaly::matrix::Values;

/// Ages are compared in this many groups of equal size.
const GROUPS: usize = 10;
/// Bounds of what a row counts for its age.
const WEIGHTS: (f64, f64) = (0.25, 4.0);
/// A column is set aside where more than this part of its values has left what was seen.
const MOST_OUTSIDE: f64 = 0.5;
/// How many forecasts of totals are looked back on.
const MOST_FORECASTS: u32 = 6;

/// How the rows that are predicted differ from those that were learned from.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The population stability index of ages over ten groups: below 0.1 they are alike, above 0.25 they are not.
    pub age_index: f64,
    /// Of each feature and numeric attribute, the part of values that lies outside of what was seen.
    pub outside: Vec<(String, f64)>,
    /// The columns that were therefore not learned from.
    pub set_aside: Vec<String>,
}

/// How well totals were foretold before, and what follows from it for the next forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Of each earlier forecast by BG/NBD and Gamma-Gamma, fitted with what was known then: the cutoff, and the
    /// logarithm of what was spent over what was foretold.
    pub forecasts: Vec<(i32, f64)>,
    /// How many days each foretold.
    pub days: u32,
    /// What totals are multiplied with: one, unless the mean of the logarithms is beyond doubt (by Student's t, at 95 %);
    /// then e to that mean less the part of it that their variance explains (James and Stein 1961).
    pub correction: f64,
}

impl Moved {
    pub(super) fn between(
        learned: &[(String, Values)],
        (learned_ages, now): (&[f64], &Snapshot),
        ages: &[f64],
    ) -> Self {
        let outside: Vec<(String, f64)> = learned
            .iter()
            .zip(&now.columns)
            .filter_map(|((name, seen), (_, values))| Some((name.clone(), part_outside(seen, values)?)))
            .collect();
        let left = outside.iter().filter(|(_, part)| MOST_OUTSIDE < *part);
        let set_aside = left.map(|(name, _)| name.clone()).collect();
        let [learned, now] = shares(learned_ages, ages);
        let both = learned.iter().zip(&now).map(|(one, other)| (other - one) * libm::log(other / one));
        Self { age_index: both.sum(), outside, set_aside }
    }
}

/// The part of the numbers that lies outside of all but the farthest hundredth of those that were seen.
fn part_outside(seen: &Values, values: &Values) -> Option<f64> {
    let (Values::Numbers(seen), Values::Numbers(values)) = (seen, values) else { return None };
    let mut seen: Vec<f64> = seen.iter().copied().filter(|value| !value.is_nan()).collect();
    seen.sort_unstable_by(f64::total_cmp);
    let there = || values.iter().filter(|value| !value.is_nan());
    let (Some(last), true) = (seen.len().checked_sub(1), there().next().is_some()) else { return Some(0.0) };
    let (low, high) = (seen[last / 200], seen[last - last / 200]);
    let outside = there().filter(|value| !(low..=high).contains(*value)).count();
    Some(outside as f64 / there().count() as f64)
}

/// The parts of both lists in groups that divide them together; no part is quite zero.
fn shares(learned: &[f64], now: &[f64]) -> [Vec<f64>; 2] {
    let edges = edges(learned, now);
    [learned, now].map(|ages| {
        let mut counts = vec![0.5; edges.len() + 1];
        ages.iter().for_each(|age| counts[edges.partition_point(|edge| edge < age)] += 1.0);
        let total: f64 = counts.iter().sum();
        counts.into_iter().map(|count| count / total).collect()
    })
}

fn edges(learned: &[f64], now: &[f64]) -> Vec<f64> {
    // Both lists count alike, however long they are.
    let mut all: Vec<(f64, f64)> = [learned, now]
        .into_iter()
        .flat_map(|ages| ages.iter().map(move |age| (*age, 0.5 / ages.len() as f64)))
        .collect();
    all.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (mut edges, mut sum) = (Vec::new(), 0.0);
    for (age, part) in all {
        sum += part;
        if (edges.len() + 1) as f64 <= sum * GROUPS as f64 && edges.len() + 1 < GROUPS {
            edges.push(age);
        }
    }
    edges
}

/// How much each row counts, so that ages which predictions are needed for count more: the fourth root of the ratio of the
/// two densities (Shimodaira 2000, with an exponent near none, as short windows are the ones with old customers), in bounds.
pub(super) fn age_weights(learned: &[f64], now: &[f64]) -> Vec<f64> {
    let [seen, needed] = shares(learned, now);
    let edges = edges(learned, now);
    let weight = |age: &f64| {
        let group = edges.partition_point(|edge| edge < age);
        (needed[group] / seen[group]).sqrt().sqrt().clamp(WEIGHTS.0, WEIGHTS.1)
    };
    let mut weights: Vec<f64> = learned.iter().map(weight).collect();
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter_mut().for_each(|weight| *weight /= mean);
    weights
}

impl Level {
    /// Looks back on forecasts of `days` each, which end at `end` and before and do not overlap.
    pub(super) fn looking_back(transactions: &Transactions, end: i32, days: u32) -> Self {
        let days = days.max(1);
        let first = transactions.first_day().unwrap_or(end);
        let cutoff = |back: u32| end.saturating_sub_unsigned(back * days);
        let forecast = |back: u32| {
            let (cutoff, history) = (cutoff(back), f64::from(cutoff(back)) - f64::from(first));
            (1.5 * f64::from(days) <= history).then(|| foretold(transactions, cutoff, days))?
        };
        let forecasts: Vec<(i32, f64)> =
            (1..=MOST_FORECASTS).filter_map(|back| Some((cutoff(back), forecast(back)?))).collect();
        let logarithms: Vec<f64> = forecasts.iter().map(|(_, logarithm)| *logarithm).collect();
        Self { correction: libm::exp(drawn_mean(&logarithms)), forecasts, days }
    }
}

/// The logarithm of what was spent over what was foretold.
fn foretold(transactions: &Transactions, cutoff: i32, days: u32) -> Option<f64> {
    let anchor = Anchor::fit(transactions, cutoff).ok()?;
    let customers = transactions.known_at(cutoff);
    let spent = transactions.spent(&customers, cutoff, days);
    let expected = |customer: &usize| {
        transactions.summary(*customer, cutoff).map(|it| anchor.expected_value(&it, f64::from(days)))
    };
    let expected: f64 = customers.iter().filter_map(expected).sum();
    let buyers = spent.iter().filter(|spent| 0.0 < **spent).count();
    (20 <= buyers).then(|| libm::log(spent.iter().sum::<f64>() / expected))
}

/// The mean, less the part of it that its variance explains; zero where it is not beyond doubt.
fn drawn_mean(values: &[f64]) -> f64 {
    /// Half the width of the 95 % interval of Student's t, in standard errors, from one degree of freedom on.
    const DOUBT: [f64; 5] = [12.706, 4.303, 3.182, 2.776, 2.571];
    let Some(doubt) = values.len().checked_sub(2).map(|place| DOUBT[place.min(DOUBT.len() - 1)]) else {
        return 0.0;
    };
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let variance = squares / (count - 1.0) / count;
    if mean * mean <= doubt * doubt * variance { 0.0 } else { mean - variance / mean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::planted::World;

    #[test]
    fn levels_that_vary_move_nothing_and_steady_ones_do() {
        assert!(drawn_mean(&[-0.11, 0.03, 0.21]).abs() < f64::MIN_POSITIVE);
        assert!((drawn_mean(&[0.20, 0.21, 0.22]) - 0.21).abs() < 1e-3);
        assert!(drawn_mean(&[0.5]).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn totals_of_its_own_world_need_no_correction() {
        let drawn = World::default().draw(4);
        let level = Level::looking_back(&drawn, 600, 100);
        assert!(2 < level.forecasts.len() && (level.correction - 1.0).abs() < 0.1, "{level:?}");
    }

    #[test]
    fn ages_that_are_needed_count_more() {
        let learned: Vec<f64> = (0..1000).map(f64::from).collect();
        let now: Vec<f64> = (500..1000).map(f64::from).collect();
        let weights = age_weights(&learned, &now);
        assert!(weights[100] < 0.7 && 1.1 < weights[900], "{} and {}", weights[100], weights[900]);
        assert!((age_weights(&learned, &learned)[7] - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_never_seen_is_told() {
        let seen = Values::Numbers((0..100).map(f64::from).collect());
        let values = Values::Numbers(vec![50.0, 200.0, f64::NAN, 300.0, 7.0]);
        assert_eq!(part_outside(&seen, &values), Some(0.5));
    }
}
