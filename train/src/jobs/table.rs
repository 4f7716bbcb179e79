//! A file of somebody's own, column by column; what is wrong in it is told with its line and column.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use chrono::{Days, NaiveDate};
use domain::{Clock, Rate, attribution::Channels};
use features::offline::table;
use models::fingerprint::Fingerprint;
use polars::prelude::{Column, DataFrame, DataType, StringChunked};

use crate::{anomaly::matrix::Values, input::values_of, rate::rate};

/// Microseconds in a day.
pub(super) const DAY_US: i64 = 86_400_000_000;
const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");

/// A file with columns that may have other names than those that they are asked for by.
pub(super) struct Table {
    frame: DataFrame,
    /// How columns are called in the file, where not by their own names.
    renamed: BTreeMap<String, String>,
    source: String,
    pub(super) data: Fingerprint,
    /// What a row's number in a message begins at: in CSV the head is line 1.
    first: usize,
}

/// Numbers of a column; a row that says nothing has none.
pub(super) struct Numbers(Vec<f64>);

impl Table {
    pub(super) fn read(path: &Path, renamed: &BTreeMap<String, String>) -> Result<Self> {
        let data = File::open(path).and_then(Fingerprint::of_all);
        let data = data.with_context(|| format!("{} cannot be read", path.display()))?;
        let frame = table::read(path)?;
        let is_parquet = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("parquet"));
        let source = path.display().to_string();
        ensure!(0 < frame.height(), "{source} has no rows");
        let table =
            Self { frame, renamed: renamed.clone(), source, data, first: if is_parquet { 1 } else { 2 } };
        renamed.keys().try_for_each(|field| table.column(field).map(drop))?;
        Ok(table)
    }

    /// The same where another file may be the one that has a column of another name.
    pub(super) fn read_one_of(path: &Path, renamed: &BTreeMap<String, String>) -> Result<Self> {
        let mut table = Self::read(path, &BTreeMap::new())?;
        let is_there = |name: &str| table.frame.get_column_index(name).is_some();
        let here = renamed.iter().filter(|(_, name)| is_there(name));
        table.renamed = here.map(|(field, name)| (field.clone(), name.clone())).collect();
        Ok(table)
    }

    /// Which fields have another name here.
    pub(super) fn renamed_fields(&self) -> impl Iterator<Item = &str> {
        self.renamed.keys().map(String::as_str)
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn rows(&self) -> usize {
        self.frame.height()
    }

    pub(super) fn names(&self) -> String {
        self.frame.columns().iter().map(|column| column.name().as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Where a row is, for a message.
    pub(super) fn place(&self, row: usize, field: &str) -> String {
        format!("{}, column {}", self.line(row), self.name(field))
    }

    /// Which row that is, for a message on all of it.
    pub(super) fn line(&self, row: usize) -> String {
        let what = if self.first == 2 { "line" } else { "row" };
        format!("{}, {what} {}", self.source, row + self.first)
    }

    /// The columns that are none of these fields.
    pub(super) fn others(&self, fields: &[&str]) -> Result<Vec<(String, Values)>> {
        let known: BTreeSet<&str> = fields.iter().map(|field| self.name(field)).collect();
        let others = self.frame.columns().iter().filter(|column| !known.contains(column.name().as_str()));
        let of = |column: &Column| {
            let values = values_of(column).with_context(|| self.source.clone())?;
            Ok((column.name().to_string(), values))
        };
        others.map(of).collect()
    }

    /// A number for each row by the name that a column has there, in the order of the names, so that the order of rows makes no
    /// difference; those that have a number keep it.
    pub(super) fn numbered(&self, field: &str, names: &mut Channels) -> Result<Vec<u32>> {
        let said = self.names_of(field)?;
        let distinct: BTreeSet<&str> = said.iter().map(String::as_str).collect();
        for name in distinct {
            names.number(name);
        }
        Ok(said.iter().map(|name| names.number(name)).collect())
    }

    /// The name that each row has in a column.
    pub(super) fn names_of(&self, field: &str) -> Result<Vec<String>> {
        let said = self.names_if_any(field)?.into_iter().enumerate();
        said.map(|(row, name)| name.with_context(|| format!("{}: says nothing", self.place(row, field))))
            .collect()
    }

    /// The same of a column that says nothing in some rows.
    pub(super) fn names_if_any(&self, field: &str) -> Result<Vec<Option<String>>> {
        let texts = self.texts(field)?;
        let said = |text: Option<&str>| text.filter(|text| !text.trim().is_empty()).map(str::to_owned);
        Ok(texts.iter().map(said).collect())
    }

    /// What a field is called in the file.
    pub(super) fn name<'a>(&'a self, field: &'a str) -> &'a str {
        self.renamed.get(field).map_or(field, String::as_str)
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.frame.get_column_index(self.name(field)).is_some()
    }

    fn column(&self, field: &str) -> Result<&Column> {
        self.frame.column(self.name(field)).ok().with_context(|| {
            let (name, names) = (self.name(field), self.names());
            format!("{} has no column {name:?}; it has {names}: say --column {field}=NAME", self.source)
        })
    }

    /// A column of names as text. Whole numbers name things, too; real numbers do not, as two of them may be written as one.
    pub(super) fn texts(&self, field: &str) -> Result<StringChunked> {
        let column = self.column(field)?;
        ensure!(
            !column.dtype().is_float(),
            "column {} of {} holds real numbers, which do not name anything: put a letter before each",
            self.name(field),
            self.source
        );
        self.as_texts(field)
    }

    fn as_texts(&self, field: &str) -> Result<StringChunked> {
        let texts = self.column(field)?.cast(&DataType::String);
        let texts = texts.with_context(|| format!("column {field} of {} is no text", self.source))?;
        Ok(texts.str()?.clone())
    }

    /// A column of numbers from zero up, where there is one; it must be there when it was given another name.
    pub(super) fn numbers(&self, field: &str) -> Result<Option<Numbers>> {
        if !self.has(field) && !self.renamed.contains_key(field) {
            return Ok(None);
        }
        let numbers = self.any_numbers(field)?;
        let wrong = numbers.iter().position(|number| *number < 0.0 || number.is_infinite());
        if let Some(row) = wrong {
            bail!("{}: {} is not a number from zero up", self.place(row, field), numbers[row]);
        }
        Ok(Some(Numbers(numbers)))
    }

    /// A column of amounts of money, one in each row, from −10¹² to 10¹².
    pub(super) fn amounts(&self, field: &str) -> Result<Vec<f64>> {
        let numbers = self.any_numbers(field)?;
        let is_amount = |number: &f64| (-1e12..=1e12).contains(number);
        if let Some(row) = numbers.iter().position(|number| !is_amount(number)) {
            bail!("{}: says no amount from -1e12 to 1e12", self.place(row, field));
        }
        Ok(numbers)
    }

    /// The same of a column that says nothing in some rows, where there is one.
    pub(super) fn amounts_if_any(&self, field: &str) -> Result<Option<Vec<Option<f64>>>> {
        if !self.has(field) && !self.renamed.contains_key(field) {
            return Ok(None);
        }
        let numbers = self.any_numbers(field)?;
        let is_amount = |number: &f64| number.is_nan() || (-1e12..=1e12).contains(number);
        if let Some(row) = numbers.iter().position(|number| !is_amount(number)) {
            bail!("{}: says no amount from -1e12 to 1e12", self.place(row, field));
        }
        Ok(Some(numbers.into_iter().map(|number| Some(number).filter(|number| !number.is_nan())).collect()))
    }

    /// A column of rates, where there is one: percentages with their sign, such as 12.5%, or fractions below 1, such as 0.125. A
    /// row that says nothing has none.
    pub(super) fn rates(&self, field: &str) -> Result<Option<Vec<Option<Rate>>>> {
        if !self.has(field) && !self.renamed.contains_key(field) {
            return Ok(None);
        }
        let texts = self.as_texts(field)?;
        let read = |(row, text): (usize, Option<&str>)| {
            let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
            rate(text).map(Some).with_context(|| self.place(row, field))
        };
        texts.iter().enumerate().map(read).collect::<Result<_>>().map(Some)
    }

    /// A column of lists of numbers, where there is one: 12.5;0;80.
    pub(super) fn lists(&self, field: &str) -> Result<Option<Vec<Vec<f64>>>> {
        if !self.has(field) && !self.renamed.contains_key(field) {
            return Ok(None);
        }
        let texts = self.as_texts(field)?;
        let number = |text: &str, row: usize| {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number.with_context(|| format!("{}: {text:?} is no number", self.place(row, field)))
        };
        let list = |(row, text): (usize, Option<&str>)| {
            let parts = text.unwrap_or_default().split(';').filter(|part| !part.trim().is_empty());
            parts.map(|part| number(part, row)).collect()
        };
        texts.iter().enumerate().map(list).collect::<Result<_>>().map(Some)
    }

    /// Numbers of a column; not a number where a row says nothing.
    fn any_numbers(&self, field: &str) -> Result<Vec<f64>> {
        let column = self.column(field)?;
        if let DataType::String = column.dtype() {
            let texts = column.str()?;
            // A column without any value is one of texts, too.
            let number = |(row, text): (usize, Option<&str>)| match text.map(|it| it.trim().parse()) {
                None => Ok(f64::NAN),
                Some(Ok(number)) => Ok(number),
                Some(Err(_)) => {
                    bail!("{}: {:?} is no number", self.place(row, field), text.unwrap_or_default())
                }
            };
            return texts.iter().enumerate().map(number).collect();
        }
        let numbers = column.strict_cast(&DataType::Float64);
        let numbers = numbers
            .with_context(|| format!("column {} of {} holds no numbers", self.name(field), self.source))?;
        Ok(numbers.f64()?.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
    }

    /// A column of whole numbers, one in each row; none where it holds something else.
    pub(super) fn whole_numbers(&self, field: &str) -> Result<Option<Vec<i64>>> {
        let column = self.column(field)?;
        ensure!(
            !column.dtype().is_float(),
            "column {} of {} holds real numbers, and whole ones are expected",
            self.name(field),
            self.source
        );
        if !column.dtype().is_integer() {
            return Ok(None);
        }
        let numbers = column.strict_cast(&DataType::Int64)?;
        let number = |(row, number): (usize, Option<i64>)| {
            number.with_context(|| format!("{}: says nothing", self.place(row, field)))
        };
        numbers.i64()?.iter().enumerate().map(number).collect::<Result<_>>().map(Some)
    }

    /// The days of a column: dates or instants as such or as texts, or whole numbers such as 19971231. Numbers of seconds are
    /// refused, as a file of days is more likely to hold something else in them, and so are days that have not come.
    pub(super) fn past_days(&self, field: &str, clock: &Clock) -> Result<Vec<i32>> {
        let days = match self.whole_numbers(field)? {
            Some(numbers) => self.days_of_numbers(field, &numbers)?,
            None => self.days_of_instants(field)?,
        };
        // A day more, for clocks east of Greenwich.
        let tomorrow = day_of(clock.now().date_naive()).saturating_add(1);
        if let Some(row) = days.iter().position(|day| tomorrow < *day) {
            bail!("{}: {} has not come yet", self.place(row, field), date_of(days[row]));
        }
        Ok(days)
    }

    fn days_of_numbers(&self, field: &str, numbers: &[i64]) -> Result<Vec<i32>> {
        let day = |(row, number): (usize, &i64)| {
            let date = i32::try_from(number / 10_000)
                .ok()
                .zip(u32::try_from(number / 100 % 100).ok().zip(u32::try_from(number % 100).ok()))
                .and_then(|(year, (month, day))| NaiveDate::from_ymd_opt(year, month, day))
                .filter(|_| (19_000_000..30_000_000).contains(number));
            let date = date.with_context(|| {
                format!("{}: {number} is no date; expected 19971231, or 1997-12-31", self.place(row, field))
            })?;
            Ok(day_of(date))
        };
        numbers.iter().enumerate().map(day).collect()
    }

    fn days_of_instants(&self, field: &str) -> Result<Vec<i32>> {
        let day = |(row, at_us): (usize, i64)| {
            i32::try_from(at_us.div_euclid(DAY_US))
                .with_context(|| format!("{}: is thousands of years away", self.place(row, field)))
        };
        self.instants(field)?.into_iter().enumerate().map(day).collect()
    }

    /// A column of yes or no: 1 or true, 0 or false; a row that says nothing says no.
    pub(super) fn flags(&self, field: &str) -> Result<Option<Vec<bool>>> {
        if !self.has(field) {
            return Ok(None);
        }
        let texts = self.as_texts(field)?;
        let flag = |(row, text): (usize, Option<&str>)| match text.map(str::trim) {
            None | Some("" | "0" | "0.0" | "false" | "False" | "no") => Ok(false),
            Some("1" | "1.0" | "true" | "True" | "yes") => Ok(true),
            Some(other) => bail!("{}: {other:?} is neither 1 nor 0", self.place(row, field)),
        };
        texts.iter().enumerate().map(flag).collect::<Result<_>>().map(Some)
    }

    /// A column of instants, in microseconds: timestamps, texts of such, or numbers of seconds.
    pub(super) fn instants(&self, field: &str) -> Result<Vec<i64>> {
        let all = self.instants_if_any(field)?.into_iter().enumerate();
        all.map(|(row, at_us)| at_us.with_context(|| format!("{}: says no time", self.place(row, field))))
            .collect()
    }

    /// The same, of a column that says nothing in some rows.
    pub(super) fn instants_if_any(&self, field: &str) -> Result<Vec<Option<i64>>> {
        let column = self.column(field)?;
        if column.dtype().is_primitive_numeric() {
            let seconds = column.strict_cast(&DataType::Float64)?;
            let second = |(row, second): (usize, Option<f64>)| {
                let Some(second) = second else { return Ok(None) };
                let is_time = second.is_finite() && second.abs() < 1e12;
                ensure!(is_time, "{}: {second} is no number of seconds", self.place(row, field));
                Ok(Some((second * 1e6).round() as i64))
            };
            return seconds.f64()?.iter().enumerate().map(second).collect();
        }
        Ok(table::instants_if_any(Path::new(&self.source), column)?)
    }
}

impl Numbers {
    /// What a row says.
    pub(super) fn at(&self, row: usize) -> Option<f64> {
        Some(self.0[row]).filter(|number| !number.is_nan())
    }
}

/// The number of a day.
pub(super) fn day_of(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(EPOCH).num_days()).unwrap_or(i32::MAX)
}

/// The day of a number.
pub(super) fn date_of(day: i32) -> NaiveDate {
    let days = Days::new(u64::from(day.unsigned_abs()));
    let date = if day < 0 { EPOCH.checked_sub_days(days) } else { EPOCH.checked_add_days(days) };
    date.unwrap_or(NaiveDate::MAX)
}

/// Another name of a column, as it is told on the command line.
pub(super) fn renamed(text: &str, known: &[&str], example: &str) -> Result<(String, String)> {
    let (field, name) =
        text.split_once('=').with_context(|| format!("expected FIELD=NAME, such as {example}"))?;
    ensure!(known.contains(&field), "there is no field {field:?}: expected one of {}", known.join(", "));
    ensure!(!name.is_empty(), "the field {field} has no name");
    Ok((field.to_owned(), name.to_owned()))
}
