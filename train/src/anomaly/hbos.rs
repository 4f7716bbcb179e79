//! HBOS: how low the histogram of each feature is where a value falls (Goldstein and Dengel 2012), in its static
//! variant: bins of equal width.

use rayon::prelude::*;

use super::{
    Detector, DetectorError, check_learnable,
    matrix::Matrix,
    steps::{self, Steps},
};

/// How many bins a histogram has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bins {
    /// 2 ∛n of them (Rice's rule), which is what the best histogram of n rows grows like.
    CubeRoot,
    /// So many.
    Exactly(usize),
}

impl Bins {
    fn count(self, rows: usize) -> usize {
        match self {
            Self::CubeRoot => (2.0 * libm::cbrt(rows as f64)).ceil() as usize,
            Self::Exactly(bins) => bins,
        }
    }
}

/// The histogram of each feature.
///
/// A feature's part of the score is ln(greatest height / height at the value), and the score is the sum of the parts.
/// A feature with no more different values than bins has a bin for each of them, as categories do. An empty bin, a value
/// beyond all that was seen, and a missing one where none was missing count as half a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Hbos {
    features: Vec<Steps>,
}

impl Hbos {
    /// Learns the histogram of each column.
    ///
    /// # Errors
    /// When there is nothing to learn from, or no bin.
    pub fn fit(table: &Matrix, bins: Bins) -> Result<Self, DetectorError> {
        check_learnable(table)?;
        let bins = bins.count(table.rows());
        if bins == 0 {
            let allowed = "at least 1";
            return Err(DetectorError::Setting { setting: "bins", value: "0".to_owned(), allowed });
        }
        let features: Vec<Steps> = (0..table.width())
            .into_par_iter()
            .map(|column| {
                let category = table.columns()[column].levels.is_some();
                histogram(table.column(column), if category { usize::MAX } else { bins })
            })
            .collect();
        Ok(Self { features })
    }

    /// Each feature's part of the score, for another format.
    #[must_use]
    pub fn features(&self) -> &[Steps] {
        &self.features
    }
}

impl Detector for Hbos {
    fn name(&self) -> &'static str {
        "hbos"
    }

    fn scores(&self, table: &Matrix) -> Result<Vec<f64>, DetectorError> {
        table.check_width(self.features.len())?;
        Ok(steps::sums(&self.features, table))
    }

    fn blame(&self, row: &[f64]) -> Vec<f64> {
        steps::parts(&self.features, row)
    }
}

fn histogram(column: impl Iterator<Item = f64>, bins: usize) -> Steps {
    let (counted, missing) = steps::counted(column);
    let edges = edges(&counted, bins);
    let mut counts = vec![0; edges.len() + 1];
    for (value, count) in &counted {
        counts[edges.partition_point(|edge| edge < value)] += count;
    }
    let highest = counts.iter().copied().max().unwrap_or(0).max(missing) as f64;
    let part = |count: usize| libm::log(highest / (count as f64).max(0.5));
    let values = counts.into_iter().map(part).collect();
    Steps { edges, values, missing: part(missing) }
}

/// Where bins end; the first of them holds what is below all values, and what is beyond the last edge is above them.
fn edges(counted: &[(f64, usize)], bins: usize) -> Vec<f64> {
    let (Some(&(least, _)), Some(&(greatest, _))) = (counted.first(), counted.last()) else {
        return Vec::new();
    };
    let mut edges = vec![least.next_down()];
    if counted.len() <= bins {
        edges.extend(counted.windows(2).map(|pair| f64::midpoint(pair[0].0, pair[1].0)));
    } else {
        let share = |bin: usize| bin as f64 / bins as f64;
        edges.extend((1..bins).map(|bin| least * (1.0 - share(bin)) + greatest * share(bin)));
    }
    edges.push(greatest);
    // Where floats are too coarse for the bins, some of them fall together.
    edges.dedup_by(|next, kept| *next <= *kept);
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
    }

    #[test]
    fn few_values_have_a_bin_each() {
        let steps = histogram([1.0, 1.0, 1.0, 1.0, 3.0, 3.0, f64::NAN].into_iter(), 5);
        near(steps.at(1.0), 0.0);
        near(steps.at(3.0), 2.0_f64.ln());
        near(steps.at(f64::NAN), 4.0_f64.ln());
        for never_seen in [0.9, 3.1] {
            near(steps.at(never_seen), 8.0_f64.ln());
        }
    }

    #[test]
    fn many_values_share_bins_of_equal_width() {
        let column = [0.0, 0.1, 0.2, 0.3, 0.4, 1.1, 1.2, 3.9, 4.0];
        let steps = histogram(column.into_iter(), 4);
        near(steps.at(0.7), 0.0);
        near(steps.at(1.7), (5.0_f64 / 2.0).ln());
        near(steps.at(2.5), (5.0_f64 / 0.5).ln());
        near(steps.at(4.0), (5.0_f64 / 2.0).ln());
        near(steps.at(f64::NAN), (5.0_f64 / 0.5).ln());
    }

    #[test]
    fn values_too_close_for_bins_between_them_still_count() {
        let near_one = (0..40).map(|step| 1.0 + f64::from(step % 3) * f64::EPSILON);
        let steps = histogram(near_one, 2);
        assert!(steps.edges.is_sorted() && steps.at(1.0).is_finite());
    }
}
