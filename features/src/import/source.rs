//! The rows of a file, whatever its format: CSV with a header, one JSON object a line, or Parquet.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    str::FromStr,
};

use polars::{
    error::{PolarsResult, polars_ensure},
    prelude::{
        ChunkApply, DataType, IntoSeries, ParquetReader, Schema, SchemaExt, SerReader, Series, StringChunked,
        TimeUnit,
    },
};
use serde_json::{Map, Value};

use super::{
    error::ImportError,
    mapping::Fitted,
    record::{Record, Rejection},
};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Values with commas between, and a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a format: expected csv, ndjson or parquet")]
pub struct FormatError(String);

impl Format {
    /// The format that a file's name ends in.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The name, as in the command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = FormatError;
    fn from_str(text: &str) -> Result<Self, FormatError> {
        match text {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "parquet" => Ok(Self::Parquet),
            _ => Err(FormatError(text.chars().take(64).collect())),
        }
    }
}

/// Where the next row is: how far into the file in bytes (of Parquet in rows), and in which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) line: u64,
}

/// A row: the line that it began in, and what it says.
pub(super) type Row = (u64, Result<Record, Rejection>);

/// A file that gives its rows one after the other.
pub(super) struct Source {
    path: PathBuf,
    kind: Kind,
    /// Where the next row is.
    place: Place,
    /// How far the file goes, in the units of a place.
    length: u64,
}

enum Kind {
    Csv(Box<csv::Reader<File>>),
    Ndjson { file: BufReader<File>, columns: Vec<String> },
    Parquet { columns: Vec<String>, block: Block },
}

/// Some rows of a Parquet file: of each column that is a field the values.
#[derive(Default)]
struct Block {
    from: u64,
    rows: u64,
    columns: Vec<Option<StringChunked>>,
}

/// How many rows of Parquet are read at once.
const BLOCK: u64 = 10_000;

/// How many lines of JSON are looked at to learn which columns there are.
const LINES_LOOKED_AT: usize = 10_000;

/// How many bytes a line of JSON may have; no event has so many, and a file without lines has no end.
const LONGEST_LINE: u64 = 1 << 20;

