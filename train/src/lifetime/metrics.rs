//! How good predictions of amounts are: rank, calibration, totals and coverage, over all and in each segment.

use rayon::prelude::*;

use super::{LifetimeError, Prediction, Segment};
use crate::anomaly::dice::Dice;

/// How many points of the Gini curve are told besides the first.
const POINTS: usize = 100;
/// The stream of chance that draws customers.
const STREAM: u64 = 0x6c74_7604;

/// What there is to say of some predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// How many customers there are.
    pub customers: usize,
    /// The area between the curve of what customers spent, those of the highest predictions first, and the diagonal, as a
    /// part of the same area for the true order. Customers of one prediction share what they spent. NaN where nobody spent.
    pub gini: f64,
    /// Spearman's rank correlation, ties at their mean rank; NaN where all are alike.
    pub spearman: f64,
    /// Over ten groups of equal size by prediction: the sum of |predicted − spent| over the sum of what was spent.
    pub decile_wmape: f64,
    /// The root of the mean squared error.
    pub rmse: f64,
    /// The sum of predictions over the sum of what was spent.
    pub total_ratio: f64,
    /// The part of customers who spent from `lower` to `upper`, both included.
    pub coverage: f64,
}

/// One of ten groups of customers, by prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decile {
    /// How many customers it has.
    pub customers: usize,
    /// Their mean prediction.
    pub predicted: f64,
    /// What they spent in the mean.
    pub actual: f64,
}

/// What [`judge`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// All customers.
    pub all: Measures,
    /// Each segment that has customers.
    pub segments: Vec<(Segment, Measures)>,
    /// Groups by prediction, the lowest first.
    pub deciles: Vec<Decile>,
    /// Points of the Gini curve: the part of customers, those of the highest predictions first, and the part of what was
    /// spent that is theirs.
    pub gini_curve: Vec<(f64, f64)>,
}

/// Compares predictions with what each customer spent.
///
/// # Errors
/// When there is nothing to compare, or not as much of the one as of the other.
pub fn judge(predictions: &[Prediction], actual: &[f64]) -> Result<Metrics, LifetimeError> {
    let (found, rows) = (actual.len(), predictions.len());
    if found != rows {
        return Err(LifetimeError::Ragged { what: "actual amounts", found, rows });
    }
    if rows == 0 {
        return Err(LifetimeError::NoTransactions);
    }
    let everybody: Vec<usize> = (0..rows).collect();
    let of = |rows: &[usize]| {
        let means: Vec<f64> = rows.iter().map(|row| predictions[*row].mean).collect();
        // Adding zero makes one of the two zeros, so that they tie.
        let spent: Vec<f64> = rows.iter().map(|row| actual[*row] + 0.0).collect();
        let within =
            |row: &&usize| (predictions[**row].lower..=predictions[**row].upper).contains(&actual[**row]);
        let coverage = rows.iter().filter(within).count() as f64 / rows.len() as f64;
        Measures { coverage, ..measures(&means, &spent) }
    };
    let segment = |segment: Segment| {
        let rows: Vec<usize> =
            everybody.iter().copied().filter(|row| predictions[*row].segment == segment).collect();
        (!rows.is_empty()).then(|| (segment, of(&rows)))
    };
    let means: Vec<f64> = predictions.iter().map(|prediction| prediction.mean).collect();
    Ok(Metrics {
        all: of(&everybody),
        segments: Segment::ALL.into_iter().filter_map(segment).collect(),
        deciles: deciles(&means, actual),
        gini_curve: gini_curve(&means, actual),
    })
}

