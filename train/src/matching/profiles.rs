//! What is known of users or items beside their interactions: named features, most of them absent.

use std::collections::BTreeMap;

use models::graph::told::{Range, Told};

use crate::anomaly::matrix::Values;

use super::MatchingError;

/// Into how many ranges of equally many rows numbers are parted.
const RANGES: usize = 10;
/// A word that fewer have says nothing of others.
const LEAST: usize = 2;

/// Features of users or items: each has some of them, with a weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profiles {
    names: Vec<String>,
    rows: Vec<Vec<(u32, f64)>>,
    /// The columns of numbers, as they are.
    numbers: Vec<(String, Vec<f64>)>,
    /// Which of them each feature is a range of, from where on and up to where; None for a word.
    ranges: Vec<Option<Range>>,
}

/// The rows that have a feature, and which range it is.
#[derive(Default)]
struct Having {
    rows: Vec<u32>,
    range: Option<Range>,
}

impl Profiles {
    /// Features from columns of a file, all as long as the first. A category, or each of several that `|`, `;`, `,` or
    /// spaces part, becomes a feature `column=word`; a number the feature of its range among ten of equal size; what
    /// only one row has, and what is missing, becomes none.
    ///
    /// # Errors
    /// When columns are of different length.
    pub fn from_columns(columns: &[(String, Values)]) -> Result<Self, MatchingError> {
        let length = columns.first().map_or(0, |(_, values)| length(values));
        let mut words: BTreeMap<String, Having> = BTreeMap::new();
        let mut kept: Vec<(String, Vec<f64>)> = Vec::new();
        for (name, values) in columns {
            let found = self::length(values);
            if found != length {
                return Err(MatchingError::Ragged { what: name.clone(), found, rows: length });
            }
            match values {
                Values::Numbers(numbers) => {
                    ranges((name, kept.len()), numbers, &mut words);
                    kept.push((name.clone(), numbers.clone()));
                }
                Values::Categories(texts) => tokens(name, texts, &mut words),
            }
        }
        let mut profiles = Self { rows: vec![Vec::new(); length], numbers: kept, ..Self::default() };
        for (name, Having { mut rows, range }) in words {
            rows.dedup();
            if LEAST <= rows.len() {
                let feature = profiles.names.len() as u32;
                rows.iter().for_each(|row| profiles.rows[*row as usize].push((feature, 1.0)));
                profiles.names.push(name);
                profiles.ranges.push(range);
            }
        }
        Ok(profiles)
    }

    /// Features by their numbers and weights, a row for each.
    pub(super) fn from_rows(names: Vec<String>, rows: Vec<Vec<(u32, f64)>>) -> Self {
        Self { ranges: vec![None; names.len()], names, rows, ..Self::default() }
    }

    /// How many users or items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of all features, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The features of one user or item and their weights, in order.
    #[must_use]
    pub fn row(&self, row: usize) -> &[(u32, f64)] {
        &self.rows[row]
    }

    /// The columns that a graph is given of each: numbers as they are, and for each word whether it is told.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let words = self.names.iter().zip(&self.ranges).filter(|(_, range)| range.is_none());
        self.numbers.iter().map(|(name, _)| name).chain(words.map(|(name, _)| name)).cloned().collect()
    }

    /// How many of these columns are numbers: the first ones.
    #[must_use]
    pub fn number_count(&self) -> usize {
        self.numbers.len()
    }

    /// These columns of one of them.
    #[must_use]
    pub fn raw(&self, row: usize) -> Vec<f64> {
        let mut told = vec![0.0; self.names.len()];
        self.rows[row].iter().for_each(|(feature, _)| told[*feature as usize] = 1.0);
        let words = told.into_iter().zip(&self.ranges).filter(|(_, range)| range.is_none());
        self.numbers
            .iter()
            .map(|(_, numbers)| numbers[row])
            .chain(words.map(|(is_told, _)| is_told))
            .collect()
    }

    /// What makes features of these columns.
    #[must_use]
    pub fn told(&self) -> Told {
        let mut columns = self.numbers.len();
        let mut word = || {
            columns += 1;
            Range { column: columns - 1, low: 0.5, high: f64::INFINITY }
        };
        let features = self.ranges.iter().map(|range| range.unwrap_or_else(&mut word)).collect();
        Told { columns, features }
    }

    /// The same features, each weighing the logarithm of how rare it is, and each row of length one (inverse document
    /// frequency: Spärck Jones 1972).
    #[must_use]
    pub fn scaled(&self) -> Self {
        let mut having = vec![0.0; self.names.len()];
        self.rows.iter().flatten().for_each(|(feature, _)| having[*feature as usize] += 1.0);
        let all = self.rows.len() as f64;
        let scaled = |row: &Vec<(u32, f64)>| {
            let weigh =
                |(feature, weight): &(u32, f64)| weight * libm::log1p(all / having[*feature as usize]);
            let length = row.iter().map(|entry| weigh(entry) * weigh(entry)).sum::<f64>().sqrt();
            row.iter().map(|entry| (entry.0, weigh(entry) / length)).collect()
        };
        Self { rows: self.rows.iter().map(scaled).collect(), ..self.clone() }
    }
}

fn length(values: &Values) -> usize {
    match values {
        Values::Numbers(numbers) => numbers.len(),
        Values::Categories(texts) => texts.len(),
    }
}

fn ranges((name, column): (&str, usize), numbers: &[f64], words: &mut BTreeMap<String, Having>) {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let mut ends: Vec<f64> =
        (1..RANGES).filter_map(|at| sorted.get(at * sorted.len() / RANGES).copied()).collect();
    ends.dedup_by(|a, b| a.total_cmp(b).is_eq());
    for (row, number) in numbers.iter().enumerate().filter(|(_, number)| number.is_finite()) {
        let range = ends.partition_point(|end| end <= number);
        let (low, high) = (range.checked_sub(1).map(|at| ends[at]), ends.get(range).copied());
        let word = match (low, high) {
            (Some(low), Some(high)) => format!("{name}={low}..{high}"),
            (Some(low), None) => format!("{name}={low}.."),
            (None, Some(high)) => format!("{name}=..{high}"),
            (None, None) => continue,
        };
        let having = words.entry(word).or_default();
        having.rows.push(row as u32);
        // What is infinite counts as missing.
        let (low, high) = (low.unwrap_or(f64::MIN), high.unwrap_or(f64::INFINITY));
        having.range = Some(Range { column, low, high });
    }
}

/// The words of a category: what `|`, `;`, `,` or spaces part.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(['|', ';', ',', ' ']).filter(|word| !word.is_empty())
}

fn tokens(name: &str, texts: &[Option<String>], words: &mut BTreeMap<String, Having>) {
    for (row, text) in texts.iter().enumerate() {
        for word in text.iter().flat_map(|text| self::words(text)) {
            words.entry(format!("{name}={word}")).or_default().rows.push(row as u32);
        }
    }
}
