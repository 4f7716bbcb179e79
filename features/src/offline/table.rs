//! A table of somebody's own: CSV or Parquet, with a column that says when.

use std::{fs::File, path::Path};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use polars::prelude::{
    Column, DataFrame, DataType, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, ParquetReader,
    SerReader, StringChunked, TimeUnit,
};

use super::error::TrainingError;

/// Reads a file whole: Parquet when its name ends in `.parquet`, else CSV with a header.
///
/// In CSV a column is whole numbers when all its values are, real numbers when all are those, and text otherwise; an
/// empty value is missing.
///
/// # Errors
/// When it is neither.
pub fn read(path: &Path) -> Result<DataFrame, TrainingError> {
    let file = File::open(path).map_err(TrainingError::io("reading", path))?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        let frame = ParquetReader::new(file).set_rechunk(true).finish();
        return frame.map_err(|error| malformed(path, "Parquet", &error));
    }
    read_csv(path, file)
}

fn malformed(path: &Path, format: &'static str, why: &dyn ToString) -> TrainingError {
    TrainingError::Malformed { path: path.to_owned(), format, why: why.to_string() }
}

fn read_csv(path: &Path, file: File) -> Result<DataFrame, TrainingError> {
    let wrong = |error: csv::Error| malformed(path, "CSV", &error);
    let mut reader = csv::Reader::from_reader(file);
    // Spreadsheets begin a file with a mark of its byte order.
    let names = reader.headers().map_err(wrong)?.iter();
    let names: Vec<String> = names.map(|it| it.trim_start_matches('\u{feff}').trim().to_owned()).collect();
    let mut values: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        for (column, value) in values.iter_mut().zip(&row) {
            column.push((!value.is_empty()).then(|| value.to_owned()));
        }
    }
    let height = values.first().map_or(0, Vec::len);
    let columns = names.iter().zip(values).map(|(name, values)| typed(name, &values)).collect();
    DataFrame::new(height, columns).map_err(|error| malformed(path, "CSV", &error))
}

fn typed(name: &str, values: &[Option<String>]) -> Column {
    fn all<T: std::str::FromStr>(values: &[Option<String>]) -> Option<Vec<Option<T>>> {
        let read = |text: &String| if is_name(text) { None } else { text.trim().parse().ok() };
        values.iter().map(|value| value.as_ref().map_or(Some(None), |text| read(text).map(Some))).collect()
    }
    // Where nothing is said, nothing says that it would be numbers.
    let is_said = values.iter().any(Option::is_some);
    if let Some(whole) = all::<i64>(values).filter(|_| is_said) {
        return Int64Chunked::from_slice_options(name.into(), &whole).into_column();
    }
    if let Some(real) = all::<f64>(values).filter(|_| is_said) {
        return Float64Chunked::from_slice_options(name.into(), &real).into_column();
    }
    StringChunked::from_iter_options(name.into(), values.iter().map(Option::as_deref)).into_column()
}

/// Digits behind a zero, such as 00123: somebody's number of something, of which nothing may be lost.
fn is_name(text: &str) -> bool {
    let digits = text.trim().trim_start_matches(['-', '+']);
    digits.strip_prefix('0').is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
}

/// The names of a frame's columns, for a message.
pub(super) fn names(frame: &DataFrame) -> String {
    frame.columns().iter().map(|column| column.name().as_str()).collect::<Vec<_>>().join(", ")
}

/// The instants of a column, in microseconds since the Unix epoch: timestamps, days, or texts of either kind; without a
/// time zone they are UTC.
///
/// # Errors
/// When it holds something else, or a value is missing or none of these.
pub fn instants(path: &Path, column: &Column) -> Result<Vec<i64>, TrainingError> {
    let all = instants_if_any(path, column)?.into_iter().enumerate();
    all.map(|(row, at)| at.ok_or_else(|| wrong_instant(path, column, row, "says nothing".to_owned())))
        .collect()
}

/// The same, of a column that says nothing in some rows.
///
/// # Errors
/// When it holds something else, or a value is none of these.
pub fn instants_if_any(path: &Path, column: &Column) -> Result<Vec<Option<i64>>, TrainingError> {
    if let DataType::String = column.dtype() {
        let texts = column.str().map_err(TrainingError::computing("reading instants"))?.iter().enumerate();
        let read = |(row, text): (usize, Option<&str>)| {
            let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
            let why = || format!("{text:?} is no instant: expected 2026-03-01T12:00:00Z, or a day");
            instant(text).map(Some).ok_or_else(|| wrong_instant(path, column, row, why()))
        };
        return texts.map(read).collect();
    }
    if !matches!(column.dtype(), DataType::Datetime(..) | DataType::Date) {
        return Err(TrainingError::WrongType {
            path: path.to_owned(),
            column: column.name().to_string(),
            expected: "timestamps (or texts such as 2026-03-01T12:00:00Z)",
            found: column.dtype().to_string(),
        });
    }
    let zone = match column.dtype() {
        DataType::Datetime(_, zone) => zone.clone(),
        _ => None,
    };
    let micros = column.cast(&DataType::Datetime(TimeUnit::Microseconds, zone));
    let micros = micros.map_err(TrainingError::computing("reading instants"))?.to_physical_repr();
    let micros = micros.i64().map_err(TrainingError::computing("reading instants"))?;
    Ok(micros.iter().collect())
}

fn wrong_instant(path: &Path, column: &Column, row: usize, why: String) -> TrainingError {
    TrainingError::Value { path: path.to_owned(), row: row + 1, column: column.name().to_string(), why }
}

/// An instant, or the first of a day, in microseconds since the Unix epoch; without a time zone it is UTC.
#[must_use]
pub fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_micros());
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let naive = naive.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN));
    Some(naive.or_else(day)?.and_utc().timestamp_micros())
}

/// An instant as a person reads it.
#[must_use]
pub fn printed(at_us: i64) -> String {
    match at_us {
        i64::MIN => return "the beginning".to_owned(),
        i64::MAX => return "the end".to_owned(),
        _ => {}
    }
    let moment = DateTime::from_timestamp_micros(at_us);
    let zoned = moment.map(|it| it.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
    zoned.unwrap_or_else(|| format!("{at_us} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_numbers_only_when_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        std::fs::write(&path, "\u{feff}customer_id,label,score,word\n00123,1,0.5,a\n7,,-2,\n").unwrap();
        let frame = read(&path).unwrap();
        let types: Vec<String> = frame.columns().iter().map(|column| column.dtype().to_string()).collect();
        assert_eq!(types, ["str", "i64", "f64", "str"]);
        assert_eq!(names(&frame), "customer_id, label, score, word");
        assert_eq!(frame.column("label").unwrap().null_count(), 1);
    }

    #[test]
    fn instants_are_read_as_people_write_them() {
        let noon = 1_772_366_400_000_000;
        for text in [
            "2026-03-01T12:00:00Z",
            "2026-03-01T13:00:00+01:00",
            "2026-03-01 12:00:00",
            " 2026-03-01T12:00:00.000 ",
        ] {
            assert_eq!(instant(text), Some(noon), "{text}");
        }
        assert_eq!(instant("2026-03-01"), Some(noon - 12 * 3_600_000_000));
        assert_eq!(instant("yesterday"), None);
        assert_eq!(printed(noon), "2026-03-01T12:00:00Z");
    }
}
