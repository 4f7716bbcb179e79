//! What is told of one, as zeros and ones: each feature says whether a raw number is within its range, so that a word is a
//! number that is one or zero, and a number has a feature for each of its ranges.

use serde::{Deserialize, Serialize};

use super::{ElementType, Graph, GraphError, Value, trees::check};

const FAMILY: &str = "told";

/// Features of raw columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// How many raw columns there are.
    pub columns: usize,
    /// Each becomes a column.
    pub features: Vec<Range>,
}

/// Which numbers of a raw column have a feature: those from `low` on, and below `high`. What is missing (NaN) has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The raw column.
    pub column: usize,
    /// The lowest number.
    #[serde(with = "crate::exact::one")]
    pub low: f64,
    /// The first number beyond it.
    #[serde(with = "crate::exact::one")]
    pub high: f64,
}

impl Told {
    /// The features of one row, as the graph computes them.
    #[must_use]
    pub fn of(&self, raw: &[f64]) -> Vec<f64> {
        let is_told = |range: &Range| range.low <= raw[range.column] && raw[range.column] < range.high;
        self.features.iter().map(|range| f64::from(u8::from(is_told(range)))).collect()
    }

    /// Batch × features, 1 where the number is in the range and else 0, from batch × columns.
    pub fn add(&self, graph: &mut Graph, raw: &Value) -> Result<Value, GraphError> {
        check(FAMILY, "raw columns", self.columns, raw.width(FAMILY)?)?;
        if let Some(range) = self.features.iter().find(|range| self.columns <= range.column) {
            let reason = format!("there is no raw column {} of {}", range.column, self.columns);
            return Err(GraphError::table(FAMILY, reason));
        }
        let count = self.features.len();
        let columns: Vec<usize> = self.features.iter().map(|range| range.column).collect();
        let bounds = |of: fn(&Range) -> f64| self.features.iter().map(of).collect::<Vec<f64>>();
        let numbers = graph.columns(raw, &columns)?;
        let low = graph.floats("low", raw, &[count], &bounds(|range| range.low))?;
        let high = graph.floats("high", raw, &[count], &bounds(|range| range.high))?;
        let from = graph.at_most(&low, &numbers)?;
        let below = graph.less(&numbers, &high)?;
        let within = graph.and(&from, &below)?;
        graph.cast(&within, raw.element())
    }
}

/// Rows of a table, of known numbers, from 0; whoever is not known has the row after the last, which is this one.
pub(super) fn row_of(
    graph: &mut Graph,
    family: &'static str,
    number: &Value,
    known: usize,
) -> Result<Value, GraphError> {
    if number.element() != ElementType::I64 {
        let reason = format!("it takes int64[batch], a number for each row, not {}", number.kind());
        return Err(GraphError::table(family, reason));
    }
    let one = |graph: &mut Graph, hint: &str, value: i64| -> Result<Value, GraphError> {
        Ok(graph.constant(hint, super::Tensor::i64(&[], vec![value])?))
    };
    let (zero, unknown) = (one(graph, "first", 0)?, one(graph, "unknown", known as i64)?);
    let below = graph.less(number, &zero)?;
    let is_known = graph.less(number, &unknown)?;
    let row = graph.choose(&is_known, number, &unknown)?;
    graph.choose(&below, &unknown, &row)
}
