//! What a worker finds out about all sources of a campaign at once, for the rules that read it.
//!
//! A source is whatever traffic is told apart by: an affiliate in a campaign, or one sub-id of theirs. Sources that are
//! compared should be of one kind, because a coupon site converts ten times as often as a blog and neither is odd.

use super::{
    Excess, Oddity, RateSpread, TimeShape, adjusted, beta_binomial_upper, chi_square, kolmogorov_smirnov,
    poisson_upper, real,
};

/// Sources with fewer conversions are not tested for the shape of their times.
pub const LEAST_TIMES: usize = 30;
/// Sources with fewer clicks are not tested for their hours.
pub const LEAST_HOURLY: u64 = 100;

const QUICK_SECONDS: i64 = 10;
/// Median over ninth decile: 0.56 where late is as likely as soon, 0.15 to 0.25 where times are log-normal.
const FLATNESS: f64 = 0.4;
/// How much more of a source's conversions are quick than of the others', to be a spike.
const SPIKE: f64 = 0.1;
/// Which part of the others' spread on a logarithmic scale is too little for people.
const NARROWNESS: f64 = 0.4;

/// Holds the times of each source, whole seconds from click to conversion, against those of all others by Kolmogorov and
/// Smirnov's test. None for a source with fewer than [`LEAST_TIMES`], or without as many others.
#[must_use]
pub fn time_shapes(sources: &[&[i64]]) -> Vec<Option<TimeShape>> {
    let sorted: Vec<Vec<i64>> = sources.iter().map(|times| in_order(times.iter().copied())).collect();
    let all = in_order(sources.iter().flat_map(|times| times.iter().copied()));
    let tested = sorted.iter().map(|own| time_shape(own, &all));
    adjust(tested.collect(), |shape| &mut shape.p, |shape, q| shape.q = q)
}

fn in_order(times: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut times: Vec<i64> = times.collect();
    times.sort_unstable();
    times
}

fn time_shape(own: &[i64], all: &[i64]) -> Option<TimeShape> {
    let others = without(all, own);
    if own.len() < LEAST_TIMES || others.len() < LEAST_TIMES {
        return None;
    }
    let difference = kolmogorov_smirnov(own, &others)?;
    Some(TimeShape {
        n: count(own.len()),
        distance: difference.statistic,
        p: difference.p,
        q: 1.0,
        oddity: oddity(own, &others),
    })
}

/// What is left of a sorted list when the values of another, all of which it holds, are taken out.
fn without(all: &[i64], own: &[i64]) -> Vec<i64> {
    let mut own = own.iter().peekable();
    all.iter().filter(|value| own.next_if_eq(value).is_none()).copied().collect()
}

fn oddity(own: &[i64], others: &[i64]) -> Oddity {
    let quick = |times: &[i64]| {
        let quick = times.partition_point(|seconds| *seconds < QUICK_SECONDS);
        let backwards = times.partition_point(|seconds| *seconds < 0);
        real(count(quick - backwards)) / real(count(times.len()))
    };
    let spread = |times: &[i64]| {
        let logs: Vec<f64> = times.iter().map(|seconds| libm::log1p(seconds_of(*seconds))).collect();
        let mean = logs.iter().sum::<f64>() / real(count(logs.len()));
        let squares: f64 = logs.iter().map(|log| (log - mean) * (log - mean)).sum();
        libm::sqrt(squares / real(count(logs.len())))
    };
    match () {
        () if quick(others) + SPIKE <= quick(own) => Oddity::Spike,
        () if spread(own) <= NARROWNESS * spread(others) => Oddity::Narrow,
        () if FLATNESS <= flatness(own) && flatness(others) < FLATNESS => Oddity::Flat,
        () => Oddity::Other,
    }
}

fn flatness(sorted: &[i64]) -> f64 {
    let at = |tenths: usize| seconds_of(sorted[(sorted.len() * tenths / 10).min(sorted.len() - 1)]);
    at(5) / at(9).max(1.0)
}

