//! What the values of a feature are told apart by: ranges with real numbers between them, or the most frequent
//! categories.

use rayon::prelude::*;

use super::GbdtError;
use crate::anomaly::{
    dice::Dice,
    matrix::{Column, Matrix},
};

/// The bin of missing values.
pub(super) const MISSING: u8 = 255;
/// The bin of categories that are not told apart.
const OTHER: u8 = 254;
/// How many rows the ranges are found from; all where there are fewer.
const SAMPLE: usize = 200_000;
/// The stream of chance that they are drawn by, which no tree has.
const STREAM: u64 = u64::MAX;

/// The bins of one feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bins {
    /// Bin k holds the values above edge k − 1 and up to edge k; above the last edge there is one more.
    Numbers(Edges),
    /// Bin k holds one category.
    Categories {
        /// The category of each bin, most frequent first.
        codes: Vec<u32>,
        /// The same, rising, with their bins.
        sorted: Vec<(u32, u8)>,
    },
}

/// Rising numbers between bins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edges {
    count: usize,
    /// Filled up with infinity, so that a search takes eight steps and no branch.
    padded: Box<[f64; 256]>,
}

impl Edges {
    fn new(edges: &[f64]) -> Self {
        let mut padded = Box::new([f64::INFINITY; 256]);
        padded[..edges.len()].copy_from_slice(edges);
        Self { count: edges.len(), padded }
    }

    /// How many edges are below a value.
    fn below(&self, value: f64) -> u8 {
        let mut at = 0_usize;
        for step in [128, 64, 32, 16, 8, 4, 2, 1] {
            let beyond = self.padded[(at + step - 1) & 255] < value;
            at += if beyond { step } else { 0 };
        }
        at as u8
    }
}

impl Bins {
    /// How many bins there are besides those of missing and of other values.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Numbers(edges) => edges.count + 1,
            Self::Categories { codes, .. } => codes.len(),
        }
    }

    /// The bin of a value.
    pub(super) fn of(&self, value: f64) -> u8 {
        match self {
            _ if value.is_nan() => MISSING,
            Self::Numbers(edges) => edges.below(value),
            Self::Categories { sorted, .. } => code(value)
                .and_then(|code| sorted.binary_search_by_key(&code, |(code, _)| *code).ok())
                .map_or(OTHER, |place| sorted[place].1),
        }
    }

    /// The number up to which values are in the first `bin + 1` bins.
    pub(super) fn threshold(&self, bin: u8) -> f64 {
        match self {
            Self::Numbers(edges) if usize::from(bin) < edges.count => edges.padded[usize::from(bin)],
            _ => f64::MAX,
        }
    }

    /// The bins of each column of a table.
    ///
    /// # Errors
    /// When a category is no code.
    pub(super) fn of_table(table: &Matrix, most: usize, seed: u64) -> Result<Vec<Self>, GbdtError> {
        check_categories(table)?;
        let width = table.width();
        let mut sample = Dice::new(seed, STREAM).sample(table.rows() as u32, SAMPLE);
        sample.sort_unstable();
        let mut columns = vec![Vec::with_capacity(sample.len()); width];
        for row in sample {
            for (column, value) in columns.iter_mut().zip(table.row(row as usize)) {
                // Adding zero makes one of the two zeros.
                column.push(*value + 0.0);
            }
        }
        let learned = |(column, values): (&Column, Vec<f64>)| {
            let counted = counted(values);
            if column.levels.is_some() { categories(counted) } else { numbers(&counted, most) }
        };
        Ok(table.columns().par_iter().zip(columns).map(learned).collect())
    }
}

/// The category that a number stands for.
fn code(value: f64) -> Option<u32> {
    let code = value as u32;
    (f64::from(code).total_cmp(&(value + 0.0)).is_eq()).then_some(code)
}

fn check_categories(table: &Matrix) -> Result<(), GbdtError> {
    for (at, column) in table.columns().iter().enumerate().filter(|(_, column)| column.levels.is_some()) {
        let wrong = table.column(at).enumerate().find(|(_, value)| !value.is_nan() && code(*value).is_none());
        if let Some((row, value)) = wrong {
            return Err(GbdtError::Category { row, name: column.name.clone(), value });
        }
    }
    Ok(())
}

/// The values that are there, rising, each with how often it is.
fn counted(mut values: Vec<f64>) -> Vec<(f64, usize)> {
    values.retain(|value| !value.is_nan());
    values.sort_unstable_by(f64::total_cmp);
    values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|same| (same[0], same.len())).collect()
}

