//! The chain of single channels: dense counts, and all removal effects from one inverse.

use serde::{Deserialize, Serialize};

use super::{Effect, Effects};
use crate::attribution::{Chunk, Credit, Statistics};

/// How often each channel follows each other, for at most a few hundred channels: 8 bytes for each pair.
///
/// Let Q be the probabilities of going from channel to channel, r(s) the probability of converting from s, a(s) that of
/// beginning at s, and N = (I − Q)⁻¹, so that N(s, c) is the expected number of visits to c of a walk from s. A walk from
/// the beginning visits c e(c) = Σ a(s) N(s, c) times. Visits after the first one are those of a walk that begins at c:
/// N(c, c) each time. So it ever visits c with probability e(c) / N(c, c), and converts from there with h(c) = Σ N(c, s) r(s).
/// What is lost without c is their product. Value takes the same way with the mean value of a visit in place of r.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FirstOrderStatistics {
    channels: usize,
    /// From row to column; row 0 is the beginning, row c + 1 is channel c, column c is channel c.
    steps: Vec<f64>,
    ends: Vec<End>,
}

/// What happened after the last touch, by its channel.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct End {
    conversions: f64,
    value: f64,
    nulls: f64,
}

impl FirstOrderStatistics {
    /// How many channels can be states.
    #[must_use]
    pub fn states(&self) -> usize {
        (0..self.channels).filter(|channel| 0.0 < self.visits(*channel)).count()
    }

    /// The removal effect of every channel.
    #[must_use]
    pub fn effects(&self) -> Effects {
        let begun: f64 = self.row(0).iter().sum();
        let total = self.ends.iter().fold(Credit::default(), |mut total, end| {
            total += Credit { conversions: end.conversions, value: end.value };
            total
        });
        // Counts go in and out of each channel alike, so the expected visits of a walk are the visits that were counted.
        let visits: Vec<f64> = (0..self.channels).map(|channel| self.visits(channel)).collect();
        let inverse = self.visits_from_each(&visits);
        let effect = |channel: usize| {
            let from_here = &inverse[channel * self.channels..][..self.channels];
            let ever = visits[channel] / from_here[channel];
            let hit = |of: fn(&End) -> f64| {
                let ends =
                    self.ends.iter().zip(&visits).zip(from_here).filter(|((_, visits), _)| 0.0 < **visits);
                ends.map(|((end, visits), expected)| expected * of(end) / visits).sum::<f64>() * ever
            };
            let part = |hit: f64, total: f64| if 0.0 < total { (hit / total).min(1.0) } else { 0.0 };
            Effect {
                conversions: part(hit(|end| end.conversions), total.conversions),
                value: part(hit(|end| end.value), total.value),
            }
        };
        let conversion_rate = if 0.0 < begun { total.conversions / begun } else { 0.0 };
        Effects { channels: (0..self.channels).map(effect).collect(), total, conversion_rate }
    }

    /// The credit of each channel by [`super::Definition::Global`].
    #[must_use]
    pub fn credit(&self) -> Vec<Credit> {
        self.effects().credit()
    }

    fn row(&self, from: usize) -> &[f64] {
        &self.steps[from * self.channels..][..self.channels]
    }

    fn visits(&self, channel: usize) -> f64 {
        let end = self.ends[channel];
        self.row(channel + 1).iter().sum::<f64>() + end.conversions + end.nulls
    }

    /// N = (I − Q)⁻¹ by Gauss-Jordan elimination in place. I − Q is dominated by its diagonal and every channel leads to an
    /// end, so no pivot is zero and none has to be looked for.
    fn visits_from_each(&self, visits: &[f64]) -> Vec<f64> {
        let n = self.channels;
        let mut matrix: Vec<f64> = (0..n)
            .flat_map(|from| {
                let scale = if 0.0 < visits[from] { 1.0 / visits[from] } else { 0.0 };
                self.row(from + 1).iter().map(move |count| -count * scale)
            })
            .collect();
        (0..n).for_each(|channel| matrix[channel * n + channel] += 1.0);
        for pivot in 0..n {
            let (above, rest) = matrix.split_at_mut(pivot * n);
            let (row, below) = rest.split_at_mut(n);
            let scale = 1.0 / row[pivot];
            row[pivot] = 1.0;
            row.iter_mut().for_each(|x| *x *= scale);
            for other in above.chunks_exact_mut(n).chain(below.chunks_exact_mut(n)) {
                let factor = std::mem::replace(&mut other[pivot], 0.0);
                if factor < 0.0 || 0.0 < factor {
                    other.iter_mut().zip(&*row).for_each(|(x, y)| *x -= factor * y);
                }
            }
        }
        matrix
    }

    fn grow(&mut self, channels: usize) {
        if channels <= self.channels {
            return;
        }
        let mut steps = vec![0.0; (channels + 1) * channels];
        for (new, old) in steps.chunks_exact_mut(channels).zip(self.steps.chunks_exact(self.channels.max(1)))
        {
            new[..self.channels].copy_from_slice(old);
        }
        self.steps = steps;
        self.ends.resize(channels, End::default());
        self.channels = channels;
    }
}

impl Statistics for FirstOrderStatistics {
    fn add(&mut self, journeys: &Chunk<'_>) {
        self.grow(journeys.channels());
        let n = self.channels;
        for row in journeys.iter() {
            let count = row.conversions + row.nulls;
            let mut from = 0;
            for channel in row.journey.touches {
                let channel = *channel as usize;
                self.steps[from * n + channel] += count;
                from = channel + 1;
            }
            let end = &mut self.ends[from - 1];
            end.conversions += row.conversions;
            end.value += row.value;
            end.nulls += row.nulls;
        }
    }

    fn merge(&mut self, mut other: Self) {
        self.grow(other.channels);
        other.grow(self.channels);
        self.steps.iter_mut().zip(other.steps).for_each(|(sum, more)| *sum += more);
        for (sum, more) in self.ends.iter_mut().zip(other.ends) {
            sum.conversions += more.conversions;
            sum.value += more.value;
            sum.nulls += more.nulls;
        }
    }
}
