//! How a partner goes about its work: how many of its clicks convert, and how alike its weeks are.

use std::collections::BTreeMap;

use super::input::Won;

/// What is looked at before a day.
pub(super) const WEEKS: i32 = 13;
/// Fewer weeks say nothing of steadiness.
const LEAST_WEEKS: usize = 4;
/// The usual rate counts for as many clicks as bring so many conversions.
const USUAL_CONVERSIONS: f64 = 5.0;

/// Of the last thirteen weeks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habits {
    pub(super) clicks: u64,
    pub(super) conversions: u64,
    /// From 0 to 1: 1 over 1 plus the weeks' standard deviation beyond chance, as a part of their mean.
    pub(super) steadiness: Option<f64>,
    /// The logarithm of the rate of conversions over the usual one, towards which it is drawn; where clicks have days.
    log_rate: Option<f64>,
}

impl Habits {
    pub(super) fn of(won: &[Won], clicked: &BTreeMap<(i32, u32), u64>, end: Option<i32>) -> Self {
        let Some(end) = end else { return Self::default() };
        let begin = end - 7 * WEEKS;
        let days = won.iter().filter_map(|won| won.day);
        let mut weeks = [0.0; WEEKS as usize];
        for day in days.clone().filter(|day| begin < *day) {
            weeks[((end - day) / 7) as usize] += 1.0;
        }
        let oldest = days.min().map_or(0, |first| ((end - first) / 7).min(WEEKS));
        Self {
            clicks: clicked.range((begin + 1, 0)..=(end, u32::MAX)).map(|(_, count)| count).sum(),
            conversions: weeks.iter().sum::<f64>() as u64,
            // The week of the first conversion may have begun without it.
            steadiness: steadiness(&weeks[..usize::try_from(oldest).unwrap_or(0)]),
            log_rate: None,
        }
    }

    /// Conversions for each click.
    pub(super) fn rate(&self) -> Option<f64> {
        (0 < self.clicks).then(|| self.conversions as f64 / self.clicks as f64)
    }

    /// What of it may say something of customers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let named = [("conversion_rate_90d", self.log_rate), ("steadiness", self.steadiness)];
        named.into_iter().filter_map(|(name, number)| number.map(|number| (name, number)))
    }
}

/// Holds rates of conversion against the usual one.
pub(super) fn compare<'a>(all: impl Iterator<Item = &'a mut Habits>) {
    let all: Vec<&mut Habits> = all.collect();
    let (conversions, clicks) =
        all.iter().fold((0, 0), |sum, it| (sum.0 + it.conversions, sum.1 + it.clicks));
    if conversions == 0 || clicks == 0 {
        return;
    }
    let usual = conversions as f64 / clicks as f64;
    let clicks = USUAL_CONVERSIONS / usual;
    for it in all.into_iter().filter(|it| 0 < it.clicks) {
        let rate = (it.conversions as f64 + USUAL_CONVERSIONS) / (it.clicks as f64 + clicks);
        it.log_rate = Some(libm::log(rate / usual));
    }
}

fn steadiness(weeks: &[f64]) -> Option<f64> {
    let count = weeks.len() as f64;
    let mean = weeks.iter().sum::<f64>() / f64::max(count, 1.0);
    if weeks.len() < LEAST_WEEKS || mean <= 0.0 {
        return None;
    }
    let variance = weeks.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (count - 1.0);
    let beyond_chance = f64::max(variance - mean, 0.0);
    Some(1.0 / (1.0 + beyond_chance.sqrt() / mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_weeks_are_told_from_a_single_burst() {
        let won = |day: i32| Won { day: Some(day), value: 1.0, ..Won::default() };
        let steady: Vec<Won> = (0..200).map(|place| won(place / 2)).collect();
        let burst: Vec<Won> = std::iter::once(won(0)).chain((0..199).map(|_| won(60))).collect();
        let of = |all: &[Won]| Habits::of(all, &BTreeMap::from([((50, 0), 400)]), Some(99));
        let (steady, burst) = (of(&steady), of(&burst));
        assert!((steady.steadiness.unwrap() - 1.0).abs() < 1e-12, "{steady:?}");
        assert!(burst.steadiness.unwrap() < 0.3, "{burst:?}");
        assert_eq!((steady.conversions, steady.clicks, steady.rate()), (182, 400, Some(0.455)));
        assert!(
            of(&[won(98)]).steadiness.is_none() && Habits::of(&[], &BTreeMap::new(), None).rate().is_none()
        );
    }
}
