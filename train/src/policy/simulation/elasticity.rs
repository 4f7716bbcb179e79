//! How conversions answer to the rate, from months in which a partner was paid one thing and months in which another.

/// A partner's months: logarithms of rates, and conversions.
pub(super) struct Panel {
    pub(super) source: usize,
    pub(super) months: Vec<(f64, f64)>,
}

/// What is believed before anything is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    pub(super) mean: f64,
    pub(super) sd: f64,
}

/// Each source's elasticity: conversions of a partner are Poisson numbers that grow as the rate's power of it, and given
/// their sum over the months they are multinomial, which frees the partner's own level (Hausman, Hall and Griliches 1984).
/// The highest point of the posterior, by Newton's method.
pub(super) fn by_source(panels: &[Panel], sources: usize, prior: Prior) -> Vec<f64> {
    let one = |source: usize| {
        let mut elasticity = prior.mean;
        for _ in 0..20 {
            let precision = 1.0 / (prior.sd * prior.sd);
            let (mut slope, mut bend) = ((prior.mean - elasticity) * precision, precision);
            for panel in panels.iter().filter(|panel| panel.source == source) {
                let (more, sharper) = panel.slope(elasticity);
                slope += more;
                bend += sharper;
            }
            elasticity += slope / bend;
        }
        elasticity.max(0.0)
    };
    (0..sources).map(one).collect()
}

impl Panel {
    /// The slope of the conditional likelihood and how fast it falls.
    fn slope(&self, elasticity: f64) -> (f64, f64) {
        let (mut total, mut weight, mut first, mut second, mut seen) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (log_rate, count) in &self.months {
            let odds = libm::exp(elasticity * log_rate);
            total += count;
            seen += count * log_rate;
            weight += odds;
            first += odds * log_rate;
            second += odds * log_rate * log_rate;
        }
        if weight <= 0.0 {
            return (0.0, 0.0);
        }
        let mean = first / weight;
        (seen - total * mean, total * (second / weight - mean * mean))
    }

    /// How many conversions a month brings at a rate whose logarithm is zero: a gamma prior of `usual` that counts as one
    /// conversion, updated.
    pub(super) fn level(&self, elasticity: f64, usual: f64) -> f64 {
        let count: f64 = self.months.iter().map(|(_, count)| count).sum();
        let exposure: f64 = self.months.iter().map(|(log_rate, _)| libm::exp(elasticity * log_rate)).sum();
        (count + 1.0) / (exposure + 1.0 / usual)
    }
}
