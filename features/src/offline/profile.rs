//! What the values of each feature of a training set looked like, so that a later day can be held against it.

use polars::prelude::{Column, DataFrame, DataType};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::TrainingError;
use crate::value::real;

/// Into how many bins the values of a feature are divided, as evenly as they allow.
pub const BINS: usize = 10;
/// The version of what is written.
const VERSION: u32 = 1;

/// What a training set looked like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Of this shape.
    pub version: u32,
    /// Which feature set, as `fraud_v1`.
    pub set: String,
    /// The fingerprint of its definitions, in hexadecimal.
    pub fingerprint: String,
    /// Where its rows came from.
    pub labels: String,
    /// From when on they are dated.
    pub from: String,
    /// Until when.
    pub to: String,
    /// How many there are.
    pub rows: u64,
    /// Each feature, in the order of the set.
    pub features: Vec<FeatureProfile>,
}

/// What the values of one feature looked like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureProfile {
    /// Which.
    pub name: String,
    /// How it is computed, and of what.
    pub source: String,
    /// How many values there are.
    pub count: u64,
    /// Which share of the rows has none.
    pub missing_share: f64,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Their standard deviation.
    pub std: Option<f64>,
    /// The upper ends of all bins but the last, which has none; a value that is an end lies below it.
    pub edges: Vec<f64>,
    /// Which share of the values lies in each bin.
    pub shares: Vec<f64>,
}

impl Profile {
    /// The version of what this release writes.
    pub const VERSION: u32 = VERSION;
}

/// The numbers of a column, and how many are missing; none when it holds something else.
fn numbers(column: &Column) -> Result<Option<(Vec<f64>, usize)>, TrainingError> {
    let dtype = column.dtype();
    let is_number = dtype.is_integer() || dtype.is_float() || *dtype == DataType::Boolean;
    if !is_number {
        return Ok(None);
    }
    let column = column.cast(&DataType::Float64).map_err(TrainingError::computing("profiling"))?;
    let numbers = column.f64().map_err(TrainingError::computing("profiling"))?;
    let there: Vec<f64> = numbers.iter().flatten().filter(|number| !number.is_nan()).collect();
    let missing = numbers.len() - there.len();
    Ok(Some((there, missing)))
}

/// A number of rows as a real number.
fn many(count: usize) -> f64 {
    real(count as i128)
}

/// The profiles of those columns of a frame that hold numbers; `named` are their names, and what each is computed of.
///
/// # Errors
/// When a column is not there.
pub fn of_columns(
    frame: &DataFrame,
    named: &[(String, String)],
) -> Result<Vec<FeatureProfile>, TrainingError> {
    let profile = |(name, source): &(String, String)| {
        let column = frame.column(name).map_err(TrainingError::computing("profiling"))?;
        let found = numbers(column)?;
        Ok(found.map(|(there, missing)| FeatureProfile::of(name, source, there, missing)))
    };
    let found: Vec<Option<FeatureProfile>> =
        named.par_iter().map(profile).collect::<Result<_, TrainingError>>()?;
    Ok(found.into_iter().flatten().collect())
}

impl FeatureProfile {
    /// The profile of these numbers, besides which so many are missing.
    #[must_use]
    pub fn of(name: &str, source: &str, mut numbers: Vec<f64>, missing: usize) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        let count = many(numbers.len());
        let mean = (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / count);
        let variance = |mean: f64| numbers.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
        let edges = edges(&numbers);
        let shares = bins(&numbers, &edges).into_iter().map(|it| many(it) / count.max(1.0)).collect();
        Self {
            name: name.to_owned(),
            source: source.to_owned(),
            count: numbers.len() as u64,
            missing_share: many(missing) / many(missing + numbers.len()).max(1.0),
            min: numbers.first().copied(),
            max: numbers.last().copied(),
            mean,
            std: mean.map(|mean| variance(mean).sqrt()),
            edges,
            shares,
        }
    }
}

/// The ends of bins of sorted numbers: in the middle between a quantile and the next larger number, so that no number
/// lies on an end and equal numbers share a bin.
fn edges(sorted: &[f64]) -> Vec<f64> {
    let mut edges: Vec<f64> = Vec::new();
    for bin in 1..BINS {
        let Some(quantile) = sorted.get((sorted.len() * bin / BINS).saturating_sub(1)) else { continue };
        let next = sorted.get(sorted.partition_point(|it| it <= quantile));
        let edge = next.map(|next| quantile + (next - quantile) / 2.0);
        edges.extend(edge.filter(|edge| edges.last().is_none_or(|last| last < edge)));
    }
    edges
}

/// How many of the numbers lie in each bin.
fn bins(numbers: &[f64], edges: &[f64]) -> Vec<usize> {
    let mut bins = vec![0; edges.len() + 1];
    for number in numbers {
        bins[edges.partition_point(|edge| edge < number)] += 1;
    }
    bins
}

/// How much a feature moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It did not.
    Stable,
    /// Somewhat: worth a look.
    Shifted,
    /// So much that a model which was trained on what it was should not be trusted.
    Moved,
}

