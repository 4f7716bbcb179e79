//! A table of numbers as detectors read it: rows after another, missing values as NaN, categories as codes that rise
//! with rarity.

use std::collections::{BTreeMap, BTreeSet};

/// One column: what it is called and, for a category, which values it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Of a category, the values that were learned, most frequent first: a value's code is its place here, and one that
    /// was never seen has the code after the last. None for a number.
    pub levels: Option<Vec<String>>,
}

/// The values of one column as they come from a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN is a missing one.
    Numbers(Vec<f64>),
    /// Categories; None is a missing one.
    Categories(Vec<Option<String>>),
}

/// A dense table, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: Vec<Column>,
    rows: usize,
    values: Vec<f64>,
}

/// Why something is no table, or not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// Columns of different length.
    #[error(
        "column {name} has {found} rows where the first column has {expected}; all columns need the same number"
    )]
    Ragged {
        /// The column.
        name: String,
        /// Its rows.
        found: usize,
        /// The first column's rows.
        expected: usize,
    },
    /// The values do not fill rows of this width.
    #[error("{values} values do not fill whole rows of {width} columns")]
    Unfilled {
        /// How many values there are.
        values: usize,
        /// How many columns a row has.
        width: usize,
    },
    /// Infinity is neither a measurement nor a missing one.
    #[error(
        "row {row} of column {name} is infinite; give a finite number, or leave the cell empty if it is missing"
    )]
    Infinite {
        /// The row, counted from zero.
        row: usize,
        /// The column.
        name: String,
    },
    /// Two columns of one name.
    #[error("there are two columns {0}; names must differ")]
    Twice(String),
    /// A column that was learned from is not there.
    #[error("column {0} is missing; the detector was fitted with it")]
    Missing(String),
    /// A category where a number was learned, or the other way round.
    #[error("column {name} holds {found} where the detector was fitted on {expected}")]
    Kind {
        /// The column.
        name: String,
        /// What it holds now.
        found: &'static str,
        /// What it held.
        expected: &'static str,
    },
    /// A table of another width than the one that was learned from.
    #[error("the table has {found} columns; the detector was fitted on {expected}")]
    Width {
        /// Its columns.
        found: usize,
        /// The columns that were learned from.
        expected: usize,
    },
}

impl Values {
    /// Whether there are two rows that do not say the same; one that says nothing says the same as all others.
    #[must_use]
    pub fn vary(&self) -> bool {
        match self {
            Self::Numbers(values) => {
                let mut said = values.iter().filter(|value| !value.is_nan());
                let first = said.next();
                said.any(|value| Some(value) != first)
            }
            Self::Categories(values) => {
                let mut said = values.iter().flatten();
                let first = said.next();
                said.any(|value| Some(value) != first)
            }
        }
    }

    /// How many different texts there are.
    #[must_use]
    pub fn categories(&self) -> usize {
        match self {
            Self::Numbers(_) => 0,
            Self::Categories(values) => values.iter().flatten().collect::<BTreeSet<_>>().len(),
        }
    }

    /// The values of some rows.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(rows.iter().map(|row| values[*row]).collect()),
            Self::Categories(values) => {
                Self::Categories(rows.iter().map(|row| values[*row].clone()).collect())
            }
        }
    }
}

impl Matrix {
    /// A table of numbers, row after row; its columns are called `x0`, `x1` and so on.
    ///
    /// # Errors
    /// When the values do not fill whole rows, or one of them is infinite.
    pub fn from_rows(width: usize, values: Vec<f64>) -> Result<Self, MatrixError> {
        let columns = (0..width).map(|at| Column { name: format!("x{at}"), levels: None }).collect();
        Self::new(columns, values)
    }

    /// A table to learn from: the codes of its categories are given here, rarer ones later, equally frequent ones in
    /// the order of their names.
    ///
    /// # Errors
    /// When the columns do not make a table.
    pub fn learn(named: &[(String, Values)]) -> Result<Self, MatrixError> {
        let columns: Vec<Column> = named
            .iter()
            .map(|(name, values)| Column { name: name.clone(), levels: levels_of(values) })
            .collect();
        Self::like(&columns, named)
    }

    /// A table with the columns of another one, found by name; what is more than they is left out.
    ///
    /// # Errors
    /// When a column is missing or of the other kind, or the columns do not make a table.
    pub fn like(columns: &[Column], named: &[(String, Values)]) -> Result<Self, MatrixError> {
        let rows = named.first().map_or(0, |(_, values)| values.len());
        let width = columns.len();
        let mut all = vec![f64::NAN; rows * width];
        for (at, column) in columns.iter().enumerate() {
            let (name, values) = named
                .iter()
                .find(|(name, _)| *name == column.name)
                .ok_or_else(|| MatrixError::Missing(column.name.clone()))?;
            if values.len() != rows {
                let name = name.clone();
                return Err(MatrixError::Ragged { name, found: values.len(), expected: rows });
            }
            for (row, code) in codes(column, values)?.into_iter().enumerate() {
                all[row * width + at] = code;
            }
        }
        Self::new(columns.to_vec(), all)
    }