fn categories(mut counted: Vec<(f64, usize)>) -> Bins {
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted.truncate(usize::from(OTHER));
    let codes: Vec<u32> = counted.iter().map(|(value, _)| *value as u32).collect();
    let mut sorted: Vec<(u32, u8)> = codes.iter().enumerate().map(|(bin, code)| (*code, bin as u8)).collect();
    sorted.sort_unstable();
    Bins::Categories { codes, sorted }
}

/// Ranges of equal count; a value that fills a range has it for itself (as in LightGBM, `GreedyFindBin`).
fn numbers(counted: &[(f64, usize)], most: usize) -> Bins {
    let edge = |at: usize| between(counted[at].0, counted[at + 1].0);
    let gaps = counted.len().saturating_sub(1);
    if gaps < most {
        return Bins::Numbers(Edges::new(&(0..gaps).map(edge).collect::<Vec<f64>>()));
    }
    let total: usize = counted.iter().map(|(_, count)| count).sum();
    let fills = |at: usize| total <= counted[at].1 * most;
    let filled: Vec<usize> = (0..counted.len()).filter(|at| fills(*at)).collect();
    let mut bins_left = most - filled.len();
    let mut rows_left = total - filled.iter().map(|at| counted[*at].1).sum::<usize>();
    let mean = |rows: usize, bins: usize| rows as f64 / bins.max(1) as f64;
    let (mut edges, mut here, mut aim) = (Vec::new(), 0, mean(rows_left, bins_left));
    for (at, (_, count)) in counted[..gaps].iter().enumerate() {
        here += count;
        if !fills(at) {
            rows_left -= count;
        }
        let full = fills(at) || aim <= here as f64 || (fills(at + 1) && 0.5 * aim <= here as f64);
        if full {
            edges.push(edge(at));
            if edges.len() + 1 == most {
                break;
            }
            here = 0;
            if !fills(at) {
                bins_left = bins_left.saturating_sub(1);
                aim = mean(rows_left, bins_left);
            }
        }
    }
    Bins::Numbers(Edges::new(&edges))
}

/// A number not below `low` and below `high`.
fn between(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    if middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(values: &[f64], most: usize) -> Bins {
        numbers(&counted(values.to_vec()), most)
    }

    #[test]
    fn a_value_that_is_frequent_has_a_bin_of_its_own() {
        let mut values = vec![0.0; 500];
        values.extend((1..=500).map(f64::from));
        let bins = learned(&values, 11);
        assert_eq!(bins.count(), 11);
        assert_eq!(bins.of(0.0), 0);
        assert_eq!(bins.of(1.0), 1);
        let sizes: Vec<usize> =
            (0..11).map(|bin| values.iter().filter(|it| bins.of(**it) == bin).count()).collect();
        assert!(sizes[1..].iter().all(|size| (45..=55).contains(size)), "{sizes:?}");
    }

    #[test]
    fn neighbours_that_no_number_lies_between_are_told_apart() {
        let (low, high) = (1_772_323_200.0, 1_772_323_200.0_f64.next_up());
        let bins = learned(&[low, high], 255);
        assert!(
            (bins.of(low), bins.of(high)) == (0, 1) && low <= bins.threshold(0) && bins.threshold(0) < high
        );
    }

    #[test]
    fn categories_beyond_the_most_frequent_are_others() {
        let table = Matrix::learn(&[(
            "country".to_owned(),
            crate::anomaly::matrix::Values::Categories(
                (0..900)
                    .map(|row| Some(format!("c{:03}", if row < 600 { row % 300 } else { row % 3 })))
                    .collect(),
            ),
        )])
        .unwrap();
        let bins = &Bins::of_table(&table, 255, 1).unwrap()[0];
        assert_eq!(bins.count(), 254);
        assert_eq!(
            (bins.of(0.0), bins.of(299.0), bins.of(7e9), bins.of(0.5), bins.of(-1.0)),
            (0, OTHER, OTHER, OTHER, OTHER)
        );
        assert_eq!(bins.of(f64::NAN), MISSING);
    }

    proptest! {
        #[test]
        fn thresholds_divide_values_as_bins_do(
            values in prop::collection::vec(prop_oneof![-3.0..3.0, (-4_i32..4).prop_map(f64::from), 1e9..2e9], 1..300),
            most in 2_usize..=255,
        ) {
            let bins = learned(&values, most);
            prop_assert!(bins.count() <= most);
            for value in &values {
                for bin in 0..bins.count() as u8 {
                    prop_assert_eq!(bins.of(*value) <= bin, *value <= bins.threshold(bin));
                }
            }
        }
    }
}
