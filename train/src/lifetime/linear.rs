//! Linear scores over tables: how each column is read, and what weight it has.

use rayon::prelude::*;

use crate::anomaly::matrix::{Column, Matrix};

/// Rows are read in chunks of this many.
const CHUNK: usize = 1024;
/// How many categories of a column have a weight of their own.
const MOST_CATEGORIES: usize = 20;

/// How the values of a column are made fit for a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As they are.
    Plain,
    /// ln x.
    Logarithm,
    /// ln (1 + x).
    OnePlusLogarithm,
    /// ln (1 + x / u), where u is the mean amount of a purchase.
    OnePlusAmount,
}

/// What a term reads from its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reads {
    /// The number, brought within what was seen, and then onto its scale. Where it is missing the term is zero.
    Number {
        /// The scale.
        scale: Scale,
        /// The u of [`Scale::OnePlusAmount`]; one for all others.
        unit: f64,
        /// The lowest value that was seen.
        low: f64,
        /// The highest one.
        high: f64,
    },
    /// Whether the value is missing, as zero or one.
    Missing,
    /// Whether the category has this code, as zero or one.
    Category(u32),
}

/// How a column becomes terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// The scale of numbers.
    pub scale: Scale,
    /// Whether there is a term for the square besides, so that the score may bend.
    pub curved: bool,
}

/// One summand: the weight times `z = (reading − centre) / spread`, or times `(z² − 1) / bend` where there is a bend.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The column, by its place.
    pub column: usize,
    /// What is read from it.
    pub reads: Reads,
    /// The mean reading of the rows that were learned from.
    pub centre: f64,
    /// Their standard deviation.
    pub spread: f64,
    /// The standard deviation of z², of a term that is squared.
    pub bend: Option<f64>,
    /// The weight.
    pub weight: f64,
}

/// A sum of terms over a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// The columns that were learned from.
    pub columns: Vec<Column>,
    /// What is added to the terms.
    pub bias: f64,
    /// The terms.
    pub terms: Vec<Term>,
}

impl Scale {
    fn of(self, value: f64, unit: f64) -> f64 {
        match self {
            Self::Plain => value,
            Self::Logarithm => libm::log(value),
            Self::OnePlusLogarithm | Self::OnePlusAmount => libm::log1p(value / unit),
        }
    }
}

impl Term {
    /// What is read from a row, less its mean, in standard deviations; zero where a number is missing.
    #[must_use]
    pub fn reading(&self, row: &[f64]) -> f64 {
        let value = row[self.column];
        let read = match self.reads {
            Reads::Number { .. } if value.is_nan() => return 0.0,
            Reads::Number { scale, unit, low, high } => scale.of(value.clamp(low, high), unit),
            Reads::Missing => f64::from(u8::from(value.is_nan())),
            Reads::Category(code) => f64::from(u8::from(f64::from(code).total_cmp(&value).is_eq())),
        };
        let z = (read - self.centre) / self.spread;
        self.bend.map_or(z, |bend| (z * z - 1.0) / bend)
    }
}

impl Linear {
    /// The terms for a table, all without weight; what is the same in all rows has none.
    #[must_use]
    pub fn over(table: &Matrix, shapes: &[Shape], unit: f64) -> Self {
        let columns = table.columns().iter().enumerate();
        let terms =
            columns.flat_map(|(at, column)| terms_of(table, at, (column, shapes[at]), unit)).collect();
        Self { columns: table.columns().to_vec(), bias: 0.0, terms }
    }

    /// The readings of all terms, row after row.
    #[must_use]
    pub fn readings(&self, table: &Matrix) -> Vec<f64> {
        let width = self.terms.len();
        let mut readings = vec![0.0; table.rows() * width];
        readings.par_chunks_mut(CHUNK * width.max(1)).enumerate().for_each(|(chunk, readings)| {
            for (place, readings) in readings.chunks_exact_mut(width.max(1)).enumerate() {
                let row = table.row(chunk * CHUNK + place);
                for (reading, term) in readings.iter_mut().zip(&self.terms) {
                    *reading = term.reading(row);
                }
            }
        });
        readings
    }

    /// The score of each row.
    #[must_use]
    pub fn scores(&self, table: &Matrix) -> Vec<f64> {
        let score = |row: usize| self.bias + self.contributions(table.row(row)).iter().sum::<f64>();
        (0..table.rows()).into_par_iter().map(score).collect()
    }