    fn new(columns: Vec<Column>, values: Vec<f64>) -> Result<Self, MatrixError> {
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(MatrixError::Twice(twice[0].to_owned()));
        }
        let width = columns.len();
        let unfilled = if width == 0 { !values.is_empty() } else { !values.len().is_multiple_of(width) };
        if unfilled {
            return Err(MatrixError::Unfilled { values: values.len(), width });
        }
        if let Some(at) = values.iter().position(|value| value.is_infinite()) {
            return Err(MatrixError::Infinite { row: at / width, name: columns[at % width].name.clone() });
        }
        let rows = values.len().checked_div(width).unwrap_or(0);
        Ok(Self { columns, rows, values })
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns it has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// What the columns are, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// All values, row after row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values of one row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.width();
        &self.values[row * width..(row + 1) * width]
    }

    /// The values of one column, from its first row to its last.
    pub fn column(&self, column: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(column).step_by(self.width().max(1)).copied()
    }

    /// A table of some of the rows, in the order named.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Self { columns: self.columns.clone(), rows: rows.len(), values }
    }

    /// That it is as wide as the table that a detector was fitted on.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_width(&self, expected: usize) -> Result<(), MatrixError> {
        let found = self.width();
        if found == expected { Ok(()) } else { Err(MatrixError::Width { found, expected }) }
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Categories(categories) => categories.len(),
        }
    }
}

fn levels_of(values: &Values) -> Option<Vec<String>> {
    let Values::Categories(categories) = values else { return None };
    let mut counts = BTreeMap::<&str, usize>::new();
    for category in categories.iter().flatten() {
        *counts.entry(category).or_default() += 1;
    }
    let mut levels: Vec<(&str, usize)> = counts.into_iter().collect();
    levels.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    Some(levels.into_iter().map(|(level, _)| level.to_owned()).collect())
}

fn codes(column: &Column, values: &Values) -> Result<Vec<f64>, MatrixError> {
    let kind = |found, expected| MatrixError::Kind { name: column.name.clone(), found, expected };
    match (values, &column.levels) {
        (Values::Numbers(numbers), None) => Ok(numbers.clone()),
        (Values::Categories(categories), Some(levels)) => {
            let places: BTreeMap<&str, usize> =
                levels.iter().enumerate().map(|(place, level)| (level.as_str(), place)).collect();
            let code = |category: &String| places.get(category.as_str()).copied().unwrap_or(levels.len());
            let code =
                |category: &Option<String>| category.as_ref().map_or(f64::NAN, |known| code(known) as f64);
            Ok(categories.iter().map(code).collect())
        }
        (Values::Numbers(_), Some(_)) => Err(kind("numbers", "categories")),
        (Values::Categories(_), None) => Err(kind("categories", "numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Values {
        let word = |word: &&str| (!word.is_empty()).then(|| (*word).to_owned());
        Values::Categories(list.iter().map(word).collect())
    }

    #[test]
    fn codes_rise_with_rarity_and_what_was_never_seen_is_rarest() {
        let learned = Matrix::learn(&[
            ("country".to_owned(), words(&["AT", "DE", "DE", "", "CH"])),
            ("amount".to_owned(), Values::Numbers(vec![1.0, 2.0, f64::NAN, 4.0, 5.0])),
        ])
        .unwrap();
        assert_eq!(learned.columns()[0].levels.as_deref().unwrap(), ["DE", "AT", "CH"]);
        assert_eq!(learned.row(0), [1.0, 1.0]);
        assert!(learned.row(3)[0].is_nan() && learned.row(2)[1].is_nan());
        let named = [
            ("amount".to_owned(), Values::Numbers(vec![9.0])),
            ("more".to_owned(), Values::Numbers(vec![0.0])),
            ("country".to_owned(), words(&["FR"])),
        ];
        let later = Matrix::like(learned.columns(), &named).unwrap();
        assert_eq!(later.row(0), [3.0, 9.0]);
        assert_eq!(learned.column(0).filter(|code| *code < 0.5).count(), 2);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_name() {
        let numbers = |name: &str, values: &[f64]| (name.to_owned(), Values::Numbers(values.to_vec()));
        let error = |named: &[(String, Values)]| Matrix::learn(named).unwrap_err().to_string();
        let infinite = error(&[numbers("a", &[1.0, f64::INFINITY])]);
        assert!(infinite.starts_with("row 1 of column a is infinite"), "{infinite}");
        let ragged = error(&[numbers("a", &[1.0]), numbers("b", &[])]);
        assert!(ragged.starts_with("column b has 0 rows"), "{ragged}");
        assert_eq!(
            error(&[numbers("a", &[1.0]), numbers("a", &[1.0])]),
            "there are two columns a; names must differ"
        );
        assert_eq!(Matrix::from_rows(3, vec![0.0; 4]), Err(MatrixError::Unfilled { values: 4, width: 3 }));
        let learned = Matrix::learn(&[numbers("a", &[1.0])]).unwrap();
        let other_kind = Matrix::like(learned.columns(), &[("a".to_owned(), words(&["x"]))]).unwrap_err();
        assert!(other_kind.to_string().contains("holds categories"), "{other_kind}");
        assert_eq!(Matrix::like(learned.columns(), &[]), Err(MatrixError::Missing("a".to_owned())));
    }
}
