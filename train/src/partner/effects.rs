//! Numbers of partners, each measured with a known error, drawn towards their source's, and sources towards all.

/// A partner's measured number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) source: usize,
    pub(super) value: f64,
    /// Of the measurement.
    pub(super) variance: f64,
}

/// A mean and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moment {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

/// How partners of a source and sources differ.
#[derive(Clone, Debug)]
pub(super) struct Effects {
    /// The variance of partners within a source.
    within: f64,
    sources: Vec<Moment>,
}

impl Effects {
    /// Fits the variances by moments (Paule and Mandel 1982): each is what makes the weighted squares as large as their
    /// degrees of freedom. Without any measurement all is zero.
    pub(super) fn fit(measured: &[Measured], sources: usize) -> Self {
        let within = variance(|within| {
            let means = means(measured, sources, within);
            let squares = measured.iter().map(|one| {
                let apart = one.value - means[one.source].map_or(one.value, |mean| mean.mean);
                apart * apart / (within + one.variance)
            });
            squares.sum::<f64>() - (measured.len() as f64 - means.iter().flatten().count() as f64)
        });
        let means = means(measured, sources, within);
        let known: Vec<Moment> = means.iter().flatten().copied().collect();
        let between = variance(|between| {
            let all = pooled(&known, between);
            let squares = known
                .iter()
                .map(|one| (one.mean - all.mean) * (one.mean - all.mean) / (between + one.variance));
            squares.sum::<f64>() - (known.len() as f64 - 1.0)
        });
        let all = pooled(&known, between);
        let strange = Moment { mean: all.mean, variance: all.variance + between };
        let sources =
            means.iter().map(|mean| mean.map_or(strange, |mean| drawn(mean, all, between))).collect();
        Self { within, sources }
    }

    /// How much a measurement says of its source.
    pub(super) fn weight(&self, variance: f64) -> f64 {
        1.0 / (self.within + variance)
    }

    /// The partner's number, from its measurement if there is one.
    pub(super) fn posterior(&self, source: usize, measured: Option<(f64, f64)>) -> Moment {
        let prior = self.sources[source];
        let Some((value, variance)) = measured else {
            return Moment { mean: prior.mean, variance: prior.variance + self.within };
        };
        let own = self.within / (self.within + variance);
        let others = 1.0 - own;
        Moment {
            mean: own * value + others * prior.mean,
            variance: own * variance + others * others * prior.variance,
        }
    }
}

/// Draws a source's mean towards that of all.
fn drawn(mean: Moment, all: Moment, between: f64) -> Moment {
    let own = between / (between + mean.variance);
    let others = 1.0 - own;
    Moment {
        mean: own * mean.mean + others * all.mean,
        variance: own * mean.variance + others * others * all.variance,
    }
}

/// Each source's mean, weighted by how sure each partner is.
fn means(measured: &[Measured], sources: usize, within: f64) -> Vec<Option<Moment>> {
    let mut sums = vec![(0.0, 0.0); sources];
    for one in measured {
        let weight = 1.0 / (within + one.variance);
        sums[one.source].0 += weight * one.value;
        sums[one.source].1 += weight;
    }
    let mean = |(sum, weight): (f64, f64)| {
        (0.0 < weight).then(|| Moment { mean: sum / weight, variance: 1.0 / weight })
    };
    sums.into_iter().map(mean).collect()
}

fn pooled(means: &[Moment], between: f64) -> Moment {
    let weight: f64 = means.iter().map(|one| 1.0 / (between + one.variance)).sum();
    let sum: f64 = means.iter().map(|one| one.mean / (between + one.variance)).sum();
    if weight <= 0.0 { Moment::default() } else { Moment { mean: sum / weight, variance: 1.0 / weight } }
}

/// The variance at which `surplus`, which falls as the variance grows, is zero; none if it never is above.
pub(super) fn variance(surplus: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e-6);
    if surplus(1e-12) <= 0.0 {
        return 0.0;
    }
    while 0.0 < surplus(high) && high < 1e12 {
        (low, high) = (high, 4.0 * high);
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if 0.0 < surplus(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
