//! What a partner's profile says of its customers before any has come, beside its source.

use super::effects::{Effects, Measured, Moment};
use crate::linear::{Moments, SingularError, dot};

/// Effects of sources and partners around a line through the numbers of profiles.
#[derive(Clone, Debug)]
pub(super) struct Profiles {
    effects: Effects,
    slopes: Vec<f64>,
}

/// Weights depend on how partners differ, and that on the line; it settles at once.
const ROUNDS: usize = 4;

/// Slopes are drawn towards none as if a fiftieth more partners had shown none.
const RIDGE: f64 = 0.02;

impl Profiles {
    /// Fits the line within sources, each partner weighted by how sure its number is, and the effects around it.
    pub(super) fn fit(measured: &[(Measured, &[f64])], sources: usize) -> Result<Self, SingularError> {
        let width = measured.first().map_or(0, |(_, profile)| profile.len());
        let around = |slopes: &[f64]| {
            let apart = |(one, profile): &(Measured, &[f64])| Measured {
                value: one.value - dot(slopes, profile),
                ..*one
            };
            Effects::fit(&measured.iter().map(apart).collect::<Vec<_>>(), sources)
        };
        let mut fitted = Self { effects: around(&vec![0.0; width]), slopes: vec![0.0; width] };
        for _ in 0..ROUNDS.min(ROUNDS * width) {
            fitted.slopes = fitted.slopes_within(measured, (sources, width))?;
            fitted.effects = around(&fitted.slopes);
        }
        Ok(fitted)
    }

    fn slopes_within(
        &self,
        measured: &[(Measured, &[f64])],
        (sources, width): (usize, usize),
    ) -> Result<Vec<f64>, SingularError> {
        // For each source: the weight, the value, and the profile, summed by weight.
        let mut sums = vec![vec![0.0; width + 2]; sources];
        let row = |(one, profile): &(Measured, &[f64])| -> Vec<f64> {
            [1.0, one.value].into_iter().chain(profile.iter().copied()).collect()
        };
        for one in measured {
            let weight = self.effects.weight(one.0.variance);
            let sums = &mut sums[one.0.source];
            sums.iter_mut().zip(row(one)).for_each(|(sum, number)| *sum += weight * number);
        }
        let mut moments = Moments::new(width + 1);
        for one in measured {
            let (scale, sums) = (self.effects.weight(one.0.variance).sqrt(), &sums[one.0.source]);
            let mut apart: Vec<f64> =
                row(one).iter().zip(sums).map(|(number, sum)| scale * (number - sum / sums[0])).collect();
            let value = apart.remove(1);
            apart[0] = scale;
            moments.add(&apart, value);
        }
        Ok(moments.fit(RIDGE)?.split_off(1))
    }

    /// The partner's number, from its profile and, if there is one, its measurement.
    pub(super) fn posterior(&self, source: usize, profile: &[f64], measured: Option<(f64, f64)>) -> Moment {
        let line = dot(&self.slopes, profile);
        let around =
            self.effects.posterior(source, measured.map(|(value, variance)| (value - line, variance)));
        Moment { mean: around.mean + line, ..around }
    }
}