impl Verdict {
    /// As it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Shifted => "shifted",
            Self::Moved => "moved",
        }
    }
}

/// A feature's values beside those of its profile.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// Which feature.
    pub name: String,
    /// How it is computed, and of what.
    pub source: String,
    /// How much it moved.
    pub verdict: Verdict,
    /// What says so.
    pub because: Vec<String>,
    /// The population stability index over the profile's bins; zero when nothing moved.
    pub psi: f64,
    /// What the index stays below in 999 of 1,000 samples of this size when nothing moved.
    pub psi_by_chance: f64,
    /// The missing share in the profile.
    pub missing_before: f64,
    /// The missing share now.
    pub missing_now: f64,
    /// Which share of the values lies outside the profile's range.
    pub outside_share: f64,
    /// The mean in the profile.
    pub mean_before: Option<f64>,
    /// The mean now.
    pub mean_now: Option<f64>,
}

/// From which index on a feature shifted, and moved: the usual rules of thumb of credit scoring.
const PSI: [f64; 2] = [0.1, 0.25];
/// From which difference of missing shares on.
const MISSING: [f64; 2] = [0.05, 0.2];
/// From which share of values outside the range on.
const OUTSIDE: [f64; 2] = [0.01, 0.05];
/// So many values outside the range are an accident.
const FEW: usize = 2;
/// One in a thousand, on one side and on both, in standard deviations.
const RARE: [f64; 2] = [3.090, 3.291];

impl FeatureProfile {
    /// Holds the values of a frame's column against the profile.
    ///
    /// # Errors
    /// When there is no such column, or it holds no numbers.
    pub fn drift(&self, frame: &DataFrame) -> Result<Drift, TrainingError> {
        let column = frame.column(&self.name).map_err(TrainingError::computing("comparing"))?;
        let (numbers, missing) = numbers(column)?.unwrap_or_default();
        Ok(self.compare(&numbers, missing))
    }

    /// Holds numbers, besides which so many are missing, against the profile.
    #[must_use]
    pub fn compare(&self, numbers: &[f64], missing: usize) -> Drift {
        let rows = many(numbers.len() + missing);
        let outside = |number: &&f64| {
            self.min.is_some_and(|min| **number < min) || self.max.is_some_and(|max| max < **number)
        };
        let outside = numbers.iter().filter(outside).count();
        let (psi, psi_by_chance) = self.psi(numbers);
        let missing_now = many(missing) / rows.max(1.0);
        let mut drift = Drift {
            name: self.name.clone(),
            source: self.source.clone(),
            verdict: Verdict::Stable,
            because: Vec::new(),
            psi,
            psi_by_chance,
            missing_before: self.missing_share,
            missing_now,
            outside_share: many(outside) / many(numbers.len()).max(1.0),
            mean_before: self.mean,
            mean_now: (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / many(numbers.len())),
        };
        if psi_by_chance < psi {
            drift.judge(psi, PSI, || format!("its values lie elsewhere (PSI {psi:.2})"));
        }
        let difference = (missing_now - self.missing_share).abs();
        if self.missing_by_chance(missing_now, rows) < difference {
            let before = 100.0 * self.missing_share;
            let now = 100.0 * missing_now;
            drift.judge(difference, MISSING, || format!("{now:.1} % are missing, not {before:.1} %"));
        }
        if FEW < outside {
            let share = drift.outside_share;
            let (min, max) = (self.min.unwrap_or_default(), self.max.unwrap_or_default());
            let percent = 100.0 * share;
            drift.judge(share, OUTSIDE, || format!("{percent:.1} % lie outside {min} to {max}"));
        }
        drift
    }

    /// How far the missing share moves by chance.
    fn missing_by_chance(&self, now: f64, rows: f64) -> f64 {
        let before = real(i128::from(self.count)) / (1.0 - self.missing_share).max(f64::EPSILON);
        let both = (self.missing_share * before + now * rows) / (before + rows).max(1.0);
        RARE[1] * (both * (1.0 - both) * (1.0 / before.max(1.0) + 1.0 / rows.max(1.0))).sqrt()
    }

    /// The index, and what it stays below by chance: it is distributed as `(1/n + 1/m) χ²` with one degree of freedom
    /// less than there are bins (B. Yurdakul and J. Naranjo, «Statistical properties of the population stability
    /// index», 2020). Half a value is added to each bin, so that an empty one does not make it endless.
    fn psi(&self, numbers: &[f64]) -> (f64, f64) {
        let (before, now) = (real(i128::from(self.count)), many(numbers.len()));
        if self.count == 0 || numbers.is_empty() {
            return (0.0, 0.0);
        }
        let room = many(self.shares.len()) / 2.0;
        let counts = bins(numbers, &self.edges);
        let term = |(share, count): (&f64, &usize)| {
            let (one, other) =
                ((share * before + 0.5) / (before + room), (many(*count) + 0.5) / (now + room));
            (other - one) * (other / one).ln()
        };
        let psi = self.shares.iter().zip(&counts).map(term).sum();
        let freedom = many(self.edges.len());
        // E. B. Wilson and M. M. Hilferty, «The distribution of chi-square», 1931.
        let spread = 2.0 / (9.0 * freedom.max(1.0));
        let rare = freedom * (1.0 - spread + RARE[0] * spread.sqrt()).powi(3);
        (psi, rare * (1.0 / before + 1.0 / now))
    }
}

