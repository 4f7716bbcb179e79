//! How conversions answer to the rate, from periods in which a partner was paid one thing and periods in which another.

/// A partner's periods.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The number of its traffic source.
    pub source: usize,
    /// The logarithm of the rate, as a multiple of the program's, and how many conversions there were.
    pub periods: Vec<(f64, f64)>,
}

/// An elasticity and how sure it is: by how many percent conversions grow when the rate grows by one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elasticity {
    /// What is believed.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
}

/// Each source's elasticity, from what is believed before anything is seen: conversions of a partner are Poisson numbers that
/// grow as the rate's power of it, and given their sum over the periods they are multinomial, which frees the partner's own
/// level (Hausman, Hall and Griliches 1984). The highest point of the posterior, by Newton's method, and its curvature there.
#[must_use]
pub fn by_source(panels: &[Panel], sources: usize, prior: Elasticity) -> Vec<Elasticity> {
    let one = |source: usize| {
        let bends = |at: f64| {
            let precision = 1.0 / (prior.sd * prior.sd);
            let (mut slope, mut bend) = ((prior.mean - at) * precision, precision);
            for panel in panels.iter().filter(|panel| panel.source == source) {
                let (more, sharper) = panel.slope(at);
                slope += more;
                bend += sharper;
            }
            (slope, bend)
        };
        let mut mean = prior.mean;
        for _ in 0..20 {
            let (slope, bend) = bends(mean);
            mean += slope / bend;
        }
        Elasticity { mean: mean.max(0.0), sd: 1.0 / bends(mean).1.sqrt() }
    };
    (0..sources).map(one).collect()
}

impl Panel {
    /// The slope of the conditional likelihood and how fast it falls.
    fn slope(&self, elasticity: f64) -> (f64, f64) {
        let (mut total, mut weight, mut first, mut second, mut seen) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (log_rate, count) in &self.periods {
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

    /// How many conversions a period brings at the program's rate: a gamma prior of `usual` that counts as one conversion,
    /// updated.
    #[must_use]
    pub fn level(&self, elasticity: f64, usual: f64) -> f64 {
        let count: f64 = self.periods.iter().map(|(_, count)| count).sum();
        let exposure: f64 = self.periods.iter().map(|(log_rate, _)| libm::exp(elasticity * log_rate)).sum();
        (count + 1.0) / (exposure + 1.0 / usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_elasticity_is_found_again_without_knowing_partners_levels() {
        let panel = |level: f64| {
            let period = |rate: f64| (libm::log(rate), level * libm::pow(rate, 1.3));
            Panel { source: 0, periods: [0.8, 1.0, 1.25].map(period).to_vec() }
        };
        let prior = Elasticity { mean: 0.5, sd: 10.0 };
        let found = by_source(&[panel(1_000.0), panel(50.0)], 2, prior);
        assert!((found[0].mean - 1.3).abs() < 1e-3 && (found[1].mean - 0.5).abs() < 1e-9, "{found:?}");
        assert!(found[0].sd < 0.2 && (found[1].sd - 10.0).abs() < 1e-9, "{found:?}");
    }
}
