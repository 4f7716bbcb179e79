//! A table of facts as a Parquet file that any tool reads.

use std::{
    fs::{self, File},
    io::BufWriter,
    mem,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use polars::{
    error::PolarsResult,
    io::parquet::write::BatchedWriter,
    prelude::{
        Column, DataFrame, DataType, Field, ParquetCompression, ParquetWriter, Schema, TimeUnit, TimeZone,
    },
};
use polars_parquet::write::ZstdLevel;

/// How many rows are written at once.
const GROUP: usize = 1 << 16;

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    Text,
    Whole,
    Number,
    Flag,
    /// A moment, in microseconds since the Unix epoch (UTC).
    Time,
}

impl Type {
    fn dtype(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Whole => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Time => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        }
    }
}

/// What a table is called, and its columns.
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Type)],
}

/// One value; none where it does not apply.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Text(Option<String>),
    Whole(Option<i64>),
    Number(f64),
    Flag(bool),
}

impl Cell {
    pub(super) fn text(value: impl ToString) -> Self {
        Self::Text(Some(value.to_string()))
    }

    pub(super) fn text_or_null(value: Option<impl ToString>) -> Self {
        Self::Text(value.map(|value| value.to_string()))
    }

    pub(super) fn whole(value: impl Into<i64>) -> Self {
        Self::Whole(Some(value.into()))
    }

    /// A number of 64 bits without a sign, of which none here uses the last.
    pub(super) fn count(value: u64) -> Self {
        Self::Whole(i64::try_from(value).ok())
    }
}

/// The values of one column.
enum Values {
    Text(Vec<Option<String>>),
    Whole(Vec<Option<i64>>),
    Number(Vec<f64>),
    Flag(Vec<bool>),
}

/// A table that is being written.
pub(super) struct Table {
    plan: &'static Plan,
    path: PathBuf,
    columns: Vec<Values>,
    rows: usize,
    writer: BatchedWriter<BufWriter<File>>,
}

impl Table {
    /// An empty table in a folder, which is made if it is not there.
    pub(super) fn create(folder: &Path, plan: &'static Plan) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join(format!("{}.parquet", plan.name));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let fields = plan.columns.iter().map(|(name, kind)| Field::new((*name).into(), kind.dtype()));
        let schema: Schema = fields.collect();
        let writer = ParquetWriter::new(BufWriter::with_capacity(1 << 18, file))
            .with_compression(ParquetCompression::Zstd(Some(ZstdLevel::try_new(1)?)))
            .batched(&schema)?;
        Ok(Self { plan, path, columns: empty(plan), rows: 0, writer })
    }

    /// Takes a row, with a value for each column in their order.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> Result<()> {
        let mut taken = 0;
        for (values, cell) in self.columns.iter_mut().zip(cells) {
            match (values, cell) {
                (Values::Text(values), Cell::Text(value)) => values.push(value),
                (Values::Whole(values), Cell::Whole(value)) => values.push(value),
                (Values::Number(values), Cell::Number(value)) => values.push(value),
                (Values::Flag(values), Cell::Flag(value)) => values.push(value),
                (_, cell) => unreachable!("{}: {cell:?} is in a column of another type", self.plan.name),
            }
            taken += 1;
        }
        assert_eq!(taken, self.columns.len(), "a row of {} has a value for each column", self.plan.name);
        self.rows += 1;
        if self.rows == GROUP { self.write() } else { Ok(()) }
    }

    /// What was written is on the disk when this returns.
    pub(super) fn finish(mut self) -> Result<()> {
        self.write()?;
        let path = &self.path;
        self.writer.finish().with_context(|| format!("cannot finish {}", path.display()))?;
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.with_context(|| format!("cannot finish {}", path.display()))
    }

    fn write(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let columns = mem::replace(&mut self.columns, empty(self.plan));
        let columns =
            self.plan.columns.iter().zip(columns).map(|((name, kind), values)| column(name, *kind, values));
        let columns = columns.collect::<PolarsResult<Vec<_>>>();
        let written = columns.and_then(|columns| {
            self.writer.write_batch(&DataFrame::new(mem::take(&mut self.rows), columns)?)
        });
        written.with_context(|| format!("cannot write to {}", self.path.display()))
    }
}

fn empty(plan: &Plan) -> Vec<Values> {
    let values = |kind: &Type| match kind {
        Type::Text => Values::Text(Vec::new()),
        Type::Whole | Type::Time => Values::Whole(Vec::new()),
        Type::Number => Values::Number(Vec::new()),
        Type::Flag => Values::Flag(Vec::new()),
    };
    plan.columns.iter().map(|(_, kind)| values(kind)).collect()
}

fn column(name: &str, kind: Type, values: Values) -> PolarsResult<Column> {
    match values {
        Values::Text(values) => Ok(Column::new(name.into(), values)),
        Values::Whole(values) => Column::new(name.into(), values).cast(&kind.dtype()),
        Values::Number(values) => Ok(Column::new(name.into(), values)),
        Values::Flag(values) => Ok(Column::new(name.into(), values)),
    }
}