/// Where each measure lies: the ends of intervals of this level, from drawing as many customers with replacement so many
/// times (percentile bootstrap, Efron 1979). A drawing of customers who spent nothing says nothing and is left out; None where
/// all are.
#[must_use]
pub fn resampled(
    predictions: &[Prediction],
    actual: &[f64],
    (drawn, level): (u64, f64),
    seed: u64,
) -> Option<(Measures, Measures)> {
    let one = |number: u64| {
        let mut dice = Dice::new(seed ^ STREAM, number);
        let rows: Vec<usize> = (0..predictions.len()).map(|_| dice.index(predictions.len())).collect();
        let means: Vec<f64> = rows.iter().map(|row| predictions[*row].mean).collect();
        let spent: Vec<f64> = rows.iter().map(|row| actual[*row] + 0.0).collect();
        let within =
            |row: &&usize| (predictions[**row].lower..=predictions[**row].upper).contains(&actual[**row]);
        let coverage = rows.iter().filter(within).count() as f64 / rows.len() as f64;
        (0.0 < spent.iter().sum::<f64>()).then(|| Measures { coverage, ..measures(&means, &spent) })
    };
    let found: Vec<Measures> = (0..drawn).into_par_iter().filter_map(one).collect();
    let (mut low, mut high) = (*found.first()?, *found.first()?);
    let fields: [fn(&mut Measures) -> &mut f64; 6] = [
        |it| &mut it.gini,
        |it| &mut it.spearman,
        |it| &mut it.decile_wmape,
        |it| &mut it.rmse,
        |it| &mut it.total_ratio,
        |it| &mut it.coverage,
    ];
    for field in fields {
        let mut values: Vec<f64> = found.iter().map(|it| *field(&mut it.clone())).collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| values[(part * (values.len() - 1) as f64).round() as usize];
        (*field(&mut low), *field(&mut high)) = (at(0.5 - 0.5 * level), at(0.5 + 0.5 * level));
    }
    Some((low, high))
}

/// All measures but the coverage, which is zero.
pub(super) fn measures(predicted: &[f64], actual: &[f64]) -> Measures {
    let count = actual.len() as f64;
    let [foretold, spent] = [predicted, actual].map(|amounts| amounts.iter().sum::<f64>());
    let squares: f64 = predicted.iter().zip(actual).map(|(one, other)| (one - other) * (one - other)).sum();
    let missed = |decile: &Decile| (decile.predicted - decile.actual).abs() * decile.customers as f64;
    Measures {
        customers: actual.len(),
        gini: area(predicted, actual) / area(actual, actual),
        spearman: spearman(predicted, actual),
        decile_wmape: deciles(predicted, actual).iter().map(missed).sum::<f64>() / spent,
        rmse: (squares / count).sqrt(),
        total_ratio: foretold / spent,
        coverage: 0.0,
    }
}

/// Spearman's rank correlation, ties at their mean rank; NaN where all are alike.
pub(crate) fn spearman(one: &[f64], other: &[f64]) -> f64 {
    correlation(&ranks(one), &ranks(other))
}

/// The rows, those of the highest prediction first.
fn highest_first(predicted: &[f64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..predicted.len()).collect();
    rows.sort_by(|one, other| predicted[*other].total_cmp(&predicted[*one]));
    rows
}

/// The area between the curve and the diagonal, with what customers of one prediction spent spread evenly over them.
fn area(predicted: &[f64], actual: &[f64]) -> f64 {
    let (count, total) = (actual.len() as f64, actual.iter().sum::<f64>());
    let (mut area, mut before) = (0.0, 0.0);
    for alike in
        highest_first(predicted).chunk_by(|one, other| predicted[*one].total_cmp(&predicted[*other]).is_eq())
    {
        let spent = alike.iter().map(|row| actual[*row]).sum::<f64>() / total;
        area += alike.len() as f64 / count * (before + 0.5 * spent);
        before += spent;
    }
    area - 0.5
}

fn gini_curve(predicted: &[f64], actual: &[f64]) -> Vec<(f64, f64)> {
    let rows = highest_first(predicted);
    let total: f64 = actual.iter().sum();
    let mut sums = vec![0.0];
    for row in &rows {
        sums.push(sums[sums.len() - 1] + actual[*row] / total);
    }
    let point = |place: usize| {
        let at = place * rows.len() / POINTS;
        (at as f64 / rows.len() as f64, sums[at])
    };
    (0..=POINTS).map(point).collect()
}

fn deciles(predicted: &[f64], actual: &[f64]) -> Vec<Decile> {
    let mut rows = highest_first(predicted);
    rows.reverse();
    let mean = |rows: &[usize], of: &[f64]| rows.iter().map(|row| of[*row]).sum::<f64>() / rows.len() as f64;
    let decile = |number: usize| {
        let of = &rows[number * rows.len() / 10..(number + 1) * rows.len() / 10];
        let told =
            || Decile { customers: of.len(), predicted: mean(of, predicted), actual: mean(of, actual) };
        (!of.is_empty()).then(told)
    };
    (0..10).filter_map(decile).collect()
}

