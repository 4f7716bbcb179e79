//! What is particular to groups of rows: their means, drawn towards all rows' mean as far as they say little.

use foldhash::HashMap;

/// The means of groups of rows, shrunk.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Effects {
    /// Of each group that has rows, its weight and the weighted sum of what they are above expectation.
    sums: HashMap<u64, (f64, f64)>,
    /// How much weight a group needs to be believed by half: the variance within groups by that between them.
    half: f64,
}

impl Effects {
    /// Of rows with their group, what they are above expectation, and their weight; the variances by moments (Henderson
    /// 1953, method 1). Groups that are no more apart than chance has it are all zero.
    pub(super) fn fit(rows: &[(u64, f64, f64)]) -> Self {
        let mut sums: HashMap<u64, (f64, f64)> = HashMap::default();
        let (mut total, mut squares) = (0.0, 0.0);
        for (group, above, weight) in rows {
            let sum = sums.entry(*group).or_default();
            *sum = (sum.0 + weight, sum.1 + weight * above);
            total += weight;
            squares += weight * above * above;
        }
        // What is added up is in the order of groups, whatever that of the map.
        let mut groups: Vec<u64> = sums.keys().copied().collect();
        groups.sort_unstable();
        let seen = || groups.iter().map(|group| sums[group]).filter(|(weight, _)| 0.0 < *weight);
        let known = seen().count() as f64;
        let between: f64 = seen().map(|(weight, sum)| sum * sum / weight).sum();
        let grand: f64 = seen().map(|(_, sum)| sum).sum::<f64>();
        let rest = rows.len() as f64 - known;
        let within = if 0.0 < rest { (squares - between) / rest } else { f64::INFINITY };
        let spread: f64 = total - seen().map(|(weight, _)| weight * weight).sum::<f64>() / total;
        let variance = (between - grand * grand / total - (known - 1.0) * within) / spread;
        let half = if 0.0 < variance { (within / variance).max(0.0) } else { f64::INFINITY };
        Self { sums, half }
    }

    /// What a group is above expectation; one without rows is not.
    pub(super) fn of(&self, group: u64) -> f64 {
        self.sums.get(&group).map_or(0.0, |(weight, sum)| sum / (weight + self.half))
    }

    /// The same as if one of its rows had not been seen.
    pub(super) fn without(&self, group: u64, above: f64, weight: f64) -> f64 {
        let Some((all, sum)) = self.sums.get(&group) else { return 0.0 };
        let left = (all - weight).max(0.0);
        if left <= 1e-12 * *all { 0.0 } else { (sum - weight * above) / (left + self.half) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::dice::Dice;

    /// How far the numbers of groups are apart: what is cut off at 2³² is alike.
    const APART: u64 = 1 << 33;

    #[test]
    fn groups_are_believed_as_far_as_they_are_known_to_differ() {
        let mut dice = Dice::new(3, 0);
        let truth: Vec<f64> = (0..400).map(|_| 2.0 * dice.normal()).collect();
        let rows: Vec<(u64, f64, f64)> = (0..4_000)
            .map(|at| (APART * (at % 400), truth[at as usize % 400] + 4.0 * dice.normal(), 1.0))
            .collect();
        let effects = Effects::fit(&rows);
        // Variances of 16 within and 4 between groups.
        assert!((3.0..5.5).contains(&effects.half), "{}", effects.half);
        assert!(effects.of(APART * 400).abs() < 1e-12);
        let off = |shrunk: &dyn Fn(u64) -> f64| {
            (0..400).map(|at| (shrunk(APART * at) - truth[at as usize]).powi(2)).sum::<f64>()
        };
        assert!(off(&|at| effects.of(at)) < 0.85 * off(&|at| effects.sums[&at].1 / effects.sums[&at].0));
        let same: Vec<(u64, f64, f64)> =
            (0..4_000_u32).map(|at| (u64::from(at % 400), f64::from(at / 400 % 2), 1.0)).collect();
        assert!(Effects::fit(&same).of(7).abs() < 1e-3);
    }
}
