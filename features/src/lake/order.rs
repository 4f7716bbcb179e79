//! The order of a file of the lake: by the time it happened, then by id, each event once, as it was known first.

use polars::{
    error::PolarsResult,
    frame::DataFrame,
    prelude::{BooleanChunked, NewChunkedArray, SortMultipleOptions},
};

/// Brings rows into the lake's order. Of several with one time and id, the one that was known earliest stays.
pub(super) fn in_order(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let sorted = frame.sort(["occurred_at", "id", "known_at"], SortMultipleOptions::default())?;
    let times = sorted.column("occurred_at")?.as_materialized_series().to_physical_repr().into_owned();
    let (times, ids) = (times.i64()?, sorted.column("id")?.str()?);
    let first =
        |row: usize| row == 0 || times.get(row - 1) != times.get(row) || ids.get(row - 1) != ids.get(row);
    let firsts: Vec<bool> = (0..sorted.height()).map(first).collect();
    if firsts.iter().all(|first| *first) {
        return Ok(sorted);
    }
    sorted.filter(&BooleanChunked::from_slice("first".into(), &firsts))
}