/// The rank of each value, the mean of their places for those alike.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut rows: Vec<usize> = (0..values.len()).collect();
    rows.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let (mut ranks, mut before) = (vec![0.0; values.len()], 0);
    for alike in rows.chunk_by(|one, other| values[*one].total_cmp(&values[*other]).is_eq()) {
        let rank = before as f64 + 0.5 * (alike.len() as f64 + 1.0);
        alike.iter().for_each(|row| ranks[*row] = rank);
        before += alike.len();
    }
    ranks
}

fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let count = one.len() as f64;
    let [mean, other_mean] = [one, other].map(|values| values.iter().sum::<f64>() / count);
    let (mut both, mut squares, mut other_squares) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean, b - other_mean);
        both += a * b;
        squares += a * a;
        other_squares += b * b;
    }
    both / (squares * other_squares).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_true_order_has_a_gini_of_one_and_its_reverse_of_minus_one() {
        let spent = [0.0, 0.0, 5.0, 1.0, 30.0];
        let backwards = spent.map(|it| -it);
        assert!((measures(&spent, &spent).gini - 1.0).abs() < 1e-12);
        assert!((measures(&backwards, &spent).gini + 1.0).abs() < 1e-12);
        assert!(measures(&[1.0; 5], &spent).gini.abs() < 1e-12);
    }

    #[test]
    fn ties_share_their_ranks_as_in_scipy() {
        // scipy.stats.spearmanr([1, 2, 2, 4, 5], [0, 0, 3, 3, 9]).
        let found = measures(&[1.0, 2.0, 2.0, 4.0, 5.0], &[0.0, 0.0, 3.0, 3.0, 9.0]).spearman;
        assert!((found - 0.865_180_912_697_400_3).abs() < 1e-12, "{found}");
    }

    #[test]
    fn deciles_that_miss_add_up_even_where_totals_agree() {
        let spent: Vec<f64> = (0..20).map(|row| f64::from(row / 2)).collect();
        let mean = [4.5; 20];
        let found = measures(&mean, &spent);
        assert!((found.total_ratio - 1.0).abs() < 1e-12 && (found.rmse - 8.25_f64.sqrt()).abs() < 1e-12);
        // |4.5 − 0| + … + |4.5 − 9| = 25 of 45.
        let ordered: Vec<f64> = spent.iter().map(|it| 4.5 + 1e-9 * it).collect();
        assert!((measures(&ordered, &spent).decile_wmape - 25.0 / 45.0).abs() < 1e-6);
    }

    #[test]
    fn drawings_without_a_buyer_are_left_out() {
        let of = |customer: usize| Prediction {
            customer,
            mean: 1.0 + customer as f64,
            lower: 0.0,
            upper: 9.0,
            p_active: 1.0,
            segment: Segment::Loyal,
        };
        let predictions: Vec<Prediction> = (0..12).map(of).collect();
        let mut spent = [0.0; 12];
        assert!(resampled(&predictions, &spent, (200, 0.95), 1).is_none());
        // One of twelve buys: about a third of all drawings are without them.
        spent[11] = 40.0;
        let (low, high) = resampled(&predictions, &spent, (200, 0.95), 1).unwrap();
        for (low, high) in [
            (low.gini, high.gini),
            (low.decile_wmape, high.decile_wmape),
            (low.total_ratio, high.total_ratio),
        ] {
            assert!(low.is_finite() && high.is_finite() && low <= high, "{low} to {high}");
        }
    }

    proptest! {
        #[test]
        fn rank_does_not_change_with_the_scale(
            rows in prop::collection::vec((0.0..9.0, 0.0..100.0), 3..60), times in 0.1..50.0,
        ) {
            let (predicted, spent): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
            let scaled: Vec<f64> = predicted.iter().map(|it| it * times).collect();
            let (one, other) = (measures(&predicted, &spent), measures(&scaled, &spent));
            prop_assert!((one.gini - other.gini).abs() < 1e-9 && one.gini <= 1.0 + 1e-9);
            prop_assert!((one.spearman - other.spearman).abs() < 1e-9);
            let curve = gini_curve(&predicted, &spent);
            prop_assert!(curve.windows(2).all(|pair| pair[0].1 <= pair[1].1 + 1e-12));
        }
    }
}
