//! A file of the truth, or of what a job said, as columns.

use std::{fs::File, path::Path};

use anyhow::{Context, Result};
use polars::prelude::{DataFrame, DataType, Int64Chunked, ParquetReader, SerReader, StringChunked};

/// A file of rows.
pub(crate) struct Table(DataFrame);

impl Table {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(cannot)?;
        Ok(Self(ParquetReader::new(file).finish().with_context(cannot)?))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<StringChunked> {
        Ok(self.0.column(name)?.str()?.clone())
    }

    pub(crate) fn numbers(&self, name: &str) -> Result<Int64Chunked> {
        Ok(self.0.column(name)?.cast(&DataType::Int64)?.i64()?.clone())
    }

    pub(crate) fn flags(&self, name: &str) -> Result<Vec<bool>> {
        Ok(self.0.column(name)?.bool()?.iter().map(|flag| flag.unwrap_or(false)).collect())
    }
}