    /// What each column adds to the score of a row, compared with a row that is the mean everywhere.
    #[must_use]
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        let mut columns = vec![0.0; self.columns.len()];
        for term in &self.terms {
            columns[term.column] += term.weight * term.reading(row);
        }
        columns
    }

    /// The same terms with these weights and bias.
    pub(super) fn weighted(mut self, bias: f64, weights: &[f64]) -> Self {
        self.bias = bias;
        self.terms.iter_mut().zip(weights).for_each(|(term, weight)| term.weight = *weight);
        self
    }
}

fn terms_of(table: &Matrix, at: usize, (column, shape): (&Column, Shape), unit: f64) -> Vec<Term> {
    let mut reads = Vec::new();
    if let Some(levels) = &column.levels {
        reads.extend((0..levels.len().min(MOST_CATEGORIES)).map(|code| Reads::Category(code as u32)));
    } else {
        let seen = || table.column(at).filter(|value| !value.is_nan());
        let (low, high) = seen().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (f64::min(low, value), f64::max(high, value))
        });
        let unit = if shape.scale == Scale::OnePlusAmount { unit } else { 1.0 };
        if low < high {
            reads.push(Reads::Number { scale: shape.scale, unit, low, high });
        }
    }
    reads.push(Reads::Missing);
    let mut terms: Vec<Term> = reads.into_iter().filter_map(|reads| term(table, at, reads)).collect();
    if shape.curved {
        terms.extend(terms.first().and_then(|straight| bent(table, straight)));
    }
    terms
}

/// The term with its centre and spread; None where all rows read alike.
fn term(table: &Matrix, column: usize, reads: Reads) -> Option<Term> {
    let mut term = Term { column, reads, centre: 0.0, spread: 1.0, bend: None, weight: 0.0 };
    let is_number = matches!(reads, Reads::Number { .. });
    let rows = || (0..table.rows()).filter(|row| !(is_number && table.row(*row)[column].is_nan()));
    let count = rows().count() as f64;
    let centre = rows().map(|row| term.reading(table.row(row))).sum::<f64>() / count;
    let squares: f64 = rows().map(|row| term.reading(table.row(row)) - centre).map(|it| it * it).sum();
    let spread = (squares / count).sqrt();
    (term.centre, term.spread) = (centre, spread);
    (1e-9 * (1.0 + centre.abs()) < spread).then_some(term)
}

/// The square of a term; None where that says nothing.
fn bent(table: &Matrix, straight: &Term) -> Option<Term> {
    let readings = (0..table.rows()).map(|row| straight.reading(table.row(row)));
    let squares: f64 = readings.map(|z| (z * z - 1.0) * (z * z - 1.0)).sum();
    let bend = (squares / table.rows() as f64).sqrt();
    (1e-9 < bend).then(|| Term { bend: Some(bend), ..straight.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::matrix::Values;

    #[test]
    fn readings_are_centred_and_missing_ones_have_a_term_of_their_own() {
        let numbers = Values::Numbers(vec![1.0, f64::NAN, 3.0, 8.0]);
        let words = ["b", "a", "a", "a"].map(|word| Some(word.to_owned())).to_vec();
        let same = Values::Numbers(vec![7.0; 4]);
        let named = [("n", numbers), ("c", Values::Categories(words)), ("s", same)];
        let named = named.map(|(name, values)| (name.to_owned(), values));
        let table = Matrix::learn(&named).unwrap();
        let shape = |scale| Shape { scale, curved: false };
        let shapes = [Scale::OnePlusLogarithm, Scale::Plain, Scale::Plain].map(shape);
        let linear = Linear::over(&table, &shapes, 1.0);
        let columns: Vec<usize> = linear.terms.iter().map(|term| term.column).collect();
        assert_eq!(columns, [0, 0, 1, 1]);
        let readings = linear.readings(&table);
        for term in 0..4 {
            let sum: f64 = readings.iter().skip(term).step_by(4).sum();
            assert!(sum.abs() < 1e-12, "{term}: {sum}");
        }
        assert!(readings[4].abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn numbers_beyond_what_was_seen_read_as_the_farthest_that_was() {
        let table = Matrix::from_rows(1, vec![0.0, 1.0, 2.0]).unwrap();
        let shape = Shape { scale: Scale::Plain, curved: true };
        let linear = Linear::over(&table, &[shape], 1.0).weighted(0.5, &[2.0, 0.25]);
        let readings = linear.readings(&table);
        assert_eq!(linear.terms.len(), 2);
        assert!(readings.iter().skip(1).step_by(2).sum::<f64>().abs() < 1e-12 && readings[3] < readings[1]);
        let beyond = Matrix::from_rows(1, vec![2.0, 99.0]).unwrap();
        let scores = linear.scores(&beyond);
        assert!((scores[0] - scores[1]).abs() < f64::MIN_POSITIVE && 0.5 < scores[0]);
    }
}
