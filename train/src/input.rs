//! What a job learns from: a training set of the feature store, or a file of one's own as CSV, Parquet or NumPy's .npz.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use features::{defs::sets::SETS, offline::table};
use models::{fingerprint::Fingerprint, schema::FeatureSchema};
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, SerReader};

use crate::anomaly::{matrix::Values, npz};

/// Where a training set says its feature set.
const SET_KEY: &str = "tributary.set";

/// Which file, and what is in it.
#[derive(Args, Clone, Debug)]
pub struct InputArgs {
    /// The file to learn from: a training set of `tributary-train features`, or any CSV, Parquet or .npz file
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The column that says which rows are fraud: 1 or true for those that are, 0 or false for those that are not,
    /// nothing where nobody has judged; in an .npz file y
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The column that says when a row happened; rows are split by it [default: at, where there is one]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// A column that names rows and is repeated in what is written; may be repeated
    #[arg(long, value_name = "COLUMN")]
    pub id: Vec<String>,
    /// A column that nothing is learned from; may be repeated
    #[arg(long, value_name = "COLUMN")]
    pub drop: Vec<String>,
}

/// A file's content.
pub struct Input {
    /// The features, each with a value for each row.
    pub features: Vec<(String, Values)>,
    /// What the features are called together, and in which order a model takes them.
    pub schema: FeatureSchema,
    /// Whether a row is what is looked for, where somebody has said so.
    pub labels: Option<Vec<Option<bool>>>,
    /// When each row happened, in microseconds since the Unix epoch.
    pub times_us: Option<Vec<i64>>,
    /// The columns that name rows.
    pub ids: Vec<(String, Vec<String>)>,
    /// How many rows there are.
    pub rows: usize,
    /// SHA-256 of the file.
    pub data: Fingerprint,
}

impl InputArgs {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is none of the kinds, or lacks a column that was named.
    pub fn read(&self) -> Result<Input> {
        let path = &self.input;
        let data = File::open(path).and_then(Fingerprint::of_all);
        let data = data.with_context(|| format!("{} cannot be read", path.display()))?;
        if has_extension(path, "npz") { self.read_npz(data) } else { self.read_table(data) }
    }

    fn read_npz(&self, data: Fingerprint) -> Result<Input> {
        let read = npz::read(&self.input)?;
        let table = read.table;
        let features: Vec<(String, Values)> = table
            .columns()
            .iter()
            .enumerate()
            .map(|(at, column)| (column.name.clone(), Values::Numbers(table.column(at).collect())))
            .collect();
        let labels = match self.label.as_deref() {
            None => None,
            Some("y") => {
                let labels = read.labels.context("the file has no array y to take labels from")?;
                Some(labels.into_iter().map(Some).collect())
            }
            Some(other) => bail!("an .npz file has its labels in y, not in {other:?}: say --label y"),
        };
        let schema = self.schema_of(&features);
        Ok(Input { schema, labels, times_us: None, ids: Vec::new(), rows: table.rows(), data, features })
    }

    fn read_table(&self, data: Fingerprint) -> Result<Input> {
        let frame = table::read(&self.input)?;
        ensure!(0 < frame.height(), "{} has no rows", self.input.display());
        let times_us =
            self.time_column(&frame)?.map(|column| table::instants(&self.input, column)).transpose()?;
        let label = self.label.as_deref().map(|name| self.column(&frame, name)).transpose()?;
        let labels = label.map(labels_of).transpose()?;
        let ids = self.id.iter().map(|name| Ok((name.clone(), texts_of(self.column(&frame, name)?)?)));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        self.drop.iter().try_for_each(|name| self.column(&frame, name).map(drop))?;
        let (schema, names) = self.wanted(&frame)?;
        let features = names.into_iter().map(|name| {
            let values = values_of(self.column(&frame, &name)?)?;
            Ok((name, values))
        });
        let features = features.collect::<Result<Vec<_>>>()?;
        ensure!(
            !features.is_empty(),
            "{} has no column to learn from beside those of labels, times and ids",
            self.input.display()
        );
        let schema = schema.unwrap_or_else(|| self.schema_of(&features));
        Ok(Input { schema, labels, times_us, ids, rows: frame.height(), data, features })
    }

