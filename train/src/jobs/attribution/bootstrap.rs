//! How sure credit is: what it would be of other samples of the same customers.

use anyhow::Result;
use domain::attribution::{Credit, Journeys, Weights};
use rayon::prelude::*;

use super::{
    Settings,
    learned::Lesson,
    model::{Model, credited, fold},
};
use crate::{anomaly::dice::Dice, watch::Watch};

/// Rows that one stream of chance is for.
const BLOCK: usize = 1 << 14;
/// From how many on a count is drawn from a normal distribution.
const MANY: f64 = 50.0;
/// What part of the samples lies within an interval.
pub(super) const LEVEL: f64 = 0.95;

/// Between which values a channel's credit lies in 95 of 100 samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interval {
    pub(super) low: Credit,
    pub(super) high: Credit,
}

/// How often each row's conversions and other ends are in a sample: Poisson's law with as many as there were as its mean,
/// which is the bootstrap of each of them (Hanley and MacGibbon 2006).
struct Drawn {
    conversions: Vec<f64>,
    nulls: Vec<f64>,
}

impl Drawn {
    fn new(journeys: &Journeys, seed: u64, sample: u64) -> Self {
        let rows: Vec<(f64, f64)> = journeys.all().iter().map(|row| (row.conversions, row.nulls)).collect();
        let blocks = rows.par_chunks(BLOCK).enumerate();
        let drawn: Vec<(Vec<f64>, Vec<f64>)> = blocks
            .map(|(block, rows)| {
                let mut dice = Dice::new(seed, (sample << 32) | block as u64);
                rows.iter()
                    .map(|(conversions, nulls)| (factor(*conversions, &mut dice), factor(*nulls, &mut dice)))
                    .unzip()
            })
            .collect();
        let mut all =
            Self { conversions: Vec::with_capacity(rows.len()), nulls: Vec::with_capacity(rows.len()) };
        for (conversions, nulls) in drawn {
            all.conversions.extend(conversions);
            all.nulls.extend(nulls);
        }
        all
    }

    fn weights(&self) -> Weights<'_> {
        Weights { conversions: &self.conversions, nulls: &self.nulls }
    }
}

/// What a count is multiplied by to be the count of a sample.
fn factor(count: f64, dice: &mut Dice) -> f64 {
    if count <= 0.0 {
        return 0.0;
    }
    if MANY < count {
        return (count + count.sqrt() * dice.normal()).round().max(0.0) / count;
    }
    // As many as there are arrivals of rate one before `count` (Knuth, volume 2, 3.4.1).
    let (end, mut drawn, mut product) = (libm::exp(-count), 0.0, dice.unit());
    while end < product {
        drawn += 1.0;
        product *= dice.unit();
    }
    drawn / count
}

/// What samples say of a model, channel by channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampled {
    /// Of its credit.
    pub(super) credit: Vec<Interval>,
    /// Of what it credits more than the first of the models does.
    pub(super) more: Vec<Interval>,
}

/// The intervals of each model.
pub(super) fn intervals(
    journeys: &Journeys,
    (models, lesson): (&[Model], Option<&Lesson>),
    settings: &Settings,
    (seed, watch): (u64, &Watch),
) -> Result<Vec<Sampled>> {
    let mut samples: Vec<Vec<Vec<Credit>>> = vec![Vec::new(); models.len()];
    let begins: Vec<_> =
        models.iter().map(|model| model.begin(settings, journeys.channels())).collect::<Result<_>>()?;
    for sample in 0..settings.bootstrap {
        watch.step(format!("drawing sample {} of {}", sample + 1, settings.bootstrap))?;
        let drawn = Drawn::new(journeys, seed, sample + 1);
        for ((model, begin), samples) in models.iter().zip(&begins).zip(&mut samples) {
            if let Some(lesson) = lesson.filter(|_| *model == Model::Learned) {
                samples.push(lesson.again(journeys, drawn.weights()).credit);
                continue;
            }
            let folded = fold(journeys, Some(drawn.weights()), begin);
            samples.push(credited(&folded, (journeys, Some(drawn.weights())), settings, seed).credit);
        }
        watch.done();
    }
    let channels = journeys.channels();
    let first = samples.first().cloned().unwrap_or_default();
    let more = |samples: &[Vec<Credit>]| -> Vec<Vec<Credit>> {
        samples.iter().zip(&first).map(|(credit, first)| difference(credit, first)).collect()
    };
    let of_model = |samples: &Vec<Vec<Credit>>| Sampled {
        credit: of_samples(samples, channels),
        more: of_samples(&more(samples), channels),
    };
    Ok(samples.iter().map(of_model).collect())
}

/// What one credits more than another.
pub(super) fn difference(credit: &[Credit], other: &[Credit]) -> Vec<Credit> {
    let of = |channel: usize| {
        let at = |credit: &[Credit]| credit.get(channel).copied().unwrap_or_default();
        let mut more = at(credit);
        more += at(other) * -1.0;
        more
    };
    (0..credit.len().max(other.len())).map(of).collect()
}

fn of_samples(samples: &[Vec<Credit>], channels: usize) -> Vec<Interval> {
    let of_channel = |channel: usize| {
        let all = |of: fn(&Credit) -> f64| {
            let mut all: Vec<f64> =
                samples.iter().map(|credit| credit.get(channel).map_or(0.0, of)).collect();
            all.sort_unstable_by(f64::total_cmp);
            all
        };
        let (conversions, value) = (all(|it| it.conversions), all(|it| it.value));
        let at = |share: f64| Credit {
            conversions: quantile(&conversions, share),
            value: quantile(&value, share),
        };
        Interval { low: at((1.0 - LEVEL) / 2.0), high: at(f64::midpoint(1.0, LEVEL)) }
    };
    (0..channels).into_par_iter().map(of_channel).collect()
}

/// Between two numbers in proportion (Hyndman and Fan 1996, their seventh definition).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let (below, part) = (place as usize, place.fract());
    let above = (below + 1).min(last);
    sorted[below] + part * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counts_samples_have_its_mean_and_variance() {
        for count in [1.0_f64, 7.0, 400.0] {
            let mut dice = Dice::new(3, 0);
            let drawn: Vec<f64> = (0..20_000).map(|_| count * factor(count, &mut dice)).collect();
            let mean = drawn.iter().sum::<f64>() / 20_000.0;
            let variance = drawn.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 20_000.0;
            assert!(
                (mean / count - 1.0).abs() < 0.03 && (variance / count - 1.0).abs() < 0.05,
                "{mean}, {variance}"
            );
        }
    }

    #[test]
    fn quantiles_lie_between_numbers() {
        assert!((quantile(&[1.0, 2.0, 4.0], 0.75) - 3.0).abs() < 1e-12);
        assert!(quantile(&[], 0.5).abs() < 1e-12);
    }
}