impl Source {
    /// Opens a file.
    pub(super) fn open(path: &Path, format: Format) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(ImportError::io("reading", path))?;
        let mut length = file.metadata().map_err(ImportError::io("reading", path))?.len();
        let mut place = Place { at: 0, line: 1 };
        let kind = match format {
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
                reader.headers().map_err(|error| malformed(path, "CSV", error))?;
                place = Place { at: reader.position().byte(), line: reader.position().line() };
                Kind::Csv(Box::new(reader))
            }
            Format::Ndjson => {
                let columns = json_columns(path, &file)?;
                Kind::Ndjson { file: BufReader::new(file), columns }
            }
            Format::Parquet => {
                let mut reader = ParquetReader::new(file);
                let schema = reader.schema().map_err(ImportError::parquet(path))?;
                length = reader.num_rows().map_err(ImportError::parquet(path))? as u64;
                let columns = schema.iter_names().map(ToString::to_string).collect();
                Kind::Parquet { columns, block: Block::default() }
            }
        };
        Ok(Self { path: path.to_owned(), kind, place, length })
    }

    /// The columns, by the source's names.
    pub(super) fn columns(&mut self) -> Result<Vec<String>, ImportError> {
        match &mut self.kind {
            Kind::Csv(reader) => {
                let headers = reader.headers().map_err(|error| malformed(&self.path, "CSV", error))?;
                // Spreadsheets begin a file with a mark of its byte order.
                Ok(headers.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect())
            }
            Kind::Ndjson { columns, .. } | Kind::Parquet { columns, .. } => Ok(columns.clone()),
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Goes on at a place where it was before.
    pub(super) fn go_to(&mut self, place: Place) -> Result<(), ImportError> {
        self.place = place;
        match &mut self.kind {
            Kind::Csv(reader) => {
                let mut position = csv::Position::new();
                position.set_byte(place.at).set_line(place.line);
                reader.seek(position).map_err(|error| malformed(&self.path, "CSV", error))
            }
            Kind::Ndjson { file, .. } => {
                file.seek(SeekFrom::Start(place.at)).map(drop).map_err(ImportError::io("reading", &self.path))
            }
            Kind::Parquet { block, .. } => {
                *block = Block::default();
                Ok(())
            }
        }
    }

    /// The next row; none at the end.
    pub(super) fn next(&mut self, mapping: &Fitted) -> Result<Option<Row>, ImportError> {
        match &mut self.kind {
            Kind::Csv(reader) => next_of_csv(&self.path, reader, &mut self.place, mapping),
            Kind::Ndjson { file, .. } => next_of_json(&self.path, file, &mut self.place, mapping),
            Kind::Parquet { block, .. } => {
                next_of_parquet(&self.path, self.length, block, &mut self.place, mapping)
            }
        }
    }
}

fn next_of_parquet(
    path: &Path,
    length: u64,
    block: &mut Block,
    place: &mut Place,
    mapping: &Fitted,
) -> Result<Option<Row>, ImportError> {
    if place.at == length {
        return Ok(None);
    }
    if !(block.from..block.from + block.rows).contains(&place.at) {
        let rows = BLOCK.min(length - place.at);
        *block = read_block(path, place.at, rows, mapping).map_err(ImportError::parquet(path))?;
    }
    let (row, line) = ((place.at - block.from) as usize, place.line);
    *place = Place { at: place.at + 1, line: line + 1 };
    let values = block.columns.iter().map(|column| column.as_ref().and_then(|texts| texts.get(row)));
    Ok(Some((line, Ok(mapping.record(values.map(Option::unwrap_or_default))))))
}

fn next_of_csv(
    path: &Path,
    reader: &mut csv::Reader<File>,
    place: &mut Place,
    mapping: &Fitted,
) -> Result<Option<Row>, ImportError> {
    let mut values = csv::ByteRecord::new();
    let more = reader.read_byte_record(&mut values).map_err(|error| malformed(path, "CSV", error))?;
    if !more {
        return Ok(None);
    }
    let line = values.position().map_or(place.line, csv::Position::line);
    *place = Place { at: reader.position().byte(), line: reader.position().line() };
    let row = match csv::StringRecord::from_byte_record(values) {
        Err(_) => Err(Rejection::of("", "is not UTF-8 text")),
        Ok(values) if values.len() != mapping.columns().len() => {
            let (found, expected) = (values.len(), mapping.columns().len());
            Err(Rejection::of("", format!("has {found} values, and the header has {expected}")))
        }
        Ok(values) => Ok(mapping.record(values.iter())),
    };
    Ok(Some((line, row)))
}

fn next_of_json(
    path: &Path,
    file: &mut BufReader<File>,
    place: &mut Place,
    mapping: &Fitted,
) -> Result<Option<Row>, ImportError> {
    loop {
        let Some((bytes, read)) = next_line(file).map_err(ImportError::io("reading", path))? else {
            return Ok(None);
        };
        let line = place.line;
        *place = Place { at: place.at + read, line: line + 1 };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        if LONGEST_LINE < read {
            let reason = format!("is a line of {read} bytes, and {LONGEST_LINE} is the most");
            return Ok(Some((line, Err(Rejection::of("", reason)))));
        }
        let row = match serde_json::from_slice::<Map<String, Value>>(&bytes) {
            Err(error) => Err(Rejection::of("", format!("is not a JSON object: {error}"))),
            Ok(object) => {
                let named = object.iter().map(|(name, value)| (name.as_str(), plain(value)));
                Ok(mapping.record_of_named(named))
            }
        };
        return Ok(Some((line, row)));
    }
}

/// The next line, as much of it as may be, and how many bytes it has; none at the end.
fn next_line(file: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut bytes = Vec::new();
    let mut read = file.take(LONGEST_LINE).read_until(b'\n', &mut bytes)? as u64;
    if read == LONGEST_LINE && !bytes.ends_with(b"\n") {
        read += file.skip_until(b'\n')? as u64;
    }
    Ok((read != 0).then_some((bytes, read)))
}

/// A JSON value as text.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The names that the first lines of a file of JSON have.
fn json_columns(path: &Path, file: &File) -> Result<Vec<String>, ImportError> {
    let mut names = BTreeSet::new();
    let mut reader = BufReader::new(file);
    for _ in 0..LINES_LOOKED_AT {
        let line = next_line(&mut reader).map_err(ImportError::io("reading", path))?;
        let Some((line, _)) = line else { break };
        if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(&line) {
            names.extend(object.into_iter().map(|(name, _)| name));
        }
    }
    reader.rewind().map_err(ImportError::io("reading", path))?;
    Ok(names.into_iter().collect())
}

/// The next rows of a Parquet file, every column that is a field as text.
fn read_block(path: &Path, from: u64, rows: u64, mapping: &Fitted) -> PolarsResult<Block> {
    let mut reader = ParquetReader::new(File::open(path)?);
    let schema = Schema::from_arrow_schema(&*reader.schema()?);
    let fields = mapping.columns().iter().filter(|(_, field)| field.is_some());
    let wanted: Vec<String> = fields.map(|(column, _)| column.clone()).collect();
    for column in &wanted {
        let found = schema.try_get(column)?;
        polars_ensure!(
            is_readable(found),
            ComputeError: "the column {column} holds {found}; write it as text, a number of 32 or 64 bits, a decimal number, a date or a moment"
        );
    }
    let reader = reader.with_columns(Some(wanted)).with_slice(Some((from as usize, rows as usize)));
    let frame = reader.set_rechunk(true).finish()?;
    let columns = mapping.columns().iter().map(|(column, field)| {
        let text = field.map(|_| as_text(frame.column(column)?.as_materialized_series()));
        text.transpose()
    });
    Ok(Block { from, rows, columns: columns.collect::<PolarsResult<_>>()? })
}

/// Whether values of that type can be read as text.
fn is_readable(found: &DataType) -> bool {
    matches!(
        found,
        DataType::String
            | DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal(..)
            | DataType::Date
            | DataType::Datetime(..)
            | DataType::Categorical(..)
            | DataType::Enum(..)
            | DataType::Null
    )
}

fn as_text(series: &Series) -> PolarsResult<StringChunked> {
    let series = match series.dtype() {
        DataType::Datetime(unit, _) => microseconds(series, *unit)?,
        _ => series.clone(),
    };
    Ok(series.cast(&DataType::String)?.str()?.clone())
}

/// Moments as numbers, which are read as microseconds by their sixteen digits.
fn microseconds(series: &Series, unit: TimeUnit) -> PolarsResult<Series> {
    let numbers = series.to_physical_repr();
    let numbers = numbers.i64()?;
    let numbers = match unit {
        TimeUnit::Milliseconds => numbers.apply_values(|ms| ms.saturating_mul(1_000)),
        TimeUnit::Microseconds => numbers.clone(),
        TimeUnit::Nanoseconds => numbers.apply_values(|ns| ns.div_euclid(1_000)),
    };
    Ok(numbers.into_series())
}

fn malformed(path: &Path, format: &'static str, error: impl ToString) -> ImportError {
    ImportError::Malformed { path: path.to_owned(), format, why: error.to_string() }
}
