//! One Parquet file of the lake: written beside its place and put there whole; checked before it is read.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::event::Kind;
use polars::{
    error::PolarsResult,
    frame::DataFrame,
    io::parquet::write::BatchedWriter,
    prelude::{
        CompatLevel, DataType, FileMetadata, KeyValueMetadata, ParquetCompression, ParquetReader,
        ParquetWriter, Schema, SchemaExt, SerReader,
    },
};
use polars_parquet::{
    parquet::statistics::Statistics,
    write::{StatisticsOptions, ZstdLevel, schema_to_metadata_key},
};

use super::{
    disk::{Disk, Entry, Fetched, Naming, SharedFile},
    error::LakeError,
    schema::{Column, Table, VERSION},
};

/// How many rows a row group has: few enough that a reader skips most of a day, and that one fits into memory anywhere.
pub(super) const GROUP_ROWS: usize = 1 << 16;

/// Under which key a file says in which version it was written.
const VERSION_KEY: &str = "tributary.lake.version";

/// Under which key a file says which table it is of.
const TABLE_KEY: &str = "tributary.lake.table";

/// Fast to write, and within a few percent of the sizes of the higher levels on ids and hashes.
const ZSTD_LEVEL: i32 = 1;

/// A file that is being written.
pub(super) struct NewPart {
    disk: Arc<dyn Disk>,
    file: SharedFile,
    writer: BatchedWriter<BufWriter<SharedFile>>,
    /// Where it is written.
    unfinished: PathBuf,
    naming: Naming,
    /// Rows that do not fill a row group yet.
    pending: Option<DataFrame>,
    rows: u64,
    published: bool,
}

impl NewPart {
    /// An empty file named `unfinished`, until it is put in its place.
    pub(super) fn create(
        disk: &Arc<dyn Disk>,
        unfinished: PathBuf,
        table: &Table,
        naming: Naming,
    ) -> Result<Self, LakeError> {
        let folder = unfinished.parent().unwrap_or(Path::new("."));
        disk.make_folder(folder).map_err(|error| LakeError::io("making", folder, error))?;
        let file = SharedFile::create(&**disk, &unfinished, &naming)?;
        let writer = parquet_writer(BufWriter::with_capacity(1 << 20, file.clone()), table)
            .map_err(|error| file.failure(error))?;
        let disk = disk.clone();
        Ok(Self { disk, file, writer, unfinished, naming, pending: None, rows: 0, published: false })
    }

    /// Appends rows, in row groups of one size but for the last.
    pub(super) fn write(&mut self, frame: DataFrame) -> Result<(), LakeError> {
        self.rows += frame.height() as u64;
        let mut pending = match self.pending.take() {
            Some(before) => before.vstack(&frame).map_err(LakeError::computing("joining rows"))?,
            None => frame,
        };
        while GROUP_ROWS <= pending.height() {
            let (group, rest) = pending.split_at(GROUP_ROWS as i64);
            self.write_group(group)?;
            pending = rest;
        }
        self.pending = (pending.height() != 0).then_some(pending);
        Ok(())
    }

    fn write_group(&mut self, mut group: DataFrame) -> Result<(), LakeError> {
        // One array a column, or each of them would become a row group.
        group.rechunk_mut_par();
        self.writer.write_batch(&group).map_err(|error| self.file.failure(error))
    }

    /// How many rows were written.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Puts the file in its place, whole and for good; says how many bytes it has. `place` is given the hash of the
    /// file's content where the file is named after that.
    pub(super) fn publish(mut self, place: impl FnOnce(&str) -> PathBuf) -> Result<u64, LakeError> {
        if let Some(rest) = self.pending.take() {
            self.write_group(rest)?;
        }
        let bytes = self.writer.finish().map_err(|error| self.file.failure(error))?;
        self.file.sync()?;
        let path = place(&self.file.content_hash());
        let rename = self.disk.rename(&self.unfinished, &path, self.naming.over());
        rename.map_err(|error| LakeError::io("writing", &path, error))?;
        self.published = true;
        let folder = path.parent().unwrap_or(Path::new("."));
        self.disk.sync_folder(folder).map_err(|error| LakeError::io("writing", &path, error))?;
        Ok(bytes)
    }
}

impl Drop for NewPart {
    fn drop(&mut self) {
        // Room is wanted when a disk is full. Should this fail, the file is overwritten next time, and no reader minds.
        if !self.published {
            drop(self.disk.remove(&self.unfinished));
        }
    }
}

fn parquet_writer<W: std::io::Write>(file: W, table: &Table) -> PolarsResult<BatchedWriter<W>> {
    let schema = table.schema();
    // Texts as plain strings, not as polars' views: older readers know those.
    let arrow = schema_to_metadata_key(&schema.to_arrow(CompatLevel::oldest()));
    let about = vec![
        (arrow.key, arrow.value.unwrap_or_default()),
        (VERSION_KEY.to_owned(), VERSION.to_string()),
        (TABLE_KEY.to_owned(), table.kind.name().to_owned()),
    ];
    let statistics = StatisticsOptions { binary_statistics_truncate_length: Some(64), ..Default::default() };
    ParquetWriter::new(file)
        .with_compression(ParquetCompression::Zstd(Some(ZstdLevel::try_new(ZSTD_LEVEL)?)))
        .with_statistics(statistics)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(about)))
        .batched(&schema)
}

/// A file that was found to be whole, of its table, and with all its columns.
pub(super) struct Part {
    found: Fetched,
    table: &'static Table,
    /// Kept open: when the file is replaced by another, this is still the one that was checked.
    file: File,
    metadata: Arc<FileMetadata>,
}