impl Drift {
    fn judge(&mut self, found: f64, [shifted, moved]: [f64; 2], because: impl FnOnce() -> String) {
        if found < shifted {
            return;
        }
        let verdict = if found < moved { Verdict::Shifted } else { Verdict::Moved };
        self.verdict = self.verdict.max(verdict);
        self.because.push(because());
    }
}

#[cfg(test)]
mod tests {
    use domain::Chance;
    use polars::prelude::{Float64Chunked, IntoColumn, NewChunkedArray};

    use super::*;

    fn frame(numbers: impl Iterator<Item = Option<f64>>) -> DataFrame {
        let column = Float64Chunked::from_iter_options("it".into(), numbers).into_column();
        DataFrame::new_infer_height(vec![column]).unwrap()
    }

    fn profile(frame: &DataFrame) -> FeatureProfile {
        of_columns(frame, &[("it".to_owned(), "clicks".to_owned())]).unwrap().remove(0)
    }

    /// Numbers from zero to a thousand, `up` higher.
    fn random(chance: &Chance, many: usize, up: f64) -> DataFrame {
        frame((0..many).map(|_| Some(real(i128::from(chance.below(1_001))) + up)))
    }

    #[test]
    fn a_profile_says_what_the_values_are() {
        let profile = profile(&frame((0..100).map(|it| (it % 4 != 0).then(|| f64::from(it)))));
        assert_eq!((profile.count, profile.min, profile.max), (75, Some(1.0), Some(99.0)));
        assert!((profile.missing_share - 0.25).abs() < 1e-12);
        assert_eq!(profile.mean, Some(50.0));
        assert_eq!((profile.edges.len(), profile.shares.len()), (9, 10));
        assert!((profile.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(profile.shares.iter().all(|share| (share - 0.1).abs() < 0.02), "{:?}", profile.shares);
    }

    #[test]
    fn equal_values_share_a_bin_and_survive_the_file() {
        let profile = profile(&frame((0..90).map(|it| Some(f64::from(it % 3) / 3.0))));
        assert_eq!(profile.shares.len(), 3);
        let read: FeatureProfile = serde_json::from_str(&serde_json::to_string(&profile).unwrap()).unwrap();
        let same = read.drift(&frame((0..90).map(|it| Some(f64::from(it % 3) / 3.0)))).unwrap();
        assert!(same.psi < 1e-12 && same.verdict == Verdict::Stable, "{same:?}");
    }

    #[test]
    fn chance_alone_moves_nothing_however_small_the_day() {
        let chance = Chance::seeded(1);
        let before = profile(&random(&chance, 5_000, 0.0));
        for rows in [1, 5, 20, 50, 500, 5_000] {
            for _ in 0..20 {
                let drift = before.drift(&random(&chance, rows, 0.0)).unwrap();
                assert_eq!(drift.verdict, Verdict::Stable, "{rows} rows: {drift:?}");
            }
        }
    }

    #[test]
    fn what_moves_is_found_and_said() {
        let chance = Chance::seeded(2);
        let before = profile(&random(&chance, 5_000, 0.0));
        let moved = before.drift(&random(&chance, 1_000, 300.0)).unwrap();
        assert_eq!(moved.verdict, Verdict::Moved);
        assert_eq!(moved.because.len(), 2, "{moved:?}");
        let holes = frame((0..1_000).map(|it| (it % 10 != 0).then(|| real(i128::from(chance.below(1_001))))));
        let holes = before.drift(&holes).unwrap();
        assert_eq!(holes.verdict, Verdict::Shifted);
        assert_eq!(holes.because, ["10.0 % are missing, not 0.0 %"]);
        let nothing = before.drift(&frame((0..50).map(|_| None))).unwrap();
        assert_eq!((nothing.verdict, nothing.missing_now), (Verdict::Moved, 1.0));
    }

    #[test]
    fn the_index_is_that_of_the_books() {
        // Two bins of a half each, then one of a quarter and one of three: (¾ − ½) ln (¾ ∕ ½) + (¼ − ½) ln (¼ ∕ ½).
        let before = profile(&frame((0..100_000).map(|it| Some(f64::from(it % 2)))));
        let drift = before.drift(&frame((0..100_000).map(|it| Some(f64::from(it % 4).min(1.0))))).unwrap();
        let expected = 0.25 * 1.5_f64.ln() - 0.25 * 0.5_f64.ln();
        assert!((drift.psi - expected).abs() < 1e-4, "{} for {expected}", drift.psi);
    }
}
