//! What was expected of partners at an earlier day, held against what their later conversions brought.

use anyhow::{Result, ensure};
use statrs::function::erf::erfc_inv;

use super::{
    input::{Input, Listed},
    learned::{Standing, learn},
};
use crate::{jobs::table::date_of, lifetime::spearman};

/// Amounts of history: at least so many conversions, and at most so many.
const HISTORIES: [(usize, usize, &str); 4] =
    [(0, 4, "0 to 4"), (5, 19, "5 to 19"), (20, 99, "20 to 99"), (100, usize::MAX, "100 or more")];
/// The mean of fewer later conversions is too much chance to judge by.
const LEAST_LATER: usize = 10;
/// What part of partners should lie within their interval.
pub(super) const LEVEL: f64 = 0.9;
const TENTHS: usize = 10;

/// How good what was expected of some partners was.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    /// How many conversions they had.
    pub(super) history: &'static str,
    pub(super) partners: usize,
    /// Of the logarithm.
    pub(super) rmse: f64,
    /// What of it is the chance of later conversions.
    pub(super) by_chance: f64,
    pub(super) spearman: f64,
    /// Of the mean value of earlier conversions, where there is one above zero.
    pub(super) raw_rmse: f64,
    /// The same for all of them.
    pub(super) raw_spearman: f64,
    /// The part of partners whose later mean lay within the interval, widened by that mean's own chance.
    pub(super) covered: f64,
}

/// A tenth of the partners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tenth {
    pub(super) conversions: usize,
    pub(super) expected: f64,
    pub(super) came: f64,
}

/// What came of it.
pub(super) struct Judged {
    pub(super) until: i32,
    pub(super) measures: Vec<Measures>,
    /// Why there are none.
    pub(super) unjudged: Option<String>,
    /// Partners by what was expected of a conversion, the lowest first.
    pub(super) tenths: Vec<Tenth>,
}

/// A partner's later conversions.
struct Later<'a> {
    then: &'a Standing,
    count: usize,
    mean: f64,
    /// The variance of their logarithm's mean.
    chance: f64,
}

/// Learns from what was known at the end of a day, and compares.
pub(super) fn judge(input: &Input, until: i32) -> Result<Judged> {
    let last_day = input.last_day.unwrap_or(until);
    ensure!(
        until < last_day,
        "nothing is known after {}, as the last day is {}: choose an earlier --calibration-end",
        date_of(until),
        date_of(last_day)
    );
    let then = learn(input, Some(until))?;
    let spread = spread(input, until);
    let both = input.partners.iter().zip(&then.standings);
    let all: Vec<Later<'_>> =
        both.filter_map(|(partner, then)| Later::of(partner, then, (until, spread))).collect();
    let enough: Vec<&Later<'_>> = all.iter().filter(|it| LEAST_LATER <= it.count && 0.0 < it.mean).collect();
    let of_history = |(least, most, history): &(usize, usize, &'static str)| {
        let of: Vec<&Later<'_>> =
            enough.iter().copied().filter(|it| (*least..=*most).contains(&it.then.conversions)).collect();
        (2 < of.len()).then(|| measures(history, &of))
    };
    let mut told: Vec<Measures> = HISTORIES.iter().filter_map(of_history).collect();
    if 2 < enough.len() {
        told.push(measures("any", &enough));
    }
    let unjudged = told.is_empty().then(|| {
        format!(
            "nothing is judged: of {} partners with conversions after {} only {} have at least {LEAST_LATER} that brought \
             something together, and it takes 3; choose an earlier --calibration-end",
            all.len(),
            date_of(until),
            enough.len()
        )
    });
    Ok(Judged { until, measures: told, unjudged, tenths: tenths(&all) })
}

/// The values of a partner's conversions after a day.
fn later(partner: &Listed, until: i32) -> Vec<f64> {
    let is_later = |day: Option<i32>| day.is_some_and(|day| until < day);
    partner.won.iter().filter(|won| is_later(won.day)).map(|won| won.value).collect()
}

/// The variance of values within a partner, as a part of its squared mean.
fn spread(input: &Input, until: i32) -> f64 {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for partner in &input.partners {
        let values = later(partner, until);
        let mean = values.iter().sum::<f64>() / f64::max(values.len() as f64, 1.0);
        if LEAST_LATER <= values.len() && 0.0 < mean {
            squares += values.iter().map(|it| (it / mean - 1.0) * (it / mean - 1.0)).sum::<f64>();
            freedom += values.len() as f64 - 1.0;
        }
    }
    squares / f64::max(freedom, 1.0)
}

impl<'a> Later<'a> {
    fn of(partner: &Listed, then: &'a Standing, (until, spread): (i32, f64)) -> Option<Self> {
        let values = later(partner, until);
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        (0 < count).then(|| Self { then, count, mean, chance: spread / count as f64 })
    }

    fn is_covered(&self) -> bool {
        let posterior = &self.then.per_conversion;
        let sd = (posterior.log_sd * posterior.log_sd + self.chance).sqrt();
        let bound = std::f64::consts::SQRT_2 * erfc_inv(1.0 - LEVEL) * sd;
        // The mean of a logarithm is below the logarithm of a mean.
        (libm::log(self.mean) + self.chance / 2.0 - posterior.log_mean).abs() <= bound
    }
}

fn measures(history: &'static str, of: &[&Later<'_>]) -> Measures {
    let came: Vec<f64> = of.iter().map(|it| libm::log(it.mean)).collect();
    let told: Vec<f64> = of.iter().map(|it| it.then.per_conversion.log_mean).collect();
    let raw: Vec<f64> = of.iter().map(|it| it.then.raw.unwrap_or(0.0)).collect();
    let known = raw.iter().zip(&came).filter(|(raw, _)| 0.0 < **raw);
    let (known, came_of_known): (Vec<f64>, Vec<f64>) =
        known.map(|(raw, came)| (libm::log(*raw), *came)).unzip();
    let count = of.len() as f64;
    Measures {
        history,
        partners: of.len(),
        rmse: rmse(&told, &came),
        by_chance: (of.iter().map(|it| it.chance).sum::<f64>() / count).sqrt(),
        spearman: spearman(&told, &came),
        raw_rmse: rmse(&known, &came_of_known),
        raw_spearman: spearman(&raw, &came),
        covered: of.iter().filter(|it| it.is_covered()).count() as f64 / count,
    }
}

fn rmse(one: &[f64], other: &[f64]) -> f64 {
    let squares: f64 = one.iter().zip(other).map(|(one, other)| (one - other) * (one - other)).sum();
    (squares / one.len() as f64).sqrt()
}

/// Tenths of equally many partners, who count as much as they converted.
fn tenths(all: &[Later<'_>]) -> Vec<Tenth> {
    let mut order: Vec<&Later<'_>> = all.iter().collect();
    order.sort_by(|one, other| {
        one.then.per_conversion.expected().total_cmp(&other.then.per_conversion.expected())
    });
    let tenth = |number: usize| {
        let of = &order[number * order.len() / TENTHS..(number + 1) * order.len() / TENTHS];
        let conversions: usize = of.iter().map(|it| it.count).sum();
        let mean = |value: &dyn Fn(&Later<'_>) -> f64| {
            of.iter().map(|it| it.count as f64 * value(it)).sum::<f64>() / conversions as f64
        };
        (0 < conversions).then(|| Tenth {
            conversions,
            expected: mean(&|it| it.then.per_conversion.expected()),
            came: mean(&|it| it.mean),
        })
    };
    (0..TENTHS).filter_map(tenth).collect()
}
