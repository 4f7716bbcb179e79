//! The order of a file of the lake: by the time it happened, then by id, each event once, as it was known first.

use polars::{
    error::PolarsResult,
    frame::DataFrame,
    prelude::{BooleanChunked, NewChunkedArray, SortMultipleOptions},
};

use crate::definition::CLOCK_AHEAD_US;

/// Brings rows into the lake's order. Of several with one time and id, the one that was known earliest stays; one of a
/// clock that is too far ahead for it ever to count only where all are.
pub(super) fn in_order(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let sorted = frame.sort(["occurred_at", "id", "known_at"], SortMultipleOptions::default())?;
    let moments = |column: &str| {
        let moments = sorted.column(column)?.as_materialized_series().to_physical_repr().into_owned();
        PolarsResult::Ok(moments.i64()?.clone())
    };
    let (times, known, ids) = (moments("occurred_at")?, moments("known_at")?, sorted.column("id")?.str()?);
    let is_same =
        |row: usize, other: usize| times.get(row) == times.get(other) && ids.get(row) == ids.get(other);
    let counts = |row: usize| {
        let both = times.get(row).zip(known.get(row));
        both.is_some_and(|(time, known)| time <= known.saturating_add(CLOCK_AHEAD_US))
    };
    let mut stays = vec![false; sorted.height()];
    let mut first = 0;
    while first < sorted.height() {
        let end = (first..sorted.height()).find(|row| !is_same(first, *row)).unwrap_or(sorted.height());
        stays[(first..end).find(|row| counts(*row)).unwrap_or(first)] = true;
        first = end;
    }
    if stays.iter().all(|stays| *stays) {
        return Ok(sorted);
    }
    sorted.filter(&BooleanChunked::from_slice("stays".into(), &stays))
}
