//! The values of one feature, row by row, as a table keeps them: all of one type, or missing.

use polars::prelude::{Column as Frame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray};

use crate::{
    definition::{Aggregate, Computed},
    value::Value,
};

/// Values of one type.
#[derive(Clone, Debug)]
pub enum Column {
    /// Whole numbers, exact.
    Whole(Numbers<i64>),
    /// Real numbers.
    Real(Numbers<f64>),
}

/// Numbers, and which of them are there.
#[derive(Clone, Debug)]
pub struct Numbers<T> {
    numbers: Vec<T>,
    present: Vec<bool>,
}

impl Computed {
    /// Whether the values are whole numbers, which are exact; otherwise they are real ones.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Past(past) => match past.aggregate {
                Aggregate::Count
                | Aggregate::Sum(_)
                | Aggregate::Min(_)
                | Aggregate::Max(_)
                | Aggregate::Last(_)
                | Aggregate::SinceLast(_)
                | Aggregate::SinceFirst(_)
                | Aggregate::Repeated
                | Aggregate::Distinct(_)
                | Aggregate::LeastGap(..) => true,
                Aggregate::Mean(_)
                | Aggregate::Entropy(_)
                | Aggregate::Quantile(..)
                | Aggregate::Rate(_)
                | Aggregate::Ratio(_)
                | Aggregate::ShareOf(..) => false,
            },
        }
    }
}

impl Column {
    /// So many missing values of what is computed so.
    #[must_use]
    pub fn missing(computed: &Computed, rows: usize) -> Self {
        if computed.is_whole() {
            Self::Whole(Numbers::missing(rows))
        } else {
            Self::Real(Numbers::missing(rows))
        }
    }

    /// Says what a row's value is.
    ///
    /// # Panics
    /// When the value is of another type, or there is no such row.
    pub fn set(&mut self, row: usize, value: Value) {
        match (self, value) {
            (_, Value::Null) => {}
            (Self::Whole(column), Value::Whole(number)) => column.set(row, number),
            (Self::Real(column), Value::Real(number)) => column.set(row, number),
            (_, other) => unreachable!("a feature's values are of one type, and {other} is of another"),
        }
    }

    /// A row's value.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Value {
        match self {
            Self::Whole(column) => column.get(row).map_or(Value::Null, Value::Whole),
            Self::Real(column) => column.get(row).map_or(Value::Null, Value::Real),
        }
    }

    /// The values as a column of a frame.
    #[must_use]
    pub fn into_frame(self, name: &str) -> Frame {
        match self {
            Self::Whole(it) => Int64Chunked::from_iter_options(name.into(), it.options()).into_column(),
            Self::Real(it) => Float64Chunked::from_iter_options(name.into(), it.options()).into_column(),
        }
    }
}

impl<T: Copy + Default> Numbers<T> {
    fn missing(rows: usize) -> Self {
        Self { numbers: vec![T::default(); rows], present: vec![false; rows] }
    }

    fn set(&mut self, row: usize, number: T) {
        self.numbers[row] = number;
        self.present[row] = true;
    }

    fn get(&self, row: usize) -> Option<T> {
        self.present[row].then_some(self.numbers[row])
    }

    fn options(self) -> impl Iterator<Item = Option<T>> {
        self.numbers.into_iter().zip(self.present).map(|(number, present)| present.then_some(number))
    }
}