    fn column<'a>(&self, frame: &'a DataFrame, name: &str) -> Result<&'a Column> {
        frame.column(name).ok().with_context(|| {
            let names: Vec<&str> = frame.columns().iter().map(|column| column.name().as_str()).collect();
            format!("{} has no column {name:?}; it has {}", self.input.display(), names.join(", "))
        })
    }

    fn time_column<'a>(&self, frame: &'a DataFrame) -> Result<Option<&'a Column>> {
        match &self.time {
            Some(name) => self.column(frame, name).map(Some),
            None => Ok(frame.column("at").ok()),
        }
    }

    /// The columns to learn from: the features of the set that a training set was made of, or all that have no other
    /// part.
    fn wanted(&self, frame: &DataFrame) -> Result<(Option<FeatureSchema>, Vec<String>)> {
        if let Some(set) = self.made_of()? {
            let known = SETS.iter().find(|known| known.full_name() == set);
            let known = known.with_context(|| {
                format!(
                    "{} was made of the set {set}, which this release does not know",
                    self.input.display()
                )
            })?;
            let names: Vec<String> = known.features.iter().map(|feature| feature.name.clone()).collect();
            let names: Vec<String> = names.into_iter().filter(|name| !self.drop.contains(name)).collect();
            let fingerprint = Fingerprint(known.fingerprint());
            let schema = FeatureSchema { set, fingerprint, names: names.clone() };
            return Ok((Some(schema).filter(|_| self.drop.is_empty()), names));
        }
        let time = self.time.as_deref().unwrap_or("at");
        let is_other = |name: &str| {
            name == time
                || Some(name) == self.label.as_deref()
                || self.id.iter().chain(&self.drop).any(|other| other == name)
        };
        let names = frame.columns().iter().map(|column| column.name().to_string());
        Ok((None, names.filter(|name| !is_other(name)).collect()))
    }

    /// The feature set that the file says it was made of.
    fn made_of(&self) -> Result<Option<String>> {
        if !has_extension(&self.input, "parquet") {
            return Ok(None);
        }
        let mut reader = ParquetReader::new(File::open(&self.input)?);
        let metadata = reader.get_metadata()?;
        let pairs = metadata.key_value_metadata().iter().flatten();
        Ok(pairs.filter(|pair| pair.key == SET_KEY).find_map(|pair| pair.value.clone()))
    }

    /// A file of one's own is called by its name, and its columns by theirs.
    fn schema_of(&self, features: &[(String, Values)]) -> FeatureSchema {
        let names: Vec<String> = features.iter().map(|(name, _)| name.clone()).collect();
        let set = self.input.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        FeatureSchema { set, fingerprint: Fingerprint::of(names.join("\n").as_bytes()), names }
    }
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

/// Numbers of whole, real, yes-or-no and time columns; categories of texts.
fn values_of(column: &Column) -> Result<Values> {
    let name = column.name();
    if let DataType::String = column.dtype() {
        return Ok(Values::Categories(column.str()?.iter().map(|text| text.map(str::to_owned)).collect()));
    }
    let physical = match column.dtype() {
        DataType::Datetime(..) | DataType::Date | DataType::Duration(_) | DataType::Time => {
            column.to_physical_repr()
        }
        _ => column.clone(),
    };
    let numbers = physical.strict_cast(&DataType::Float64).ok();
    let numbers = numbers.with_context(|| {
        format!(
            "column {name} holds {}, which is neither numbers nor texts: leave it out with --drop",
            column.dtype()
        )
    })?;
    Ok(Values::Numbers(numbers.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect()))
}

fn labels_of(column: &Column) -> Result<Vec<Option<bool>>> {
    let name = column.name();
    let wrong = |row: usize, text: &str| {
        format!("row {} of column {name} says {text}, where a label is 0 or 1", row + 1)
    };
    if let DataType::String = column.dtype() {
        let texts = column.str()?.iter().enumerate();
        return texts
            .map(|(row, text)| match text.map(str::trim) {
                None => Ok(None),
                Some("1" | "true" | "yes" | "fraud") => Ok(Some(true)),
                Some("0" | "false" | "no" | "honest") => Ok(Some(false)),
                Some(other) => bail!(wrong(row, other)),
            })
            .collect();
    }
    let Values::Numbers(numbers) = values_of(column)? else { bail!("column {name} holds no labels") };
    let label = |(row, number): (usize, f64)| {
        if number.is_nan() {
            return Ok(None);
        }
        let is_one = (number - 1.0).abs() <= 0.0;
        ensure!(is_one || number.abs() <= 0.0, wrong(row, &number.to_string()));
        Ok(Some(is_one))
    };
    numbers.into_iter().enumerate().map(label).collect()
}

fn texts_of(column: &Column) -> Result<Vec<String>> {
    let texts = column.cast(&DataType::String)?;
    Ok(texts.str()?.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}
