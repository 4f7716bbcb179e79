//! What a job learns from: a training set of the feature store, or a file of one's own as CSV, Parquet or NumPy's .npz.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use features::{
    defs::sets::SETS,
    offline::{SUBJECTS, table, verdicts},
};
use models::{fingerprint::Fingerprint, schema::FeatureSchema};
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, SerReader};

use crate::anomaly::{matrix::Values, npz};

/// Where a training set says its feature set.
const SET_KEY: &str = "tributary.set";

/// How many rows may each have a text of its own without that being a name.
const FEW: usize = 100;

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
    /// The column that says since when a label is known; no model learns from a label that came later than the rows that
    /// it learns from [default: the label's name with _known_at, where there is one]
    #[arg(long, value_name = "COLUMN", requires = "label")]
    pub label_known: Option<String>,
    /// The column that says when a row happened; rows are split by it [default: at, where there is one]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// A column that names rows and is repeated in what is written; may be repeated [default, of a training set: whose
    /// conversion, click and affiliate it is]
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
    /// Since when each label is known, where the file says that, in microseconds since the Unix epoch.
    pub labels_known_us: Option<Vec<Option<i64>>>,
    /// When each row happened, in microseconds since the Unix epoch.
    pub times_us: Option<Vec<i64>>,
    /// The columns that name rows.
    pub ids: Vec<(String, Vec<String>)>,
    /// Columns that nothing is learned from because they say whom rows are about, or what was found.
    pub left_out: Vec<String>,
    /// How many rows there are.
    pub rows: usize,
    /// SHA-256 of the file.
    pub data: Fingerprint,
}

impl Input {
    /// The labels that were known before an instant; all of them where nobody says since when they are.
    #[must_use]
    pub fn labels_known_before(&self, at_us: i64) -> Option<Vec<Option<bool>>> {
        let labels = self.labels.as_ref()?;
        let Some(known_us) = &self.labels_known_us else { return Some(labels.clone()) };
        let known = known_us.iter().map(|known_us| known_us.is_some_and(|known_us| known_us < at_us));
        Some(labels.iter().zip(known).map(|(label, is_known)| label.filter(|_| is_known)).collect())
    }
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
        Ok(Input {
            schema,
            labels,
            labels_known_us: None,
            times_us: None,
            ids: Vec::new(),
            left_out: Vec::new(),
            rows: table.rows(),
            data,
            features,
        })
    }

    fn read_table(&self, data: Fingerprint) -> Result<Input> {
        let frame = table::read(&self.input)?;
        ensure!(0 < frame.height(), "{} has no rows", self.input.display());
        let times_us =
            self.time_column(&frame)?.map(|column| table::instants(&self.input, column)).transpose()?;
        let label = self.label.as_deref().map(|name| self.column(&frame, name)).transpose()?;
        let labels = label.map(labels_of).transpose()?;
        let labels_known_us = self.known_column(&frame)?;
        let labels_known_us =
            labels_known_us.map(|column| table::instants_if_any(&self.input, column)).transpose()?;
        self.drop.iter().try_for_each(|name| self.column(&frame, name).map(drop))?;
        let Wanted { schema, names, left_out } = self.wanted(&frame)?;
        let ids = self.ids(&frame, schema.is_some());
        let ids = ids.map(|name| Ok((name.to_owned(), texts_of(self.column(&frame, name)?)?)));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let features = names.into_iter().map(|name| {
            let values = values_of(self.column(&frame, &name)?)?;
            Ok((name, values))
        });
        let features = features.collect::<Result<Vec<_>>>()?;
        self.check(&features, frame.height())?;
        let schema = schema.unwrap_or_else(|| self.schema_of(&features));
        let rows = frame.height();
        Ok(Input { schema, labels, labels_known_us, times_us, ids, left_out, rows, data, features })
    }

    /// That there is something to learn, and that no column is a name for each row.
    fn check(&self, features: &[(String, Values)], rows: usize) -> Result<()> {
        let path = self.input.display();
        ensure!(
            !features.is_empty(),
            "{path} has no column to learn from beside those of labels, times and ids"
        );
        ensure!(
            features.iter().any(|(_, values)| values.vary()),
            "{path} has nothing to learn from: each of its {} columns says the same in all rows, or nothing",
            features.len()
        );
        let is_name = |values: &Values| FEW < rows && rows < values.categories().saturating_mul(2);
        match features.iter().find(|(_, values)| is_name(values)) {
            Some((name, values)) => bail!(
                "column {name} of {path} has {} different texts in {rows} rows, which is a name and no category: say \
                 --id {name}, or --drop {name}",
                values.categories()
            ),
            None => Ok(()),
        }
    }

    /// The columns that name rows: those that were asked for, or the usual ones of a training set.
    fn ids<'a>(&'a self, frame: &'a DataFrame, is_training_set: bool) -> impl Iterator<Item = &'a str> {
        let usual = ["conversion_id", "click_id", "affiliate_id"].into_iter();
        let is_usual = is_training_set && self.id.is_empty();
        let usual = usual.filter(move |name| is_usual && frame.get_column_index(name).is_some());
        self.id.iter().map(String::as_str).chain(usual)
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

    /// The column that says since when labels are known: the one that was named, or else the one with the usual name.
    fn known_column<'a>(&self, frame: &'a DataFrame) -> Result<Option<&'a Column>> {
        match (&self.label_known, &self.label) {
            (Some(name), _) => self.column(frame, name).map(Some),
            (None, Some(label)) => Ok(frame.column(&known_at(label)).ok()),
            (None, None) => Ok(None),
        }
    }

    /// The columns to learn from: the features of the set that a training set was made of, or all that have no other
    /// part.
    fn wanted(&self, frame: &DataFrame) -> Result<Wanted> {
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
            let schema = Some(schema).filter(|_| self.drop.is_empty());
            return Ok(Wanted { schema, names, left_out: Vec::new() });
        }
        let time = self.time.as_deref().unwrap_or("at");
        let known = self.label_known.clone().or_else(|| self.label.as_deref().map(known_at));
        let is_other = |name: &str| {
            name == time
                || Some(name) == self.label.as_deref()
                || Some(name) == known.as_deref()
                || self.id.iter().chain(&self.drop).any(|other| other == name)
        };
        // A training set that went through other hands has lost its name, but not those columns.
        let is_told = |name: &str| {
            SUBJECTS.contains(&name) || [verdicts::FRAUD, verdicts::FRAUD_KNOWN_AT].contains(&name)
        };
        let names = frame.columns().iter().map(|column| column.name().to_string());
        let (left_out, names) = names.filter(|name| !is_other(name)).partition(|name| is_told(name));
        Ok(Wanted { schema: None, names, left_out })
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

/// Columns by what becomes of them.
struct Wanted {
    /// Of a training set as it was made.
    schema: Option<FeatureSchema>,
    /// Those to learn from.
    names: Vec<String>,
    /// Those that say whom rows are about, or what was found.
    left_out: Vec<String>,
}

/// What the column is usually called that says since when a label is known.
fn known_at(label: &str) -> String {
    format!("{label}_known_at")
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

/// Numbers of whole, real, yes-or-no and time columns; categories of texts.
pub(crate) fn values_of(column: &Column) -> Result<Values> {
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
