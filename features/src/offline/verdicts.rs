//! What reviewers found, beside the conversions that they looked at: the labels that fraud models learn from.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::{
    event::{Event, Kind, Verdict},
    id::EventId,
};
use polars::prelude::{
    Column, DataFrame, DataType, Int8Chunked, Int64Chunked, IntoColumn, NewChunkedArray, TimeUnit, TimeZone,
};

use super::{History, HistoryError, error::TrainingError};
use crate::{definition::counts_from_us, lake::Told};

/// The column that says what was found: 1 for fraud, 0 for honest, nothing where nobody looked.
pub const FRAUD: &str = "fraud";
/// The column that says when that became known.
pub const FRAUD_KNOWN_AT: &str = "fraud_known_at";

/// The verdict about each row's conversion, and since when it is known. Of several verdicts the one that was learned of
/// last counts.
pub(super) fn columns(history: &History, rows: &DataFrame) -> Result<[Column; 2], TrainingError> {
    let computing = || TrainingError::computing("joining verdicts");
    let ids = rows.column("conversion_id").map_err(|_| TrainingError::NoConversions)?;
    let ids = ids.str().map_err(computing())?;
    let wanted: BTreeSet<&str> = ids.iter().flatten().collect();
    if wanted.is_empty() {
        return Err(TrainingError::NoConversions);
    }
    let mut found: HashMap<String, (i64, bool)> = HashMap::new();
    // What is told twice is known since it was told first.
    let mut seen: HashSet<EventId> = HashSet::new();
    let told = Told {
        kind: Kind::Review,
        occurred_us: i64::MIN..i64::MAX,
        columns: BTreeSet::from(["conversion_id", "verdict"]),
    };
    let mut replay = history.lake().replay(vec![told], i64::MIN..i64::MAX).map_err(HistoryError::from)?;
    while let Some(block) = replay.next_block().map_err(HistoryError::from)? {
        for known in block.into_iter().flatten() {
            let (Event::Review(review), Some(from_us)) = (&known.event, counts_from_us(&known)) else {
                continue;
            };
            let id = review.conversion.to_string();
            if wanted.contains(id.as_str()) && seen.insert(review.id) {
                found.insert(id, (from_us, review.verdict == Verdict::Fraud));
            }
        }
    }
    let of_row = || ids.iter().map(|id| found.get(id?));
    let verdicts = of_row().map(|found| found.map(|(_, is_fraud)| i8::from(*is_fraud)));
    let moments = of_row().map(|found| found.map(|(from_us, _)| *from_us));
    let moments = Int64Chunked::from_iter_options(FRAUD_KNOWN_AT.into(), moments).into_column();
    let moments = moments.cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)));
    let verdicts = Int8Chunked::from_iter_options(FRAUD.into(), verdicts).into_column();
    Ok([verdicts, moments.map_err(computing())?])
}