fn seconds_of(seconds: i64) -> f64 {
    real(u64::try_from(seconds).unwrap_or(0))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Clicks of one source and what came of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yield {
    /// Clicks.
    pub clicks: u64,
    /// Conversions that they led to; at most as many.
    pub conversions: u64,
}

/// Holds how often each source's clicks convert against how that differs among the others anyway: the upper tail of the
/// beta-binomial distribution. None for a source without clicks, or where the others say nothing about rates.
#[must_use]
pub fn conversion_rates(sources: &[Yield], window_seconds: u64) -> Vec<Option<Excess>> {
    let tested = (0..sources.len()).map(|place| {
        let Yield { clicks, conversions } = sources[place];
        let others = sources.iter().enumerate().filter(|(other, _)| *other != place);
        let spread = RateSpread::of(others.map(|(_, it)| (it.conversions.min(it.clicks), it.clicks)))?;
        (clicks != 0).then(|| Excess {
            n: clicks,
            seen: real(conversions) / real(clicks),
            expected: spread.mean(),
            p: beta_binomial_upper(conversions.min(clicks), clicks, spread),
            q: 1.0,
            window_seconds,
        })
    });
    adjust(tested.collect(), |excess| &mut excess.p, |excess, q| excess.q = q)
}

/// Which share of a source's clicks is to be expected in each hour of the day in UTC: what the campaign's clicks from
/// each country do, mixed as the source's clicks come from countries. Each country is `(clicks of the source, clicks of
/// the campaign in each hour)`.
#[must_use]
pub fn expected_hours(countries: &[(u64, [u64; 24])]) -> [f64; 24] {
    let mut expected = [0.0; 24];
    for (weight, hours) in countries {
        let all: u64 = hours.iter().sum();
        for (share, clicks) in expected.iter_mut().zip(hours) {
            *share += real(*weight) * real(*clicks) / real(all.max(1));
        }
    }
    expected
}

/// Holds the hours of each source's clicks against those expected ([`expected_hours`]). None for a source with fewer than
/// [`LEAST_HOURLY`] clicks, without expectation, or whose clicks follow the day more closely than an even spread does.
#[must_use]
pub fn flat_hours(sources: &[([u64; 24], [f64; 24])], window_seconds: u64) -> Vec<Option<Excess>> {
    let tested = sources.iter().map(|(hours, expected)| {
        let n = hours.iter().sum();
        let (by_day, p) = chi_square(hours, expected).ok()?;
        let (even, _) = chi_square(hours, &[1.0; 24]).ok()?;
        (LEAST_HOURLY <= n && even < by_day).then_some(Excess {
            n,
            seen: by_day,
            expected: 23.0,
            p,
            q: 1.0,
            window_seconds,
        })
    });
    adjust(tested.collect(), |excess| &mut excess.p, |excess, q| excess.q = q)
}

/// What happened to one source within one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surge {
    /// Conversions that came of clicks within it, or shortly before.
    pub conversions: u64,
    /// Clicks that could have led to them.
    pub clicks: u64,
    /// How often such clicks convert, as far as that is known of the source ([`own_spread`]).
    pub spread: RateSpread,
    /// Conversions that the source has in such a window on average.
    pub usual: f64,
    /// Conversions that the source would have if its clicks converted as often as those of all others did within the
    /// window: a sale, or a report that comes once a night, lifts them all.
    pub shared: f64,
    /// How long the window is.
    pub window_seconds: u64,
}

/// What of a source's own past counts for its rate, in clicks: a coupon of their own may lift it for a weekend.
const OWN_WORTH: u64 = 200;

/// How often a source's clicks convert, as far as that is known: what sources of its kind do, and its own past. None where
/// neither says anything.
#[must_use]
pub fn own_spread(kind: Option<RateSpread>, own: Yield) -> Option<RateSpread> {
    let Yield { clicks, conversions } = own;
    let part = real(clicks.min(OWN_WORTH)) / real(clicks.max(1));
    let (won, lost) = (part * real(conversions.min(clicks)), part * real(clicks.saturating_sub(conversions)));
    match kind {
        Some(RateSpread { a, b }) => Some(RateSpread { a: a + won, b: b + lost }),
        // Jeffreys' prior (1946) where there is nobody to compare with.
        None => (OWN_WORTH <= clicks).then_some(RateSpread { a: won + 0.5, b: lost + 0.5 }),
    }
}

impl Surge {
    /// How probable so many conversions are by chance: by what is usual, by what the clicks explain, and by what happens to
    /// all, whichever is more (upper tails of the Poisson and of the beta-binomial distribution), adjusted for so many tests
    /// by Bonferroni's bound (Dunn 1961). A newsletter or a film brings conversions, but clicks with them.
    #[must_use]
    pub fn excess(&self, tests: u64) -> Excess {
        let Self { conversions, clicks, spread, usual, shared, window_seconds } = *self;
        let by_clicks = beta_binomial_upper(conversions, clicks.max(conversions), spread);
        let p = poisson_upper(conversions, usual.max(shared)).max(by_clicks);
        let expected = usual.max(shared).max(real(clicks) * spread.mean());
        let q = (p * real(tests.max(1))).min(1.0);
        Excess { n: conversions, seen: real(conversions), expected, p, q, window_seconds }
    }
}

/// Gives every finding its probability adjusted for all that were made with it.
fn adjust<T>(
    mut findings: Vec<Option<T>>,
    p: impl Fn(&mut T) -> &mut f64,
    mut set: impl FnMut(&mut T, f64),
) -> Vec<Option<T>> {
    let values: Vec<f64> = findings.iter_mut().flatten().map(|finding| *p(finding)).collect();
    for (finding, q) in findings.iter_mut().flatten().zip(adjusted(&values)) {
        set(finding, q);
    }
    findings
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