impl Part {
    /// Opens and checks a file.
    pub(super) fn open(disk: &dyn Disk, entry: &Entry, table: &'static Table) -> Result<Self, LakeError> {
        let path = &entry.path;
        let failed = |error| LakeError::io("reading", path, error);
        let found = disk.fetch(entry).map_err(failed)?;
        let file = File::open(&found.content).map_err(failed)?;
        let mut reader = ParquetReader::new(file.try_clone().map_err(failed)?);
        let damaged = |error| damaged(path, error);
        let metadata = reader.get_metadata().map_err(damaged)?.clone();
        let part = Self { found, table, file, metadata };
        let version = part.version()?;
        let schema = Schema::from_arrow_schema(&*reader.schema().map_err(damaged)?);
        for column in table.columns().filter(|column| column.since <= version) {
            part.check_column(column, schema.get(column.name))?;
        }
        Ok(part)
    }

    fn version(&self) -> Result<u32, LakeError> {
        let said = |key: &str| {
            let pairs = self.metadata.key_value_metadata().iter().flatten();
            pairs.filter(|pair| pair.key == key).find_map(|pair| pair.value.as_deref())
        };
        let of_table = said(TABLE_KEY) == Some(self.table.kind.name());
        let version = said(VERSION_KEY).and_then(|version| version.parse().ok()).filter(|_| of_table);
        match version {
            None => Err(LakeError::Foreign { path: self.path().to_owned(), kind: self.table.kind }),
            Some(version) if VERSION < version => {
                Err(LakeError::Newer { path: self.path().to_owned(), version })
            }
            Some(version) => Ok(version),
        }
    }

    fn check_column(&self, column: &'static Column, found: Option<&DataType>) -> Result<(), LakeError> {
        let path = || self.path().to_owned();
        match found {
            None => Err(LakeError::MissingColumn { path: path(), column: column.name }),
            Some(found) if *found != column.kind.dtype() => Err(LakeError::WrongType {
                path: path(),
                column: column.name,
                expected: column.kind.name(),
                found: found.to_string(),
            }),
            Some(_) => Ok(()),
        }
    }

    /// Which kind of events it holds.
    pub(super) fn kind(&self) -> Kind {
        self.table.kind
    }

    /// Where it is in the lake.
    pub(super) fn path(&self) -> &Path {
        &self.found.entry.path
    }

    /// What was found there, and where this machine has its content.
    pub(super) fn found(&self) -> &Fetched {
        &self.found
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.metadata.num_rows
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> Result<u64, LakeError> {
        let about = self.file.metadata().map_err(|error| LakeError::io("reading", self.path(), error))?;
        Ok(about.len())
    }

    /// The least and greatest moment of a column of times, by the statistics; `None` of an empty file.
    pub(super) fn range_us(&self, column: &str) -> Option<(i64, i64)> {
        self.ranges_us(column).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// The same of each row group, in their order.
    pub(super) fn ranges_us(&self, column: &str) -> impl Iterator<Item = (i64, i64)> {
        let ranges = self.metadata.row_groups.iter().map(move |group| {
            let chunk = group.columns_under_root_iter(column)?.next()?;
            match chunk.statistics(&self.metadata.footer_buf)?.ok()? {
                Statistics::Int64(found) => Some((found.min_value?, found.max_value?)),
                _ => None,
            }
        });
        // A group that does not say, which none of ours is, may hold anything.
        ranges.map(|range| range.unwrap_or((i64::MIN, i64::MAX)))
    }

    /// Its row groups, from which row on and how many, in their order.
    pub(super) fn groups(&self) -> impl Iterator<Item = (usize, usize)> {
        self.metadata.row_groups.iter().scan(0, |from, group| {
            let start = *from;
            *from += group.num_rows();
            Some((start, group.num_rows()))
        })
    }

    /// Some columns of some of its rows; those that came with later versions are not there.
    pub(super) fn columns_of(
        &self,
        from: usize,
        rows: usize,
        names: impl Fn(&str) -> bool,
    ) -> Result<DataFrame, LakeError> {
        let file = self.file.try_clone().map_err(|error| LakeError::io("reading", self.path(), error))?;
        let mut reader = ParquetReader::new(file);
        reader.set_metadata(self.metadata.clone());
        let damaged = |error| damaged(self.path(), error);
        let schema = reader.schema().map_err(damaged)?;
        let wanted = schema.iter_names().enumerate().filter(|(_, name)| names(name)).map(|(place, _)| place);
        let wanted = reader.with_projection(Some(wanted.collect())).with_slice(Some((from, rows)));
        wanted.set_rechunk(true).finish().map_err(damaged)
    }

    /// Some of its rows, with all columns of the table in their order; those that came with later versions are null.
    pub(super) fn rows_of(&self, from: usize, rows: usize) -> Result<DataFrame, LakeError> {
        let file = self.file.try_clone().map_err(|error| LakeError::io("reading", self.path(), error))?;
        let mut reader = ParquetReader::new(file);
        reader.set_metadata(self.metadata.clone());
        let found = reader.with_slice(Some((from, rows))).set_rechunk(true).finish();
        let found = found.map_err(|error| damaged(self.path(), error))?;
        with_all_columns(found, self.table).map_err(|error| damaged(self.path(), error))
    }
}

fn with_all_columns(mut frame: DataFrame, table: &'static Table) -> PolarsResult<DataFrame> {
    for column in table.columns() {
        if frame.get_column_index(column.name).is_none() {
            let empty =
                polars::prelude::Column::full_null(column.name.into(), frame.height(), &column.kind.dtype());
            frame.with_column(empty)?;
        }
    }
    frame.select(table.columns().map(|column| column.name))
}

fn damaged(path: &Path, error: polars::error::PolarsError) -> LakeError {
    LakeError::Damaged { path: path.to_owned(), source: Box::new(error) }
}
